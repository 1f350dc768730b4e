"""Changing an index: one writer at a time, readers never blocked, always whole.

Each change writes new files beside the old ones, waits until they are on the disk, and
swaps the manifest. Killed anywhere, it leaves the index of before or of after; the next
writer clears away what the killed one had begun.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.contracts import EngineError, Taxon
from engine.index_folder import MANIFEST, PROJECTION, SEGMENTS
from engine.index_frame import vote_record
from engine.index_lock import IndexBusy, folder_locked
from engine.index_manifest import (
    IndexManifest,
    IndexRefused,
    SegmentRecord,
    discard_draft,
    read_manifest,
    record_file,
    sync_file,
    write_manifest,
)
from engine.index_newcomers import check_vectors, new_rows
from engine.projection import Projection
from engine.segment import Reference, Segment, open_each, taxon_key
from engine.segment_builder import (
    AUTO,
    IndexWriteFailed,
    check_factory,
    write_segment,
)
from engine.segment_merge import even_sizes, merged_vectors
from engine.vote import VoteSettings

__all__ = ["Added", "IndexBusy", "IndexWriteFailed", "IndexWriter"]

_SMALL_ROWS = 4_096
_MANY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What an addition did: ``duplicates`` were in the index already, or came twice."""

    rows: int
    duplicates: int
    generation: int


class IndexWriter:
    """Changes the index in a folder; each method is one change, whole or not at all.

    ``embedder`` is the identity of what makes the vectors to be added; None is for who adds
    none. ``threads`` is how many FAISS may use to train and build. Where another process is at
    it, a change raises ``IndexBusy``, or with ``wait`` waits for its turn.
    """

    def __init__(
        self, folder: Path, *, embedder: str | None = None, threads: int = 1, wait: bool = False
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
        self._wait = wait

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        embedder: str,
        projection: Projection,
        vote_settings: VoteSettings,
        factory: str = AUTO,
        threads: int = 1,
    ) -> IndexWriter:
        """Make an index with no photos yet in ``folder``.

        ``factory`` is FAISS's string for segments, or ``auto``: by size
        (``engine.segment_builder.choose_factory``). A segment too small to train what
        ``factory`` asks for is stored as 16-bit floats. A factory without ``Refine(SQfp16)``
        that keeps only codes loses a little with each ``compact``.

        Raises:
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
                manifest = IndexManifest(
                    generation=1,
                    embedder=embedder,
                    dims=projection.dims,
                    factory=factory,
                    vote=vote_record(vote_settings),
                    projection=record_file(folder / PROJECTION),
                )
                write_manifest(folder, manifest)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return cls(folder, embedder=embedder, threads=threads)

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
        with self._change() as manifest:
            check_vectors(vectors, len(references), manifest.dims)
            # One at a time: a worker that learns has no room for all of a large index.
            segments = open_each(self.folder, manifest.segments, manifest.dims)
            chosen, hashes = new_rows(vectors, references, segments)
            if chosen.size:
                new = vectors if chosen.size == len(vectors) else vectors[chosen]
                rows = ((references[row], int(hashes[row])) for row in chosen.tolist())
                record = self._write_segment(manifest, new, rows)
                manifest = self._swap(manifest, (*manifest.segments, record))
                manifest = self._gather(manifest)
        return Added(
            rows=chosen.size,
            duplicates=len(vectors) - chosen.size,
            generation=manifest.generation,
        )

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
        with self._change() as manifest:
            records = []
            for segment in open_each(self.folder, manifest.segments, manifest.dims):
                record = segment.record
                for position, own in enumerate(segment.taxa):
                    if taxon_key(own) == sought and position not in record.removed:
                        removed += int((segment.row_taxa == position).sum())
                        record = replace(record, removed=(*record.removed, position))
                records.append(record)
            if removed:
                self._swap(manifest, tuple(records))
        return removed

    def compact(self, parts: int = 1) -> int:
        """Merge all segments into one without the removed photos; return its rows.

        Or into so many ``parts`` of one size, which is what shards need.

        Raises:
            IndexBusy: another process is changing the index.
            IndexRefused: the index is damaged, or its factory keeps no vectors.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as manifest:
            segments = list(open_each(self.folder, manifest.segments, manifest.dims))
            rows = sum(segment.live_rows for segment in segments)
            sizes = [segment.record.rows for segment in segments]
            if sizes != even_sizes(rows, parts):
                self._clear(self._swap(manifest, self._merge(manifest, segments, parts)))
        return rows

    def set_vote(self, settings: VoteSettings) -> None:
        """Store other fitted numbers for the vote.

        Raises:
            IndexBusy: another process is changing the index.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        with self._change() as manifest:
            self._swap(replace(manifest, vote=vote_record(settings)), manifest.segments)

    @contextmanager
    def _change(self) -> Iterator[IndexManifest]:
        """Hold the lock, with what a killed writer left cleared away."""
        try:
            with folder_locked(self.folder, wait=self._wait):
                manifest = read_manifest(self.folder)
                self._clear(manifest)
                yield manifest
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def _clear(self, manifest: IndexManifest) -> None:
        discard_draft(self.folder)
        current = {record.id for record in manifest.segments}
        for place in (self.folder / SEGMENTS).iterdir():
            if place.name not in current:
                shutil.rmtree(place)

    def _swap(self, manifest: IndexManifest, segments: tuple[SegmentRecord, ...]) -> IndexManifest:
        swapped = replace(manifest, generation=manifest.generation + 1, segments=segments)
        write_manifest(self.folder, swapped)
        return swapped

    def _gather(self, manifest: IndexManifest) -> IndexManifest:
        """Merge the small segments where they are many: each costs every search a little."""
        small = [record for record in manifest.segments if record.rows <= _SMALL_ROWS]
        if len(small) < _MANY:
            return manifest
        merged = self._merge(manifest, list(open_each(self.folder, small, manifest.dims)))
        large = [record for record in manifest.segments if record not in small]
        manifest = self._swap(manifest, (*large, *merged))
        self._clear(manifest)
        return manifest

    def _write_segment(
        self,
        manifest: IndexManifest,
        vectors: NDArray[np.float32],
        references: Iterable[tuple[Reference, int]],
    ) -> SegmentRecord:
        name = f"{manifest.generation + 1:06d}-{secrets.token_hex(4)}"
        place = self.folder / SEGMENTS / name
        try:
            factory, taxa, files = write_segment(
                place, vectors, references, manifest.factory, threads=self._threads
            )
        except EngineError:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return SegmentRecord(id=name, rows=len(vectors), taxa=taxa, factory=factory, files=files)

    def _merge(
        self, manifest: IndexManifest, segments: Sequence[Segment], parts: int = 1
    ) -> tuple[SegmentRecord, ...]:
        """Write so many segments of what is left of several, or none where nothing is."""
        sizes = even_sizes(sum(segment.live_rows for segment in segments), parts)
        references = itertools.chain.from_iterable(s.live_references() for s in segments)
        return tuple(
            self._write_segment(manifest, vectors, itertools.islice(references, len(vectors)))
            for vectors in merged_vectors(segments, sizes, manifest.dims)
        )


def _unwritable(folder: Path, error: OSError) -> IndexWriteFailed:
    return IndexWriteFailed(
        f"The index in {folder} could not be changed ({error.strerror or error}): it is as it "
        "was; check the disk's room and permissions and try again."
    )
