"""Which of Fieldmark's groups a taxon belongs to, by its lineage."""

from __future__ import annotations

from engine.contracts import Group, Taxon

_ROOTS = {
    ("class", "Aves"): Group.BIRD,
    ("class", "Insecta"): Group.INSECT,
    ("kingdom", "Plantae"): Group.PLANT,
}


def group_of(taxon: Taxon) -> Group:
    """Return bird, insect or plant, or generic for everything else."""
    for ancestor in taxon.lineage:
        group = _ROOTS.get((ancestor.rank, ancestor.name))
        if group is not None:
            return group
    return Group.GENERIC
