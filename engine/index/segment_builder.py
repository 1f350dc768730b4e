"""Writing a segment: which FAISS index suits it, and its files on the disk."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.contracts import OperatorError, Taxon
from engine.index.folder import REFERENCES, ROW_TAXA, SEGMENT_FILES, SUMS, TAXA, VECTORS
from engine.index.manifest import FileRecord, IndexRefused, record_file, sync_file, sync_folder
from engine.index.segment import Reference, TaxonKey, named_like, taxon_key

AUTO = "auto"
EXACT_UP_TO = 200_000
COMPRESSED_UP_TO = 2_000_000
TRAINABLE_FROM = 10_000

_SMALL = "SQfp16"
_BLOCK = 65_536
_TRAINING_ROWS = 400_000
_SEED = 2026
_SEARCH_PARAMETERS = {"k_factor_rf": 10, "nprobe": 256}


class IndexWriteFailed(OperatorError):
    """A change to an index did not happen; the index is as it was."""

    public = (
        "My index could not be changed and is as it was: whoever runs me finds the reason in my "
        "log."
    )


def choose_factory(rows: int, dims: int) -> str:
    """Return FAISS's factory string for a segment of ``rows`` vectors.

    Measured at 128 dimensions (``fieldmark bench index``): 16-bit floats are exact to three
    digits and need no training; above some 200,000 rows 4-bit codes, refined on 16-bit
    floats, find the same ten neighbours several times as fast; above some two million those
    in 8,192 cells. The codes are of pairs of dimensions, so an odd width has none.
    """
    if rows <= EXACT_UP_TO or dims % 2:
        return _SMALL
    codes = f"PQ{dims // 2}x4fs,Refine(SQfp16)"
    return f"RR{dims},{codes}" if rows <= COMPRESSED_UP_TO else f"RR{dims},IVF8192,{codes}"


def check_factory(factory: str, dims: int) -> None:
    """Check that FAISS can make an index of ``factory``, which may be ``auto``.

    Raises:
        IndexRefused: it cannot.
    """
    if factory != AUTO:
        _make(factory, dims)


def digests(vectors: NDArray[np.float32], taxa: Iterable[Taxon]) -> NDArray[np.int64]:
    """Return a 64-bit hash of each vector, as 16-bit floats, with its taxon."""
    return np.fromiter(
        (
            int.from_bytes(
                hashlib.blake2b(
                    vector.astype(np.float16).tobytes() + repr(taxon_key(taxon)).encode(),
                    digest_size=8,
                ).digest(),
                "big",
                signed=True,
            )
            for vector, taxon in zip(vectors, taxa, strict=True)
        ),
        np.int64,
        len(vectors),
    )


def write_segment(
    folder: Path,
    vectors: NDArray[np.float32],
    references: Iterable[tuple[Reference, int]],
    factory: str,
    *,
    threads: int,
) -> tuple[str, int, dict[str, FileRecord]]:
    """Write a segment's files into the new ``folder`` and wait until they are on the disk.

    ``vectors`` is ``(n, dims)`` of unit length, one row for each of the ``references``, which
    come with their ``digests``.
    Returns the factory that was used, the number of taxa, and what was written.

    Raises:
        IndexRefused: FAISS cannot make or train an index of ``factory`` from these vectors.
        IndexWriteFailed: the disk is full or cannot be written.
    """
    rows, dims = vectors.shape
    if factory == AUTO:
        factory = choose_factory(rows, dims)
    faiss.omp_set_num_threads(threads)
    try:
        factory, index = _build(factory, vectors)
    finally:
        faiss.omp_set_num_threads(1)
    try:
        folder.mkdir(parents=True)
        faiss.write_index(index, str(folder / VECTORS))
        taxa, row_taxa = _write_references(folder, rows, references)
        np.save(folder / SUMS, _sums(vectors, row_taxa, taxa), allow_pickle=False)
        files = {}
        for name in SEGMENT_FILES:
            sync_file(folder / name)
            files[name] = record_file(folder / name)
        sync_folder(folder)
        sync_folder(folder.parent)
    except (OSError, RuntimeError, sqlite3.Error) as error:
        raise IndexWriteFailed(
            f"The new segment could not be written to {folder.parent} ({error}): "
            "the index is as it was; make room on that disk and try again."
        ) from error
    return factory, taxa, files


def _build(factory: str, vectors: NDArray[np.float32]) -> tuple[str, faiss.Index]:
    rows, dims = vectors.shape
    index = _make(factory, dims)
    if not index.is_trained and rows < TRAINABLE_FROM:
        factory, index = _SMALL, _make(_SMALL, dims)
    try:
        if not index.is_trained:
            index.train(_sample(vectors))
        for start in range(0, rows, _BLOCK):
            index.add(np.ascontiguousarray(vectors[start : start + _BLOCK], np.float32))
    except RuntimeError as error:
        raise IndexRefused(
            f"FAISS cannot make an index of {factory!r} from {rows:,} vectors: choose another "
            f"factory, or {AUTO!r} ({_reason(error)})."
        ) from error
    tune(index)
    return factory, index


def tune(index: faiss.Index) -> None:
    """Set how hard ``index`` looks, where its kind can be told; written along with it."""
    parameters = faiss.ParameterSpace()
    parameters.initialize(index)
    known = {
        parameters.parameter_ranges.at(i).name for i in range(parameters.parameter_ranges.size())
    }
    for name, value in _SEARCH_PARAMETERS.items():
        if name in known:
            parameters.set_index_parameter(index, name, value)


def _make(factory: str, dims: int) -> faiss.Index:
    try:
        return faiss.index_factory(dims, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise IndexRefused(
            f"FAISS has no index {factory!r} for {dims} dimensions ({_reason(error)})."
        ) from error


def _reason(error: RuntimeError) -> str:
    """Return the end of FAISS's message, which begins with a C++ function and a line number."""
    return str(error).rsplit("Error: ", 1)[-1].strip().rstrip(".")


def _sample(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = len(vectors)
    if rows <= _TRAINING_ROWS:
        return np.ascontiguousarray(vectors, np.float32)
    chosen = np.random.default_rng(_SEED).choice(rows, _TRAINING_ROWS, replace=False)
    return np.ascontiguousarray(vectors[np.sort(chosen)], np.float32)


def _write_references(
    folder: Path, rows: int, references: Iterable[tuple[Reference, int]]
) -> tuple[int, NDArray[np.int32]]:
    """Write who each row is and where it comes from; return the taxa's number, and each row's."""
    positions: dict[TaxonKey, int] = {}
    taxa: list[Taxon] = []
    row_taxa = np.empty(rows, np.int32)
    connection = sqlite3.connect(folder / REFERENCES)
    try:
        # No journal: a segment that was not written whole is never opened.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "CREATE TABLE photo (row INTEGER PRIMARY KEY, identity TEXT, digest INTEGER NOT NULL, "
            "source TEXT NOT NULL, licence TEXT NOT NULL, attribution TEXT NOT NULL, url TEXT)"
        )
        for row, (reference, digest) in enumerate(references):
            position = positions.setdefault(taxon_key(reference.taxon), len(taxa))
            if position == len(taxa):
                taxa.append(reference.taxon)
            taxa[position] = named_like(taxa[position], reference.taxon)
            row_taxa[row] = position
            r = reference
            connection.execute(
                "INSERT INTO photo VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row, r.identity, digest, r.source, r.licence, r.attribution, r.url),
            )
        connection.execute(
            "CREATE INDEX photo_identity ON photo (identity) WHERE identity IS NOT NULL"
        )
        connection.execute("CREATE INDEX photo_digest ON photo (digest)")
        connection.commit()
    finally:
        connection.close()
    np.save(folder / ROW_TAXA, row_taxa, allow_pickle=False)
    records = [asdict(taxon) for taxon in taxa]
    (folder / TAXA).write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return len(taxa), row_taxa


def _sums(
    vectors: NDArray[np.float32], row_taxa: NDArray[np.int32], taxa: int
) -> NDArray[np.float32]:
    """Return the ``(taxa, dims)`` sums of the vectors of each taxon."""
    sums = np.zeros((taxa, vectors.shape[1]), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        labels = row_taxa[start : start + _BLOCK]
        order = np.argsort(labels, kind="stable")
        own, first = np.unique(labels[order], return_index=True)
        sums[own] += np.add.reduceat(vectors[start : start + _BLOCK][order], first, axis=0)
    return sums
