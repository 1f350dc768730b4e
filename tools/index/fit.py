"""What a new index is fitted to its own photos: the projection, and the numbers of the vote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import Taxon
from engine.index.projection import MOST_ROWS, Kind, Projection, TooFewPhotos
from engine.index.vote import VoteSettings
from tools.crossvalidation import ProjectionChoice, fit_by_folds, fit_known_by_folds
from tools.index.spool import Spool

VOTE_PHOTOS = 10_000
"""The vote is fitted to whole species with at most so many photos together."""

_SEED = 2026

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a new index is made: see ``IndexWriter.create`` and ``fit_projection`` of the engine.

    ``unlabelled`` is a folder of photos of which nobody said what they show.
    """

    projection: Kind
    dims: int
    factory: str
    unlabelled: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What an index needs besides its photos; ``said`` says in a sentence how it came about."""

    projection: Projection
    vote_settings: VoteSettings
    said: str


def fit_index(spool: Spool, recipe: Recipe, unlabelled: Features | None = None) -> Fitted:
    """Fit a new index to what is in ``spool``.

    ``unlabelled`` are the ``(n, width)`` features of the recipe's photos without a label.

    Raises:
        EngineError: no projection can be fitted to it; ``str`` says why.
        SpoolError: a file of the spool is damaged.
    """
    features, labels, taxa = _sample(spool)
    choice = ProjectionChoice(kind=recipe.projection, dims=recipe.dims, unlabelled=unlabelled)
    projection = _fit_projection(features, labels, choice)
    settings, said = _fit_vote(features, labels, taxa, choice)
    beside = ""
    if unlabelled is not None:
        beside = f", fitted with {len(unlabelled):,} photos without a label"
    how = f"The projection ({recipe.projection}) has {projection.dims} dimensions{beside}."
    return Fitted(projection=projection, vote_settings=settings, said=f"{how} {said}")


def _fit_projection(features: Features, labels: Labels, choice: ProjectionChoice) -> Projection:
    try:
        return choice.fit(features, labels)
    except TooFewPhotos as error:
        if choice.kind != "lda" or len(features) < 2:
            raise
        raise TooFewPhotos(
            f"{error} The same command goes on from here, also with --projection pca, and embeds "
            "no photo again."
        ) from error


def _fit_vote(
    features: Features, labels: Labels, taxa: Sequence[Taxon], choice: ProjectionChoice
) -> tuple[VoteSettings, str]:
    """Fit the vote by cross-validation, or keep the defaults where there are too few photos."""
    chosen = _whole_species(labels)
    try:
        settings = fit_by_folds(features[chosen], labels[chosen], choice)
        settings = fit_known_by_folds(features[chosen], labels[chosen], taxa, choice, settings)
    except TooFewPhotos as error:
        return VoteSettings(), f"The vote has its default numbers: {str(error).rstrip('.')}."
    return settings, (
        f"The vote is fitted to {len(chosen):,} photos by cross-validation: temperature "
        f"{settings.temperature}, known from {settings.known_threshold}."
    )


def _whole_species(labels: Labels) -> NDArray[np.int64]:
    """Return the places of the photos of as many species, chosen at random, as are allowed."""
    species, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.random.default_rng(_SEED).permutation(len(species))
    taken = order[np.cumsum(counts[order]) <= VOTE_PHOTOS]
    return np.flatnonzero(np.isin(members, taken))


def _sample(spool: Spool) -> tuple[Features, Labels, tuple[Taxon, ...]]:
    """Return the features and labels of at most ``MOST_ROWS`` photos, chosen at random.

    Labels are positions in the taxa, which are the last of the three.
    """
    labels, taxa = _number(reference.taxon for reference in spool.references())
    chosen = np.ones(spool.rows, bool)
    if spool.rows > MOST_ROWS:
        chosen[:] = False
        rng = np.random.default_rng(_SEED)
        chosen[rng.choice(spool.rows, MOST_ROWS, replace=False)] = True
    parts = []
    start = 0
    for features in spool.features():
        parts.append(features[chosen[start : start + len(features)]])
        start += len(features)
    return np.concatenate(parts), labels[chosen], taxa


def _number(taxa: Iterable[Taxon]) -> tuple[Labels, tuple[Taxon, ...]]:
    numbers: dict[Taxon, int] = {}
    labels = np.array([numbers.setdefault(taxon, len(numbers)) for taxon in taxa], np.int64)
    return labels, tuple(numbers)
