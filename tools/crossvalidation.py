"""Measure and fit an index's vote on the index's own photos, by cross-validation.

Each photo is asked for when it was in neither the projection's fit nor the index. The
search is exact and in numpy, for the thousands of photos that such fits are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import Taxon
from engine.index.projection import (
    DIMS,
    SHRINKAGE,
    SPREAD_SHARE,
    Kind,
    Projection,
    TooFewPhotos,
    fit_projection,
)
from engine.index.spread import usual_angles
from engine.index.vote import Evidence, VoteSettings, fit_vote
from tools.known_fit import fit_known

FOLDS = 5
SPECIES_FOLDS = 10
"""Into so many parts the species are dealt that an index lacks in turn. An index of fewer photos
finds another photo farther from its own, so it should lack few."""

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Deal = tuple[Labels, Labels]
"""The photos that an index is made of, and those that it is asked about, as positions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProjectionChoice:
    """How to fit a projection; see ``engine.index.projection.fit_projection``."""

    kind: Kind = "lda"
    dims: int = DIMS
    rooted: bool | None = None
    shrinkage: float = SHRINKAGE
    spread_share: float = SPREAD_SHARE
    unlabelled: Features | None = None

    def fit(self, features: Features, labels: Labels) -> Projection:
        """Fit it to ``(n, width)`` features and ``(n,)`` species."""
        return fit_projection(
            features,
            labels,
            kind=self.kind,
            dims=self.dims,
            rooted=self.rooted,
            shrinkage=self.shrinkage,
            spread_share=self.spread_share,
            unlabelled=self.unlabelled,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gallery:
    """Projected photos in memory that answer as an index does, exactly.

    ``vectors`` is ``(rows, dims)``, ``labels`` ``(rows,)``; ``species`` is one more than the
    greatest label there may be. Species without a photo have a prototype of zeros.
    """

    vectors: Features
    labels: Labels
    species: int

    @classmethod
    def of(cls, vectors: Features, labels: Labels, kept: Labels | NDArray[np.bool_]) -> Gallery:
        """Hold the photos that are ``kept``, whose ``vectors`` these are, of all ``labels``."""
        return cls(vectors=vectors, labels=labels[kept], species=int(labels.max()) + 1)

    def evidence(
        self, vectors: Features, neighbours: int, distinctness: Features | None = None
    ) -> list[Evidence]:
        """Search for each of the ``(n, dims)`` vectors, as one view of one individual each.

        ``distinctness`` is theirs, ``(n,)``, as their projection measures it.
        """
        sums = np.zeros((self.species, self.vectors.shape[1]), np.float32)
        np.add.at(sums, self.labels, self.vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # Minus one is as far as a cosine goes: a species without a photo is never likely.
        to_prototypes = vectors @ (sums / np.maximum(lengths, 1e-12)).T
        photos = np.bincount(self.labels, minlength=self.species)
        to_prototypes[:, photos == 0] = -1
        usual = usual_angles(lengths[:, 0], photos)
        cosines = vectors @ self.vectors.T
        rows = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
        return [
            Evidence(
                similarities=cosines[[i], rows[i]][None],
                taxa=self.labels[rows[i]][None],
                rows=rows[i][None],
                prototype_similarities=to_prototypes[i][None],
                photos_of_taxon=photos,
                usual_angles=usual,
                distinctness=None if distinctness is None else distinctness[[i]],
            )
            for i in range(len(vectors))
        ]


def photo_folds(labels: Labels, folds: int = FOLDS, seed: int = 0) -> Labels:
    """Deal each species' photos to the folds in turn; -1 for the only photo of a species."""
    rng = np.random.default_rng(seed)
    fold = np.full(len(labels), -1)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) > 1:
            fold[members] = (np.arange(len(members)) + rng.integers(folds)) % folds
    return fold


def deal_by_folds(labels: Labels, folds: int = FOLDS, seed: int = 0) -> list[Deal]:
    """Return for each fold that has photos all others, and its own.

    Raises:
        TooFewPhotos: no species has two.
    """
    fold = photo_folds(labels, folds, seed)
    deals = [(np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in range(folds)]
    if not (dealt := [(kept, asked) for kept, asked in deals if len(asked)]):
        raise TooFewPhotos("No species has two photos, so none can be asked for: add photos.")
    return dealt


def species_folds(labels: Labels, folds: int = FOLDS, seed: int = 0) -> Labels:
    """Deal the species to the folds, those with many photos evenly; one fold per photo."""
    rng = np.random.default_rng(seed)
    species, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = rng.permutation(len(species))
    order = order[np.argsort(counts[order], kind="stable")]
    fold = np.empty(len(species), np.int64)
    fold[order] = np.arange(len(species)) % folds
    return np.asarray(fold[members], np.int64)


def out_of_fold(
    features: Features,
    labels: Labels,
    choice: ProjectionChoice,
    *,
    neighbours: int,
    folds: int = FOLDS,
    seed: int = 0,
) -> Iterator[tuple[Labels, list[Evidence]]]:
    """Yield each fold's photos and what an index of the others finds for them.

    ``labels`` are species from 0. The first of a pair are positions in ``features``.
    """
    for kept, asked in deal_by_folds(labels, folds, seed):
        projection = choice.fit(features[kept], labels[kept])
        gallery = Gallery.of(projection.apply(features[kept]), labels, kept)
        yield asked, gallery.evidence(projection.apply(features[asked]), neighbours)


def species_out_of_fold(
    features: Features,
    labels: Labels,
    choice: ProjectionChoice,
    *,
    neighbours: int,
    strangers: Features | None = None,
) -> Iterator[tuple[Labels, Labels, list[Evidence]]]:
    """Yield photos of species in and outside of an index, and what the index finds for each.

    In each fold an index lacks a tenth of the species and a tenth of the others' photos. The
    first of a triple are positions of the latter, whose species it holds, the second of the
    former; the evidence is for both and then for all ``strangers``, photos without a label.
    """
    photo_fold, species_fold = (
        deal(labels, SPECIES_FOLDS) for deal in (photo_folds, species_folds)
    )
    for fold in range(SPECIES_FOLDS):
        outside = species_fold == fold
        inside = (photo_fold == fold) & ~outside
        kept = ~(inside | outside)
        projection = choice.fit(features[kept], labels[kept])
        gallery = Gallery.of(projection.apply(features[kept]), labels, kept)
        asked = np.concatenate([np.flatnonzero(inside), np.flatnonzero(outside)])
        shown = features[asked]
        if strangers is not None and len(strangers):
            shown = np.vstack([shown, strangers])
        found = gallery.evidence(
            projection.apply(shown), neighbours, projection.distinctness(shown)
        )
        yield asked[: inside.sum()], asked[inside.sum() :], found


def fit_known_by_folds(
    features: Features,
    labels: Labels,
    taxa: Sequence[Taxon],
    choice: ProjectionChoice,
    settings: VoteSettings,
) -> VoteSettings:
    """Fit the curve of nearness, each species in turn being one that the index lacks.

    ``labels`` are positions in ``taxa``.

    Raises:
        TooFewPhotos: for the curve, or for a projection in a fold.
    """
    present, labels = np.unique(labels, return_inverse=True)
    inside: list[Evidence] = []
    outside: list[Evidence] = []
    folds = species_out_of_fold(features, labels, choice, neighbours=settings.neighbours)
    for known, _, found in folds:
        inside += found[: len(known)]
        outside += found[len(known) :]
    return fit_known(inside, outside, [taxa[label] for label in present], settings)


def fit_by_folds(
    features: Features,
    labels: Labels,
    choice: ProjectionChoice | None = None,
    settings: VoteSettings | None = None,
) -> VoteSettings:
    """Fit temperature and threshold when there are no photos but those of the index.

    ``features`` is ``(n, width)`` as the embedder gives them and ``labels`` ``(n,)``, the
    species as any integers.

    Raises:
        TooFewPhotos: of species with two or more, or for a projection in a fold.
    """
    settings = settings or VoteSettings()
    _, labels = np.unique(labels, return_inverse=True)
    evidence: list[Evidence] = []
    truths: list[int] = []
    folds = out_of_fold(
        features, labels, choice or ProjectionChoice(), neighbours=settings.neighbours
    )
    for asked, found in folds:
        evidence += found
        truths += labels[asked].tolist()
    return fit_vote(evidence, truths, settings)
