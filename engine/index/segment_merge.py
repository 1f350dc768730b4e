"""The rows of several segments as those of one, or of so many of about the same size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.index.manifest import IndexRefused
from engine.index.segment import Reference, Segment

_MAX_REWRITTEN = 65_536
"""Rows of the largest segment that is written anew to take one photo out: a tenth of a second."""


def even_sizes(rows: int, parts: int) -> list[int]:
    """Divide ``rows`` into so many ``parts`` that differ by one at most; none is empty."""
    each, more = divmod(rows, parts)
    return [size for size in [each + 1] * more + [each] * (parts - more) if size]


def merged_vectors(
    segments: Sequence[Segment], sizes: Sequence[int], dims: int
) -> Iterator[NDArray[np.float32]]:
    """Return the vectors that are not removed, in arrays of so many: ``sizes`` sums to all.

    Raises:
        IndexRefused: FAISS keeps no vectors in such a segment.
    """
    blocks = (block for segment in segments for block in segment.live_vectors())
    left = np.empty((0, dims), np.float32)
    for size in sizes:
        vectors = np.empty((size, dims), np.float32)
        end = 0
        while end < size:
            left = left if len(left) else _next(blocks, segments)
            taken = left[: size - end]
            vectors[end : end + len(taken)] = taken
            end += len(taken)
            left = left[len(taken) :]
        yield vectors


def rows_without(
    segment: Segment, identity: str
) -> tuple[NDArray[np.float32], list[tuple[Reference, int]]]:
    """Return vectors, references and digests of a segment without the photo of ``identity``.

    Those of removed taxa are left out as well.

    Raises:
        IndexRefused: the segment is too large to be written anew for one photo, or FAISS keeps
            no vectors in it.
    """
    if segment.record.rows > _MAX_REWRITTEN:
        too_large = (
            f"The photo was merged into a segment of {segment.record.rows:,} photos, which is too "
            "large to be written anew for one: `fieldmark index remove` takes out the species."
        )
        raise IndexRefused(too_large, public=too_large)
    references = list(segment.live_references())
    kept = [row for row, (reference, _) in enumerate(references) if reference.identity != identity]
    (vectors,) = merged_vectors([segment], [segment.live_rows], segment.sums.shape[1])
    return vectors[kept], [references[row] for row in kept]


def _next(
    blocks: Iterator[NDArray[np.float32]], segments: Sequence[Segment]
) -> NDArray[np.float32]:
    try:
        return next(blocks)
    except RuntimeError as error:
        factories = " or ".join(sorted({segment.record.factory for segment in segments}))
        raise IndexRefused(
            f"FAISS keeps no vectors in an index of {factories}, so it cannot be "
            "compacted: build it again with a factory that ends in Refine(SQfp16)."
        ) from error
