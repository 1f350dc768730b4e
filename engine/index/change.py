"""One change to an index under way: its lock is held, and it is made by one swap of the manifest.

Killed anywhere, it leaves the index of before or of after; the next change clears away what the
killed one had begun.
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from engine.contracts import EngineError, EngineTimeout
from engine.index.folder import SEGMENTS
from engine.index.lock import folder_locked
from engine.index.manifest import (
    IndexManifest,
    SegmentRecord,
    discard_draft,
    is_segment,
    read_manifest,
    write_manifest,
)
from engine.index.segment import Reference, Segment, open_each
from engine.index.segment_builder import IndexWriteFailed, write_segment
from engine.index.segment_merge import even_sizes, merged_vectors

log = logging.getLogger(__name__)


class IndexChange:
    """What a change may do; ``manifest`` is the one that holds now.

    ``until`` is when it must be made, on the monotonic clock.
    """

    def __init__(
        self, folder: Path, manifest: IndexManifest, threads: int, until: float = math.inf
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._threads = threads
        self._until = until

    def open_each(self, records: Iterable[SegmentRecord] | None = None) -> Iterator[Segment]:
        """Open the segments of ``records``, else all there are, as they are asked for.

        Raises:
            IndexRefused: one is damaged.
        """
        chosen = self.manifest.segments if records is None else records
        return open_each(self.folder, chosen, self.manifest.dims)

    def swap(self, segments: tuple[SegmentRecord, ...]) -> None:
        """Make the index consist of ``segments`` from now on, in one step.

        Raises:
            EngineTimeout: it is too late for that.
        """
        if monotonic() > self._until:
            raise EngineTimeout(
                "To change the index took too long, so it is as it was. Please try again."
            )
        generation = self.manifest.generation + 1
        manifest = replace(self.manifest, generation=generation, segments=segments)
        write_manifest(self.folder, manifest)
        self.manifest = manifest
        self._until = math.inf  # what follows only tidies up

    def clear(self) -> None:
        """Remove what the manifest does not name: drafts, orphans, segments that were replaced.

        What cannot be removed, as on a network's disk where somebody has it open, is left to the
        next change.
        """
        with tidying(self.folder):
            discard_draft(self.folder)
            current = {record.id for record in self.manifest.segments}
            for place in (self.folder / SEGMENTS).iterdir():
                if place.name not in current and is_segment(place.name):
                    shutil.rmtree(place)

    def write_segment(
        self, vectors: NDArray[np.float32], references: Iterable[tuple[Reference, int]]
    ) -> SegmentRecord:
        """Write a segment that no manifest names yet.

        Raises:
            IndexRefused: FAISS refuses the index's factory.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        name = f"{self.manifest.generation + 1:06d}-{secrets.token_hex(4)}"
        place = self.folder / SEGMENTS / name
        try:
            factory, taxa, files = write_segment(
                place, vectors, references, self.manifest.factory, threads=self._threads
            )
        except EngineError:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return SegmentRecord(id=name, rows=len(vectors), taxa=taxa, factory=factory, files=files)

    def merge(self, segments: Sequence[Segment], parts: int = 1) -> tuple[SegmentRecord, ...]:
        """Write so many segments of what is left of several, or none where nothing is.

        Raises:
            IndexRefused: FAISS keeps no vectors in one of them.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        sizes = even_sizes(sum(segment.live_rows for segment in segments), parts)
        references = itertools.chain.from_iterable(s.live_references() for s in segments)
        return tuple(
            self.write_segment(vectors, itertools.islice(references, len(vectors)))
            for vectors in merged_vectors(segments, sizes, self.manifest.dims)
        )


@contextmanager
def tidying(folder: Path) -> Iterator[None]:
    """Log what goes wrong, which changes nothing that an index says: the next one tries again."""
    try:
        yield
    except (EngineError, OSError) as error:
        log.warning("The index in %s is whole, but could not be tidied up: %s", folder, error)


@contextmanager
def changing(
    folder: Path, *, threads: int, wait_s: float, until: float = math.inf
) -> Iterator[IndexChange]:
    """Hold the lock of the index in ``folder``, with what a killed writer left cleared away.

    Raises:
        IndexBusy: another process holds it, and held it for ``wait_s`` seconds.
        IndexRefused: the manifest is damaged.
        IndexWriteFailed: the folder cannot be written.
    """
    try:
        with folder_locked(folder, wait_s=wait_s):
            change = IndexChange(folder, read_manifest(folder), threads, until)
            change.clear()
            yield change
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> IndexWriteFailed:
    """Say why the index in ``folder`` was not changed."""
    return IndexWriteFailed(
        f"The index in {folder} could not be changed ({error.strerror or error}): it is as it "
        "was; check the disk's room and permissions and try again."
    )
