"""From probabilities of species to the deepest taxon that the evidence is sure of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeAlias

from engine.contracts import SPECIES_RANKS, Taxon, Verdict

_Members: TypeAlias = list[tuple[Taxon, float]]

CERTAINTY = 0.85
"""How probable a verdict is at least, where nobody asks for another (docs/models.md)."""

SHARE_OF_PARENT = 0.5


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
    None where not even a kingdom does. The probabilities of ``species`` are of photos that show
    a known one, and ``trust`` is how likely this photo does: one of another has its look-alike's
    genus more often than its name, so only species are multiplied by it.

    ``ancestor(taxon, rank)`` turns a step of a lineage into a Taxon.
    """
    here: _Members = list(species)
    sure: tuple[Taxon, int, float] | None = None
    of_parent = 0.0
    for depth in count():
        here, total = _likeliest_child(here, depth)
        if not here:
            break
        member = here[0][0]
        if _rank(member, depth) in SPECIES_RANKS:
            total *= trust
        if total < max(certainty, SHARE_OF_PARENT * of_parent):
            break
        sure, of_parent = (member, depth, total), total
    if sure is None:
        return None
    member, depth, total = sure
    itself = depth == len(member.lineage)
    taxon = member if itself else ancestor(member, _rank(member, depth))
    return None if taxon is None else Verdict(taxon=taxon, probability=min(1.0, total))


def _likeliest_child(members: _Members, depth: int) -> tuple[_Members, float]:
    """Return those of one taxon ``depth`` steps down that sum to the most, and what they do."""
    children: dict[str, _Members] = {}
    sums: dict[str, float] = {}
    for member in members:
        taxon, probability = member
        lineage = taxon.lineage
        if depth < len(lineage):
            name = lineage[depth].name
        elif depth == len(lineage):
            name = taxon.scientific_name
        else:
            continue  # it is a parent of the others
        if name in children:
            children[name].append(member)
            sums[name] += probability
        else:
            children[name] = [member]
            sums[name] = probability
    if not sums:
        return [], 0.0
    best = max(sums, key=sums.__getitem__)
    return children[best], sums[best]


def _rank(member: Taxon, depth: int) -> str:
    return member.lineage[depth].rank if depth < len(member.lineage) else member.rank
