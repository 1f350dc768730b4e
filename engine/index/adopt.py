"""Photos of one index taken into another that the same network and projection made."""

from __future__ import annotations

from pathlib import Path

from engine.index.manifest import IndexRefused, read_manifest
from engine.index.segment import open_each
from engine.index.segment_merge import even_sizes, merged_vectors
from engine.index.writer import IndexWriter


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
    for segment in open_each(other, theirs.segments, theirs.dims):
        references = [reference for reference, _ in segment.live_references()]
        for vectors in merged_vectors([segment], even_sizes(segment.live_rows, 1), theirs.dims):
            adopted += writer.add(vectors, references).rows
    return adopted
