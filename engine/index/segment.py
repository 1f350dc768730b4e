"""One segment of an index: rows that never change once they are written.

A folder of five files: ``vectors.faiss``; ``taxa.npy``, int32, each row's position in the
list of ``taxa.json``; ``sums.npy``, float32, the sum of each of those taxa's vectors; and
``references.sqlite``, where each row's photo comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.contracts import Taxon
from engine.index.folder import REFERENCES, VECTORS
from engine.index.manifest import SegmentRecord, segment_folder
from engine.index.segment_files import COLUMNS, SegmentFiles

TaxonKey = tuple[str, int | str | None]

_ASK_AT_ONCE = 500
_READ_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference photo, a row of the index.

    ``source`` says where it was taken from (``folder``, ``gbif``), ``identity`` which photo of
    that source it is, so that it is stored once however often it is added.
    """

    taxon: Taxon
    source: str
    licence: str
    attribution: str
    url: str | None
    identity: str | None = None


def taxon_key(taxon: Taxon) -> TaxonKey:
    """Return what tells one taxon from another: the name, and the key or else the kingdom."""
    if taxon.gbif_key is not None:
        return taxon.scientific_name, taxon.gbif_key
    return taxon.scientific_name, taxon.ancestor("kingdom")


def named_like(taxon: Taxon, other: Taxon) -> Taxon:
    """Return ``taxon``, called in English what ``other`` is if it has no such name itself.

    Both are the same by ``taxon_key``, from photos taken in at two times.
    """
    if taxon.vernacular_name or not other.vernacular_name:
        return taxon
    return replace(taxon, vernacular_name=other.vernacular_name)


class Segment:
    """A segment open for search: its vectors are mapped, not read.

    ``taxa`` is its own list of taxa; ``row_taxa`` gives each row's position in it, -1 for the
    rows of a removed taxon; ``sums`` is ``(taxa, dims)``. Rows count from 0.
    """

    def __init__(self, record: SegmentRecord, files: SegmentFiles) -> None:
        self.record = record
        self.taxa = files.taxa
        self.sums: NDArray[np.float32] = files.sums
        self._files = files
        removed = np.isin(files.row_taxa, np.asarray(record.removed, np.int32))
        self.row_taxa: NDArray[np.int32] = np.where(removed, np.int32(-1), files.row_taxa)
        self._kept = ~removed
        self.live_rows = int(self._kept.sum())

    @classmethod
    def open(cls, folder: Path, record: SegmentRecord, dims: int) -> Segment:
        """Open the segment in ``folder``, whose vectors are ``dims`` wide.

        Raises:
            IndexRefused: a file is missing, cut off, or not what the manifest says.
        """
        return cls(record, SegmentFiles(folder, record, dims))

    def with_record(self, record: SegmentRecord) -> Segment:
        """Return this segment, its files still open, under a newer record of it."""
        return Segment(record, self._files)

    def touch(self) -> None:
        """Read all of it once and search it once: the first real search meets no cold page.

        Raises:
            IndexRefused: not every row has its reference, or they cannot be read, or searched.
        """
        self.check_references()
        try:
            with (self._files.folder / VECTORS).open("rb", buffering=0) as file:
                buffer = bytearray(_READ_AT_ONCE)
                while file.readinto(buffer):
                    pass
        except FileNotFoundError:
            # Compacted away since it was opened: the mapping is still good, only colder.
            return
        try:
            self.search(self.sums[:1], 1)
        except RuntimeError as error:
            raise self._files.damaged(VECTORS) from error

    def search(
        self, vectors: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return similarities and rows, ``(n, <= k)``, row -1 where there are no more.

        The rows of removed taxa are passed over: more is fetched until ``k`` others are found.
        """
        # OpenMP keeps this number for each thread apart, so every searching thread sets it.
        faiss.omp_set_num_threads(1)
        wanted = min(k, self.live_rows)
        if wanted == 0:
            empty = (len(vectors), 0)
            return np.empty(empty, np.float32), np.empty(empty, np.int64)
        rows_here = self.record.rows
        fetch = wanted if self.live_rows == rows_here else min(2 * k, rows_here)
        while True:
            similarities, rows = self._files.vectors.search(vectors, fetch)
            live = (rows >= 0) & self._kept[rows]
            enough = bool((live.sum(axis=1) >= wanted).all())
            if enough or fetch == rows_here or self.live_rows == rows_here:
                break
            fetch = min(4 * fetch, rows_here)
        order = np.argsort(~live, axis=1, kind="stable")[:, :wanted]
        rows = np.where(live, rows, -1)
        return (
            np.take_along_axis(similarities, order, axis=1),
            np.take_along_axis(rows, order, axis=1),
        )

    def references(self, rows: Sequence[int]) -> list[Reference]:
        """Return where each of the ``rows`` comes from."""
        found = {}
        for start in range(0, len(rows), _ASK_AT_ONCE):
            part = [int(row) for row in rows[start : start + _ASK_AT_ONCE]]
            marks = ",".join("?" * len(part))
            query = f"SELECT row, {COLUMNS} FROM photo WHERE row IN ({marks})"  # noqa: S608
            found.update({row: rest for row, *rest in self._files.ask(query, part)})
        return [self._reference(int(row), *found[int(row)]) for row in rows]

    def live_references(self) -> Iterator[tuple[Reference, int]]:
        """Return reference and digest of every row that is not removed, in the rows' order."""
        query = f"SELECT digest, row, {COLUMNS} FROM photo ORDER BY row"  # noqa: S608
        for digest, row, *rest in self._files.ask(query):
            if self._kept[row]:
                yield self._reference(row, *rest), digest

    def live_vectors(self) -> Iterator[NDArray[np.float32]]:
        """Return the vectors of every row that is not removed, in blocks.

        Raises:
            RuntimeError: this kind of FAISS index keeps no vectors.
        """
        block = 65_536
        for start in range(0, self.record.rows, block):
            count = min(block, self.record.rows - start)
            yield self._files.vectors.reconstruct_n(start, count)[self._kept[start : start + count]]

    def stored_identities(self, identities: Iterable[str]) -> set[str]:
        """Return those of ``identities`` that a photo here has that is not removed."""
        return {value for value in self._stored("identity", identities) if isinstance(value, str)}

    def stored_reference(self, identity: str) -> Reference | None:
        """Return where the photo of this ``identity`` comes from, if it is here, not removed."""
        query = f"SELECT row, {COLUMNS} FROM photo WHERE identity = ?"  # noqa: S608
        for row, *rest in self._files.ask(query, [identity]):
            if self._kept[row]:
                return self._reference(row, *rest)
        return None

    def stored_digests(self, digests: Iterable[int]) -> set[int]:
        """Return those of ``digests`` that a photo here has that is not removed."""
        return {value for value in self._stored("digest", digests) if isinstance(value, int)}

    def check_references(self) -> None:
        """Read where each row comes from.

        Raises:
            IndexRefused: not every row has its reference, or they cannot be read.
        """
        # The last column too, which takes all there is.
        query = "SELECT count(*), max(row), max(length(url)) FROM photo"
        ((count, last, _),) = self._files.ask(query)
        if (count, last) != (self.record.rows, self.record.rows - 1):
            raise self._files.damaged(REFERENCES)

    def _stored(self, column: str, values: Iterable[str | int]) -> Iterator[str | int]:
        sought = list(values)
        for start in range(0, len(sought), _ASK_AT_ONCE):
            part = sought[start : start + _ASK_AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT {column}, row FROM photo WHERE {column} IN ({marks})"  # noqa: S608
            yield from (value for value, row in self._files.ask(query, part) if self._kept[row])

    def _reference(
        self, row: int, source: str, licence: str, attribution: str, url: str, identity: str
    ) -> Reference:
        return Reference(
            taxon=self.taxa[self._files.row_taxa[row]],
            source=source,
            licence=licence,
            attribution=attribution,
            url=url,
            identity=identity,
        )


def open_each(folder: Path, records: Iterable[SegmentRecord], dims: int) -> Iterator[Segment]:
    """Open segments of the index in ``folder`` as they are asked for.

    Who goes through them one at a time has no more than two open, however large the index.

    Raises:
        IndexRefused: a file is missing, cut off, or not what the manifest says.
    """
    for record in records:
        yield Segment.open(segment_folder(folder, record), record, dims)
