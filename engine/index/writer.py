"""Changing an index: one writer at a time, readers never blocked, always whole.

Each change writes new files beside the old ones, waits until they are on the disk, and
swaps the manifest (``engine.index.change``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Taxon
from engine.index.change import IndexChange, changing, tidying, unwritable
from engine.index.folder import MANIFEST, PROJECTION, SEGMENTS
from engine.index.frame import vote_record
from engine.index.lock import IndexBusy, folder_locked
from engine.index.manifest import (
    IndexManifest,
    IndexRefused,
    SegmentRecord,
    read_manifest,
    record_file,
    sync_file,
    write_manifest,
)
from engine.index.newcomers import check_vectors, new_rows
from engine.index.projection import Projection
from engine.index.segment import Reference, taxon_key
from engine.index.segment_builder import AUTO, IndexWriteFailed, check_factory
from engine.index.segment_merge import even_sizes, rows_without
from engine.index.vote import VoteSettings

__all__ = ["Added", "IndexBusy", "IndexWriteFailed", "IndexWriter"]

_SMALL_ROWS = 4_096
_MANY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What an addition did: ``duplicates`` were in the index already, or came twice."""

    rows: int
    duplicates: int
    generation: int

    @classmethod
    def of(
        cls, written: Sequence[SegmentRecord], vectors: NDArray[np.float32], generation: int
    ) -> Added:
        """Count what was ``written`` of the ``vectors``."""
        rows = sum(record.rows for record in written)
        return cls(rows=rows, duplicates=len(vectors) - rows, generation=generation)


class IndexWriter:
    """Changes the index in a folder; each method is one change, whole or not at all.

    ``embedder`` is the identity of what makes the vectors to be added; None is for who adds
    none. ``threads`` is how many FAISS may use to train and build. Where another process is at
    it for longer than ``wait_s`` seconds, a change raises ``IndexBusy``. What is not ready by
    ``until``, on the monotonic clock, is not made and raises ``EngineTimeout``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        embedder: str | None = None,
        threads: int = 1,
        wait_s: float = 0.0,
        until: float = math.inf,
    ) -> None:
        """Take the index in ``folder`` for changes.

        Raises:
            IndexRefused: there is none, or another embedder made it.
        """
        manifest = read_manifest(folder)
        if embedder is not None and embedder != manifest.embedder:
            raise IndexRefused(
                f"The index in {folder} was made by {manifest.embedder}, not by {embedder}: "
                "choose that embedder, or build the index again."
            )
        self.folder = folder
        self._threads = threads
        self._wait_s = wait_s
        self._until = until

    @staticmethod
    def create(
        folder: Path,
        vectors: NDArray[np.float32],
        references: Sequence[Reference],
        *,
        embedder: str,
        projection: Projection,
        vote_settings: VoteSettings,
        factory: str = AUTO,
        threads: int = 1,
    ) -> Added:
        """Make an index of its first photos in ``folder``, which are as for ``add``.

        Nobody finds an index there before those are in it: a running bot would take it up.
        ``factory`` is FAISS's string for segments, or ``auto``: by size
        (``engine.index.segment_builder.choose_factory``). A segment too small to train what
        ``factory`` asks for is stored as 16-bit floats. A factory without ``Refine(SQfp16)``
        that keeps only codes loses a little with each ``compact``.

        Raises:
            ValueError: the vectors are as ``add`` does not take them.
            IndexBusy: another process is making one there.
            IndexRefused: there is one already, or FAISS does not know the factory.
            IndexWriteFailed: the folder cannot be written.
        """
        check_factory(factory, projection.dims)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with folder_locked(folder):
                if (folder / MANIFEST).exists():
                    raise IndexRefused(
                        f"There is an index in {folder} already: add to it with "
                        "`fieldmark index add`, or remove the folder."
                    )
                projection.save(folder / PROJECTION)
                sync_file(folder / PROJECTION)
                (folder / SEGMENTS).mkdir(exist_ok=True)
                first = IndexManifest(
                    generation=1,
                    embedder=embedder,
                    dims=projection.dims,
                    factory=factory,
                    vote=vote_record(vote_settings),
                    projection=record_file(folder / PROJECTION),
                )
                change = IndexChange(folder, first, threads)
                change.clear()
                written = _write_new(change, vectors, references)
                write_manifest(folder, replace(first, segments=written))
        except OSError as error:
            raise unwritable(folder, error) from error
        return Added.of(written, vectors, first.generation)

    def add(self, vectors: NDArray[np.float32], references: Sequence[Reference]) -> Added:
        """Add photos as a new segment; those that are there already are left out.

        Where there are many small segments by then, as when photos are taught one by one,
        they are merged into one.

        ``vectors`` is ``(n, dims)`` float32 of unit length, as the index's projection gives
        them. A photo is there already when one of its ``identity`` is, or one of the same
        taxon with the same vector.

        Raises:
            ValueError: another shape, not of unit length, or not one reference for each.
            IndexBusy: another process is changing the index.
            IndexRefused: the index is damaged, or FAISS refuses the factory.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as change:
            written = _write_new(change, vectors, references)
            if written:
                change.swap((*change.manifest.segments, *written))
                with tidying(self.folder):
                    _gather(change)
        return Added.of(written, vectors, change.manifest.generation)

    def holds(self, identity: str) -> bool:
        """Tell whether the photo of this ``identity`` is in the index.

        Raises:
            IndexBusy: another process is changing the index.
            IndexRefused: the index is damaged.
            IndexWriteFailed: the folder cannot be written.
        """
        with self._change() as change:
            return any(segment.stored_identities([identity]) for segment in change.open_each())

    def forget(self, identity: str) -> bool:
        """Take the one photo of this ``identity`` out; tell whether it was there.

        The segment that has it is written anew without it, or dropped where it had no other.

        Raises:
            IndexBusy: another process is changing the index.
            IndexRefused: the segment is too large for that, keeps no vectors, or is damaged.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as change:
            for place, segment in enumerate(change.open_each()):
                if segment.stored_identities([identity]):
                    vectors, references = rows_without(segment, identity)
                    rest = (change.write_segment(vectors, references),) if references else ()
                    segments = change.manifest.segments
                    change.swap((*segments[:place], *rest, *segments[place + 1 :]))
                    change.clear()
                    return True
        return False

    def remove(self, taxon: Taxon) -> int:
        """Take all photos of ``taxon`` out of every search; return how many there were.

        They are marked in the manifest, and gone from the disk with the next ``compact``.

        Raises:
            IndexBusy: another process is changing the index.
            IndexRefused: the index is damaged.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        sought = taxon_key(taxon)
        removed = 0
        with self._change() as change:
            records = []
            for segment in change.open_each():
                record = segment.record
                for position, own in enumerate(segment.taxa):
                    if taxon_key(own) == sought and position not in record.removed:
                        removed += int((segment.row_taxa == position).sum())
                        record = replace(record, removed=(*record.removed, position))
                records.append(record)
            if removed:
                change.swap(tuple(records))
        return removed

    def compact(self, parts: int = 1) -> int:
        """Merge all segments into one without the removed photos; return its rows.

        Or into so many ``parts`` of one size, which is what shards need.

        Raises:
            IndexBusy: another process is changing the index.
            IndexRefused: the index is damaged, or its factory keeps no vectors.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as change:
            segments = list(change.open_each())
            rows = sum(segment.live_rows for segment in segments)
            sizes = [segment.record.rows for segment in segments]
            if sizes != even_sizes(rows, parts):
                change.swap(change.merge(segments, parts))
                change.clear()
        return rows

    def set_vote(self, settings: VoteSettings) -> None:
        """Store other fitted numbers for the vote.

        Raises:
            IndexBusy: another process is changing the index.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as change:
            change.manifest = replace(change.manifest, vote=vote_record(settings))
            change.swap(change.manifest.segments)

    def _change(self) -> AbstractContextManager[IndexChange]:
        return changing(self.folder, threads=self._threads, wait_s=self._wait_s, until=self._until)


def _write_new(
    change: IndexChange, vectors: NDArray[np.float32], references: Sequence[Reference]
) -> tuple[SegmentRecord, ...]:
    """Write a segment of the photos that are not there yet, or none where all are."""
    check_vectors(vectors, len(references), change.manifest.dims)
    # One at a time: a worker that learns has no room for all of a large index.
    chosen, hashes = new_rows(vectors, references, change.open_each())
    if not chosen.size:
        return ()
    new = vectors if chosen.size == len(vectors) else vectors[chosen]
    rows = ((references[row], int(hashes[row])) for row in chosen.tolist())
    return (change.write_segment(new, rows),)


def _gather(change: IndexChange) -> None:
    """Merge the small segments where they are many: each costs every search a little."""
    records = change.manifest.segments
    small = [record for record in records if record.rows <= _SMALL_ROWS]
    if len(small) < _MANY:
        return
    merged = change.merge(list(change.open_each(small)))
    large = [record for record in records if record not in small]
    change.swap((*large, *merged))
    change.clear()
