"""The species of an index by the names that the taxon table has for them now.

An index keeps a taxon as it was when its photos were added. The table changes: keys are resolved,
names corrected. A network takes its labels from the table, so an index that went by its own would
have the same species twice beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Group, Taxon
from engine.groups import group_of
from engine.taxa import TaxonTable


@dataclass(frozen=True, kw_only=True)
class IndexSpecies:
    """The ``taxa`` of one generation of an index, in its order, called as the table does.

    Two of the index's may be one of them. What else is known of them is worked out once: 10,000
    lineages take longer than a vote.
    """

    taxa: tuple[Taxon, ...]

    @classmethod
    def of(cls, taxa: Sequence[Taxon], table: TaxonTable) -> IndexSpecies:
        """Look up an index's own taxa; those that the table lacks stay as they are."""
        return cls(taxa=tuple(table.own(taxon) for taxon in taxa))

    @cached_property
    def held(self) -> frozenset[Taxon]:
        """Each of them once."""
        return frozenset(self.taxa)

    @cached_property
    def _groups(self) -> NDArray[np.str_]:
        return np.array([group_of(taxon).value for taxon in self.taxa], str)

    def of_group(self, group: Group) -> NDArray[np.bool_] | None:
        """Mark those of ``group``, ``(taxa,)``; None is for all, which auto and generic ask for."""
        if group in (Group.AUTO, Group.GENERIC):
            return None
        return np.asarray(self._groups == group.value, bool)
