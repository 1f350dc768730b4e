"""The species of an index by the names that the taxon table has for them now.

An index keeps a taxon as it was when its photos were added. The table changes: keys are resolved,
names corrected. A network takes its labels from the table, so an index that went by its own would
have the same species twice beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Group, Taxon
from engine.taxonomy.groups import group_of
from engine.taxonomy.taxa import TaxonTable, same


@dataclass(frozen=True, kw_only=True)
class IndexSpecies:
    """The ``taxa`` of one generation of an index, in its order, called as the table does.

    Two of the index's may be one of them. What else is known of them is worked out once: 10,000
    lineages take longer than a vote.
    """

    taxa: tuple[Taxon, ...]

    @classmethod
    def of(cls, taxa: Sequence[Taxon], table: TaxonTable) -> IndexSpecies:
        """Look up an index's own taxa.

        Of those that the table lacks, one of which more was said with later photos, its key or
        where it belongs, is called by that with all.
        """
        named = [table.entry_of(taxon) or taxon for taxon in taxa]
        namesakes: dict[str, list[Taxon]] = {}
        for taxon in named:
            namesakes.setdefault(taxon.scientific_name, []).append(taxon)
        return cls(taxa=tuple(_best_known(taxon, namesakes) for taxon in named))

    @cached_property
    def held(self) -> frozenset[Taxon]:
        """Each of them once."""
        return frozenset(self.taxa)

    @cached_property
    def held_of_group(self) -> Mapping[Group, int]:
        """How many of ``held`` are of each group."""
        return Counter(map(group_of, self.held))

    @cached_property
    def _groups(self) -> NDArray[np.str_]:
        return np.array([group_of(taxon).value for taxon in self.taxa], str)

    def of_group(self, group: Group) -> NDArray[np.bool_] | None:
        """Mark those of ``group``, ``(taxa,)``; None is for all, which auto and generic ask for."""
        if group in (Group.AUTO, Group.GENERIC):
            return None
        return np.asarray(self._groups == group.value, bool)


def _best_known(taxon: Taxon, namesakes: Mapping[str, Sequence[Taxon]]) -> Taxon:
    """Return the one of its namesakes that most is known of, if all may be the same species."""
    ours = namesakes[taxon.scientific_name]
    if len(ours) == 1 or not all(same(one, other) for one, other in combinations(ours, 2)):
        return taxon
    return max(ours, key=_known_of)


def _known_of(taxon: Taxon) -> tuple[bool, int, bool]:
    return taxon.gbif_key is not None, len(taxon.lineage), taxon.vernacular_name is not None
