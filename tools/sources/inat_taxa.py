"""Which of iNaturalist's taxa are meant by a list of species."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine import Taxon
from engine.taxonomy.taxa import fold

_SPECIES_LEVEL = 10.0


class TaxonMatcher:
    """Finds, in one reading of iNaturalist's taxa, those that are meant by a list of species.

    A species is found by its id; where iNaturalist has given that id up, or none is known,
    by its name, if one active taxon alone bears it. What stands below a species, such as
    its subspecies, counts as that species unless it is in the list itself.
    """

    def __init__(self, species: Sequence[Taxon], numbers: Sequence[int | None]) -> None:
        self._names = [fold(taxon.scientific_name) for taxon in species]
        self._species = species
        self._numbers = numbers
        self._known = frozenset(numbers)
        self._genera = {name.partition(" ")[0] for name in self._names}
        self._active: dict[int, bool] = {}
        self._named: dict[str, list[int]] = {name: [] for name in self._names}
        self._below: list[tuple[int, list[int]]] = []

    def see(self, taxon_id: int, ancestry: str, level: str, name: str, active: str) -> None:
        """Take note of a row of the table."""
        is_active = active[:1].lower() == "t"
        if taxon_id in self._known:
            self._active[taxon_id] = is_active
        folded = fold(name)
        if is_active and folded in self._named:
            self._named[folded].append(taxon_id)
        if folded.partition(" ")[0] in self._genera and _is_below_species(level):
            ancestors = [int(part) for part in re.split(r"[/\\]", ancestry) if part.isdigit()]
            self._below.append((taxon_id, ancestors))

    def wanted(self) -> tuple[dict[int, int], list[str]]:
        """Return which taxon ids stand for which species, by index, and the species missing."""
        wanted: dict[int, int] = {}
        missing = []
        for index, (number, name) in enumerate(zip(self._numbers, self._names, strict=True)):
            namesakes = self._named[name] if len(self._named[name]) == 1 else []
            found = [] if number is None or number not in self._active else [number]
            if not (found and self._active[found[0]]):
                found += namesakes
            for taxon_id in found:
                wanted.setdefault(taxon_id, index)
            if not found:
                missing.append(self._species[index].scientific_name)
        for taxon_id, ancestors in self._below:
            above = next((a for a in reversed(ancestors) if a in wanted), None)
            if above is not None:
                wanted.setdefault(taxon_id, wanted[above])
        return wanted, missing


def _is_below_species(rank_level: str) -> bool:
    try:
        return float(rank_level) < _SPECIES_LEVEL
    except ValueError:
        return False
