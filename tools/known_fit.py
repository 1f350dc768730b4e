"""Fit how likely an index finds a species to be one that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine import Taxon
from engine.known import fit_curve, nearness
from engine.vote import FEWEST_PHOTOS, Evidence, Vote, VoteSettings, vote


def fit_known(
    inside: Sequence[Evidence],
    outside: Sequence[Evidence],
    taxa: Sequence[Taxon],
    settings: VoteSettings,
) -> VoteSettings:
    """Fit the curve of nearness to what an index of ``taxa`` found for photos it does not hold.

    ``inside`` are photos of its species, ``outside`` of others.

    Raises:
        ValueError: there are fewer than ``FEWEST_PHOTOS`` of one kind.
    """
    if min(len(inside), len(outside)) < FEWEST_PHOTOS:
        raise ValueError(
            f"{len(inside)} photos of known and {len(outside)} of other species are too few: "
            f"it takes {FEWEST_PHOTOS} of each."
        )
    scores = [
        np.array([_nearness(vote(evidence, settings), taxa) for evidence in found])
        for found in (inside, outside)
    ]
    return replace(settings, nearness_curve=fit_curve(*scores))


def name_votes(said: Vote, taxa: Sequence[Taxon]) -> dict[Taxon, float]:
    """Return the probabilities of a vote by taxon, likeliest first."""
    pairs = zip(said.taxa.tolist(), said.probabilities.tolist(), strict=True)
    return {taxa[number]: probability for number, probability in pairs}


def _nearness(said: Vote, taxa: Sequence[Taxon]) -> float:
    return nearness(taxa[said.taxa[0]], float(said.distances[0]), name_votes(said, taxa))
