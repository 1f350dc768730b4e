"""Where a photo was taken, as evidence of what it shows.

A network knows what a species looks like, not where it lives. How often GBIF has a species
recorded in a country or continent says how likely it is to occur there at all, and that is
all that is taken from the counts: they are not abundances, since people photograph what is
rare and pass by what is common. So the weight of a count rises from a floor and levels off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.contracts import Identification, Taxon
from engine.rollup import CERTAINTY, roll_up

NEVER_RECORDED = 0.05
"""The weight of a species without a record. Not nothing: animals stray and escape, counts have
gaps, and the photo may be from elsewhere (docs/decisions.md)."""

HALF_RECORDED = 10.0
"""With about this many records a species has half of the full weight."""


def weight(records: int) -> float:
    """Return how much ``records`` occurrences in a place speak for a species, up to 1.

    >>> [round(weight(n), 2) for n in (0, 1, 10, 100, 10_000)]
    [0.05, 0.14, 0.53, 0.91, 1.0]
    """
    return (records + NEVER_RECORDED * HALF_RECORDED) / (records + HALF_RECORDED)


def weigh(probabilities: Mapping[Taxon, float], records: Mapping[Taxon, int]) -> dict[Taxon, float]:
    """Weigh the probabilities of taxa by their records in a place.

    Nothing is removed and the sum stays. Taxa that ``records`` says nothing of keep their
    probability; the others share, anew, what they had together.
    """
    weighed = {t: p * weight(records[t]) for t, p in probabilities.items() if t in records}
    shared = sum(p for taxon, p in probabilities.items() if taxon in records)
    total = sum(weighed.values())
    if total == 0:
        return dict(probabilities)
    return {
        taxon: weighed[taxon] * shared / total if taxon in weighed else p
        for taxon, p in probabilities.items()
    }


def weigh_identification(
    identification: Identification,
    records: Mapping[Taxon, int],
    ancestor: Callable[[Taxon, str], Taxon | None],
    *,
    certainty: float = CERTAINTY,
) -> Identification:
    """Take the records of a place into account: candidates, their order, and the verdict.

    The verdict is rolled up from the candidates alone, so ask the engine for many.
    ``ancestor(taxon, rank)`` turns a step of a lineage into a Taxon.
    """
    weighed = weigh(identification.if_known, records)
    candidates = [
        replace(candidate, probability=weighed[candidate.taxon] * identification.trust)
        for candidate in identification.candidates
    ]
    candidates.sort(key=lambda candidate: -candidate.probability)
    verdict = roll_up(weighed.items(), ancestor, certainty=certainty, trust=identification.trust)
    return replace(
        identification,
        candidates=tuple(candidates),
        verdict=verdict if identification.known else None,
    )
