"""From probabilities of species to the deepest taxon that the evidence is sure of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.contracts import SPECIES_RANKS, Taxon, Verdict

CERTAINTY = 0.85
"""How probable a verdict is at least, where nobody asks for another (docs/models.md)."""

SHARE_OF_PARENT = 0.5
ALLOWANCE = 0.62
"""How much of the certainty a species must keep after it was multiplied by the trust in it. Less
than 1, because trust is fitted as if every second photo were of an unknown species. Chosen on
``train`` (docs/models.md)."""


def roll_up(
    species: Iterable[tuple[Taxon, float]],
    ancestor: Callable[[Taxon, str], Taxon | None],
    *,
    certainty: float = CERTAINTY,
    trust: float = 1.0,
) -> Verdict | None:
    """Sum probabilities up the lineages and return the deepest taxon that is sure enough.

    A taxon qualifies when the species below it sum to at least ``certainty`` and to at
    least half of what its parent's sum to, as in Seek and iNaturalist's vision server. Returns
    None where not even a kingdom does. ``trust`` is how likely the species is one that is known
    at all: one that is not has its look-alike's genus more often than its name, so only species
    are held to it.

    ``ancestor(taxon, rank)`` turns a step of a lineage into a Taxon.
    """
    sums: dict[tuple[str, ...], float] = {}
    lowest: dict[tuple[str, ...], tuple[Taxon, str]] = {}
    for taxon, probability in species:
        path: tuple[str, ...] = ()
        steps = [(a.rank, a.name) for a in taxon.lineage] + [(taxon.rank, taxon.scientific_name)]
        for rank, name in steps:
            path = (*path, name)
            sums[path] = sums.get(path, 0.0) + probability
            lowest.setdefault(path, (taxon, rank))
    doubtful = {
        path
        for path, (_, rank) in lowest.items()
        if rank in SPECIES_RANKS and sums[path] * trust < ALLOWANCE * certainty
    }
    deepest = _descend(sums, doubtful, certainty)
    if not deepest:
        return None
    member, rank = lowest[deepest]
    itself = member.rank == rank and member.scientific_name == deepest[-1]
    sure_of = member if itself else ancestor(member, rank)
    if sure_of is None:
        return None
    return Verdict(taxon=sure_of, probability=min(1.0, sums[deepest]))


def _descend(
    sums: dict[tuple[str, ...], float], doubtful: set[tuple[str, ...]], certainty: float
) -> tuple[str, ...]:
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in sums:
        children.setdefault(path[:-1], []).append(path)
    here: tuple[str, ...] = ()
    while below := children.get(here):
        best = max(below, key=sums.__getitem__)
        least = max(certainty, SHARE_OF_PARENT * sums.get(here, 0.0))
        if sums[best] < least or best in doubtful:
            break
        here = best
    return here
