"""The rows of the taxon table: a tree, of which each taxon is made when it is first asked for.

A worker names some thousand of its seventeen thousand taxa, and making them all would take longer
than to open a network. That every row is well formed is checked at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from engine.contracts import Ancestor, Taxon

CLASSIFIER_SETS = ("birds", "insects", "plants")
LABEL_SETS = (*CLASSIFIER_SETS, "inat2021")
COLUMNS = (
    "parent",
    "rank",
    "scientific_name",
    "vernacular_name",
    "other_names",
    "gbif_key",
    "col_key",
    "inat_taxon_id",
    *LABEL_SETS,
)
"""Columns of the file. ``parent`` is the row number, from 0, of the next higher taxon,
which always stands above; ``other_names`` are further English names, split by ``|``."""

_NUMBERS = frozenset({"parent", "gbif_key", "inat_taxon_id", *LABEL_SETS})
_NAMES = frozenset({"rank", "scientific_name"})
_ROW = re.compile(
    "\t".join(
        r"\d*" if column in _NUMBERS else "[^\t]+" if column in _NAMES else "[^\t]*"
        for column in COLUMNS
    )
)


class TaxonRows:
    """The taxa of the table, by row.

    Args:
        lines: The rows of the file.
        widths: How many labels each label set has.

    Raises:
        ValueError: A row is malformed, or stands above its parent.
    """

    def __init__(self, lines: Sequence[str], widths: Mapping[str, int]) -> None:
        if not all(map(_ROW.fullmatch, lines)):
            raise ValueError("a row is malformed")
        self._lines = lines
        self._widths = {label_set: widths[label_set] for label_set in LABEL_SETS}
        self._parents = [line.partition("\t")[0] for line in lines]
        if any(int(parent) >= row for row, parent in enumerate(self._parents) if parent):
            raise ValueError("a row stands above its parent")
        self._made: dict[int, Taxon] = {}
        self._paths: dict[str, tuple[Ancestor, ...]] = {"": ()}

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Taxon]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> Taxon:
        taxon = self._made.get(row)
        # Two threads may make one taxon at a time; all get the first.
        return taxon or self._made.setdefault(row, self._make(row))

    def labels(self, label_set: str) -> tuple[Taxon | None, ...]:
        """Return the taxon of each label.

        Raises:
            IndexError: The file has more labels than it says.
        """
        rows = self.labelled(label_set)
        return tuple(None if row is None else self[row] for row in rows)

    def labelled(self, label_set: str) -> list[int | None]:
        """Return the row of each label.

        Raises:
            IndexError: The file has more labels than it says.
        """
        place = LABEL_SETS.index(label_set) - len(LABEL_SETS)
        found: list[int | None] = [None] * self._widths[label_set]
        for row, line in enumerate(self._lines):
            if label := line.rsplit("\t", len(LABEL_SETS))[place]:
                found[int(label)] = row
        return found

    def ranked(self, ranks: Collection[str]) -> frozenset[int]:
        """Return the rows of the taxa at one of ``ranks``."""
        return frozenset(
            row for row, line in enumerate(self._lines) if line.split("\t", 2)[1] in ranks
        )

    def other_names(self, row: int) -> tuple[str, ...]:
        """Return the further English names of a taxon."""
        names = self._lines[row].split("\t", 5)[4]
        return tuple(names.split("|")) if names else ()

    def inat_taxon_id(self, row: int) -> int | None:
        """Return iNaturalist's id of a taxon."""
        number = self._lines[row].split("\t", 8)[7]
        return int(number) if number else None

    def at(self, path: Sequence[Ancestor]) -> Taxon | None:
        """Return the higher taxon at the end of ``path``, which begins at a kingdom."""
        row = ""
        for step in path:
            row = self._children.get((row, step.rank, step.name), "")
            if not row:
                return None
        return self[int(row)] if row else None

    def called(self, scientific_name: str) -> tuple[Taxon, ...]:
        """Return the taxa of exactly this scientific name."""
        return tuple(self[row] for row in self._called.get(scientific_name, ()))

    @cached_property
    def _called(self) -> dict[str, list[int]]:
        """The rows of each scientific name."""
        rows: dict[str, list[int]] = {}
        for row, line in enumerate(self._lines):
            rows.setdefault(line.split("\t", 3)[2], []).append(row)
        return rows

    @cached_property
    def _children(self) -> dict[tuple[str, str, str], str]:
        """The row of each higher taxon by its parent's, its rank and its name."""
        children = {}
        for row in {parent for parent in self._parents if parent}:
            parent, rank, name, _ = self._lines[int(row)].split("\t", 3)
            children[parent, rank, name] = row
        return children

    def _make(self, row: int) -> Taxon:
        parent, rank, name, vernacular, _, gbif_key, col_key, _ = self._lines[row].split("\t", 7)
        return Taxon(
            scientific_name=name,
            rank=rank,
            lineage=self._path(parent),
            vernacular_name=vernacular or None,
            gbif_key=int(gbif_key) if gbif_key else None,
            col_key=col_key or None,
        )

    def _path(self, row: str) -> tuple[Ancestor, ...]:
        """Return the lineage of what stands below ``row``; the rows of one parent share it."""
        path = self._paths.get(row)
        if path is None:
            parent, rank, name, _ = self._lines[int(row)].split("\t", 3)
            path = self._paths.setdefault(row, (*self._path(parent), Ancestor(rank, name)))
        return path
