"""Which of the photos that are to be added an index does not have yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.index.segment import Reference, Segment
from engine.index.segment_builder import digests

_UNIT_TOLERANCE = 1e-2


def new_rows(
    vectors: NDArray[np.float32], references: Sequence[Reference], segments: Iterable[Segment]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that are in none of the ``segments``, and the digests of all.

    A photo that comes twice is new once.
    """
    hashes = digests(vectors, (reference.taxon for reference in references))
    new = np.zeros(len(vectors), bool)
    new[np.unique(hashes, return_index=True)[1]] = True
    first_of: dict[str, int] = {}
    for row in np.flatnonzero(new).tolist():
        identity = references[row].identity
        if identity is not None and first_of.setdefault(identity, row) != row:
            new[row] = False
    for segment in segments:
        stored = segment.stored_digests(hashes[new].tolist())
        new &= ~np.isin(hashes, np.fromiter(stored, np.int64, len(stored)))
        for stored_identity in segment.stored_identities(first_of):
            new[first_of[stored_identity]] = False
    return np.flatnonzero(new), hashes


def check_vectors(vectors: NDArray[np.float32], references: int, dims: int) -> None:
    """Check that there is a vector of unit length and ``dims`` numbers for each reference.

    Raises:
        ValueError: there is not.
    """
    if vectors.shape != (references, dims):
        raise ValueError(
            f"Vectors of shape {vectors.shape} for {references} references, "
            f"not ({references}, {dims})."
        )
    for start in range(0, references, 65_536):
        lengths = np.linalg.norm(vectors[start : start + 65_536], axis=1)
        if not bool((np.abs(lengths - 1) <= _UNIT_TOLERANCE).all()):
            raise ValueError("Vectors must have unit length, as the index's projection gives.")
