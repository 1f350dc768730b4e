"""Photos of one index taken into another that the same network and projection made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.index_manifest import IndexRefused, read_manifest, segment_folder
from engine.index_writer import IndexWriter
from engine.segment import Reference, Segment
from engine.segment_merge import merged_vectors


def adopt(index: Path, other: Path) -> int:
    """Add to the index in ``index`` the photos that only that in ``other`` has; return how many.

    Raises:
        IndexRefused: one of them is damaged, keeps no vectors, or they are of two embedders or
            projections, so that their vectors cannot be compared.
        IndexWriteFailed: ``index`` cannot be written.
    """
    ours, theirs = read_manifest(index), read_manifest(other)
    if (ours.embedder, ours.projection.sha256) != (theirs.embedder, theirs.projection.sha256):
        raise IndexRefused(f"The index in {other} was made by another network than {index}.")
    writer = IndexWriter(index)
    adopted = 0
    # A segment at a time, as much as the writer holds itself.
    for record in theirs.segments:
        segment = Segment.open(segment_folder(other, record), record, theirs.dims)
        references: list[Reference] = [reference for reference, _ in segment.live_references()]
        if references:
            (vectors,) = merged_vectors([segment], [len(references)], theirs.dims)
            adopted += writer.add(np.asarray(vectors, np.float32), references).rows
    return adopted
