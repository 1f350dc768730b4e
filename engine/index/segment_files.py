"""The files of a segment, opened and checked: that they are whole, and fit each other."""

from __future__ import annotations

import json
import sqlite3
import tokenize
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from engine.contracts import Taxon
from engine.index.folder import REFERENCES, ROW_TAXA, SEGMENT_FILES, SUMS, TAXA, VECTORS
from engine.index.manifest import IndexRefused, SegmentRecord, check_size

COLUMNS = "source, licence, attribution, url, identity"
"""What ``references.sqlite`` says of each photo."""

_TAXA = TypeAdapter(tuple[Taxon, ...])
_NO_ARRAY = (OSError, ValueError, EOFError, MemoryError, SyntaxError, tokenize.TokenError)
_NO_DATABASE = (sqlite3.Error, UnicodeDecodeError)  # the latter of what SQLite says of damage


class SegmentFiles:
    """A segment's files, open until the last segment that shares them goes.

    ``vectors`` are mapped; ``taxa``, ``row_taxa`` and ``sums`` are as ``Segment`` has them, but for
    what was removed.
    """

    def __init__(self, folder: Path, record: SegmentRecord, dims: int) -> None:
        """Open the files in ``folder`` of a segment whose vectors are ``dims`` wide.

        Raises:
            IndexRefused: one is missing, cut off, or not what ``record`` says.
        """
        self.folder = folder
        for name in SEGMENT_FILES:
            check_size(folder / name, record.files[name])
        self.vectors = _open_vectors(folder / VECTORS, record, dims)
        self.taxa = _read_taxa(folder / TAXA, record)
        self.row_taxa = _read_array(folder / ROW_TAXA, np.dtype(np.int32), (record.rows,))
        if not 0 <= self.row_taxa.min() <= self.row_taxa.max() < record.taxa:
            raise _damaged(folder / ROW_TAXA)
        self.sums = _read_array(folder / SUMS, np.dtype(np.float32), (record.taxa, dims))
        if not np.isfinite(self.sums).all():
            raise _damaged(folder / SUMS)
        self._references = _open_references(folder / REFERENCES)
        # An explicit close: Python 3.13 complains of connections that are only forgotten.
        weakref.finalize(self, self._references.close)

    def ask(self, query: str, values: Sequence[str | int] = ()) -> Iterator[Any]:
        """Return the rows of ``references.sqlite`` that answer ``query``.

        Raises:
            IndexRefused: they cannot be read.
        """
        try:
            yield from self._references.execute(query, values)
        except _NO_DATABASE as error:
            raise self.damaged(REFERENCES) from error

    def damaged(self, name: str) -> IndexRefused:
        """Say that the file of this ``name`` is not what was written."""
        return _damaged(self.folder / name)


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
    except _NO_ARRAY as error:
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
            connection.execute(f"SELECT row, {COLUMNS}, digest FROM photo LIMIT 1").fetchone()  # noqa: S608
        except _NO_DATABASE:
            connection.close()
            raise
    except _NO_DATABASE as error:
        raise _damaged(path) from error
    return connection


def _damaged(path: Path) -> IndexRefused:
    return IndexRefused(
        f"{path} is damaged or another file: restore the index from a copy, or build it again."
    )
