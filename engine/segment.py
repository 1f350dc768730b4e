"""One segment of an index: rows that never change once they are written.

A folder of five files: ``vectors.faiss``; ``taxa.npy``, int32, each row's position in the
list of ``taxa.json``; ``sums.npy``, float32, the sum of each of those taxa's vectors; and
``references.sqlite``, where each row's photo comes from.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from engine.contracts import Taxon
from engine.index_folder import REFERENCES, ROW_TAXA, SEGMENT_FILES, SUMS, TAXA, VECTORS
from engine.index_manifest import IndexRefused, SegmentRecord, check_size, segment_folder

TaxonKey = tuple[str, int | str | None]

_TAXA = TypeAdapter(tuple[Taxon, ...])
_ASK_AT_ONCE = 500
_READ_AT_ONCE = 1 << 22
_COLUMNS = "source, licence, attribution, url, identity"


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


class _OpenFiles:
    """A segment's files, open until the last segment that shares them goes."""

    def __init__(self, folder: Path, record: SegmentRecord, dims: int) -> None:
        for name in SEGMENT_FILES:
            check_size(folder / name, record.files[name])
        self.vectors = _open_vectors(folder / VECTORS, record, dims)
        self.taxa = _read_taxa(folder / TAXA, record)
        self.row_taxa = _read_array(folder / ROW_TAXA, np.dtype(np.int32), (record.rows,))
        if not 0 <= self.row_taxa.min() <= self.row_taxa.max() < record.taxa:
            raise _damaged(folder / ROW_TAXA)
        self.sums = _read_array(folder / SUMS, np.dtype(np.float32), (record.taxa, dims))
        self.references = _open_references(folder / REFERENCES)
        # An explicit close: Python 3.13 complains of connections that are only forgotten.
        weakref.finalize(self, self.references.close)


class Segment:
    """A segment open for search: its vectors are mapped, not read.

    ``taxa`` is its own list of taxa; ``row_taxa`` gives each row's position in it, -1 for the
    rows of a removed taxon; ``sums`` is ``(taxa, dims)``. Rows count from 0.
    """

    def __init__(self, record: SegmentRecord, files: _OpenFiles) -> None:
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
        return cls(record, _OpenFiles(folder, record, dims))

    def with_record(self, record: SegmentRecord) -> Segment:
        """Return this segment, its files still open, under a newer record of it."""
        return Segment(record, self._files)

    def touch(self, folder: Path) -> None:
        """Read the vectors once and search them once: the first real search meets no cold page."""
        try:
            with (folder / VECTORS).open("rb", buffering=0) as file:
                buffer = bytearray(_READ_AT_ONCE)
                while file.readinto(buffer):
                    pass
        except FileNotFoundError:
            # Compacted away since it was opened: the mapping is still good, only colder.
            return
        self.search(self.sums[:1], 1)

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
            query = f"SELECT row, {_COLUMNS} FROM photo WHERE row IN ({marks})"  # noqa: S608
            found.update({row: rest for row, *rest in self._ask(query, part)})
        return [self._reference(int(row), *found[int(row)]) for row in rows]

    def live_references(self) -> Iterator[tuple[Reference, int]]:
        """Return reference and digest of every row that is not removed, in the rows' order."""
        query = f"SELECT digest, row, {_COLUMNS} FROM photo ORDER BY row"  # noqa: S608
        for digest, row, *rest in self._ask(query):
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
        query = f"SELECT row, {_COLUMNS} FROM photo WHERE identity = ?"  # noqa: S608
        for row, *rest in self._ask(query, [identity]):
            if self._kept[row]:
                return self._reference(row, *rest)
        return None

    def stored_digests(self, digests: Iterable[int]) -> set[int]:
        """Return those of ``digests`` that a photo here has that is not removed."""
        return {value for value in self._stored("digest", digests) if isinstance(value, int)}

    def check_references(self) -> None:
        """Check that every row has its reference.

        Raises:
            IndexRefused: it has not.
        """
        ((count, last),) = self._ask("SELECT count(*), max(row) FROM photo")
        if count != self.record.rows or last != self.record.rows - 1:
            raise IndexRefused(
                f"Segment {self.record.id} names the sources of {count:,} photos, not of its "
                f"{self.record.rows:,}: restore the index from a copy, or build it again."
            )

    def _stored(self, column: str, values: Iterable[str | int]) -> Iterator[str | int]:
        sought = list(values)
        for start in range(0, len(sought), _ASK_AT_ONCE):
            part = sought[start : start + _ASK_AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT {column}, row FROM photo WHERE {column} IN ({marks})"  # noqa: S608
            yield from (value for value, row in self._ask(query, part) if self._kept[row])

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

    def _ask(self, query: str, values: Sequence[str | int] = ()) -> sqlite3.Cursor:
        return self._files.references.execute(query, values)


def _open_vectors(path: Path, record: SegmentRecord, dims: int) -> faiss.Index:
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise _damaged(path) from error
    told = (index.ntotal, index.d, index.metric_type)
    if told != (record.rows, dims, faiss.METRIC_INNER_PRODUCT):
        raise _damaged(path)
    return index


def _read_taxa(path: Path, record: SegmentRecord) -> tuple[Taxon, ...]:
    try:
        taxa = _TAXA.validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if len(taxa) != record.taxa or any(removed >= record.taxa for removed in record.removed):
        raise _damaged(path)
    return taxa


def _read_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise _damaged(path) from error
    if array.dtype != dtype or array.shape != shape:
        raise _damaged(path)
    return array


def _open_references(path: Path) -> sqlite3.Connection:
    try:
        # A question now: SQLite opens the file only then, and a compaction may unlink it.
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            connection.execute(f"SELECT row, {_COLUMNS}, digest FROM photo LIMIT 1").fetchone()  # noqa: S608
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _damaged(path) from error
    return connection


def open_each(folder: Path, records: Iterable[SegmentRecord], dims: int) -> Iterator[Segment]:
    """Open segments of the index in ``folder`` as they are asked for.

    Who goes through them one at a time has no more than two open, however large the index.

    Raises:
        IndexRefused: a file is missing, cut off, or not what the manifest says.
    """
    for record in records:
        yield Segment.open(segment_folder(folder, record), record, dims)


def _damaged(path: Path) -> IndexRefused:
    return IndexRefused(
        f"{path} is damaged or another file: restore the index from a copy, or build it again."
    )
