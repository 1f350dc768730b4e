"""The rows of several segments as those of one, or of so many of about the same size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.index_manifest import IndexRefused
from engine.segment import Segment


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
