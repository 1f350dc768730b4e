"""From probabilities of species to the deepest taxon that the evidence is sure of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.contracts import Taxon, Verdict

CERTAINTY = 0.85
"""How probable a verdict is at least, where nobody asks for another (docs/models.md)."""

SHARE_OF_PARENT = 0.5


def roll_up(
    species: Iterable[tuple[Taxon, float]],
    ancestor: Callable[[Taxon, str], Taxon | None],
    *,
    certainty: float = CERTAINTY,
) -> Verdict | None:
    """Sum probabilities up the lineages and return the deepest taxon that is sure enough.

    A taxon qualifies when the species below it sum to at least ``certainty`` and to at
    least half of what its parent's sum to, as in Seek and iNaturalist's vision server. Returns
    None where not even a kingdom does.

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
    deepest = _descend(sums, certainty)
    if not deepest:
        return None
    member, rank = lowest[deepest]
    itself = member.rank == rank and member.scientific_name == deepest[-1]
    sure_of = member if itself else ancestor(member, rank)
    if sure_of is None:
        return None
    return Verdict(taxon=sure_of, probability=min(1.0, sums[deepest]))


def _descend(sums: dict[tuple[str, ...], float], certainty: float) -> tuple[str, ...]:
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in sums:
        children.setdefault(path[:-1], []).append(path)
    here: tuple[str, ...] = ()
    while below := children.get(here):
        best = max(below, key=sums.__getitem__)
        if sums[best] < max(certainty, SHARE_OF_PARENT * sums.get(here, 0.0)):
            break
        here = best
    return here
