"""Fit how likely an index finds a species to be one that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine import Group, Taxon
from engine.index.projection import TooFewPhotos
from engine.index.vote import FEWEST_PHOTOS, Evidence, Vote, VoteSettings, vote
from engine.known import KnownCurve, fit_curve, nearness, trust_in_likeliest
from engine.taxonomy.groups import group_of


def fit_known(
    inside: Sequence[Evidence],
    outside: Sequence[Evidence],
    taxa: Sequence[Taxon],
    settings: VoteSettings,
) -> VoteSettings:
    """Fit the curve of nearness to what an index of ``taxa`` found for photos it does not hold.

    ``inside`` are photos of its species, ``outside`` of others.

    Raises:
        TooFewPhotos: there are fewer than ``FEWEST_PHOTOS`` of one kind.
    """
    if min(len(inside), len(outside)) < FEWEST_PHOTOS:
        raise TooFewPhotos(
            f"{len(inside)} photos of known and {len(outside)} of other species are too few: "
            f"it takes {FEWEST_PHOTOS} of each."
        )
    scores = [
        np.array([_nearness(vote(evidence, settings), taxa) for evidence in found])
        for found in (inside, outside)
    ]
    return replace(settings, nearness_curve=fit_curve(*scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSays:
    """What an index says of a photo, as ``engine.generic.IndexAnswer`` has it."""

    probabilities: dict[Taxon, float]
    distances: dict[Taxon, float]
    held: frozenset[Taxon]
    held_of_group: Mapping[Group, int]
    curve: KnownCurve

    @classmethod
    def of(cls, evidence: Evidence, settings: VoteSettings, taxa: Sequence[Taxon]) -> IndexSays:
        """Have an index of some of ``taxa`` vote on what it found."""
        said = vote(evidence, settings)
        named = name_votes(said, taxa)
        held = np.flatnonzero(evidence.photos_of_taxon).tolist()
        species = frozenset(taxa[number] for number in held)
        return cls(
            probabilities=named,
            distances=dict(zip(named, said.distances.tolist(), strict=True)),
            held=species,
            held_of_group=Counter(map(group_of, species)),
            curve=settings.nearness_curve,
        )

    def trust(self, probabilities: Mapping[Taxon, float]) -> float | None:
        """Return how likely the likeliest species is one that the index holds."""
        return trust_in_likeliest(probabilities, self.distances, self.curve)


def name_votes(said: Vote, taxa: Sequence[Taxon]) -> dict[Taxon, float]:
    """Return the probabilities of a vote by taxon, likeliest first."""
    pairs = zip(said.taxa.tolist(), said.probabilities.tolist(), strict=True)
    return {taxa[number]: probability for number, probability in pairs}


def _nearness(said: Vote, taxa: Sequence[Taxon]) -> float:
    return nearness(taxa[said.taxa[0]], float(said.distances[0]), name_votes(said, taxa))
