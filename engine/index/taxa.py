"""One list of taxa for segments that each have their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Taxon
from engine.index.segment import Segment, TaxonKey, named_like, taxon_key

_SEGMENT = 1 << 32


@dataclass(frozen=True, slots=True)
class JoinedTaxa:
    """One list of the taxa that have a row left, and their sums.

    ``rows`` gives each row's position in it, -1 where its taxon was removed, and once more -1
    at the end, which is what row -1 finds. ``first`` orders taxa by where an index meets each
    first: by segment, then by place in the segment's own list. ``sums`` is ``(taxa, dims)``.
    """

    taxa: tuple[Taxon, ...]
    rows: NDArray[np.int32]
    first: NDArray[np.int64]
    sums: NDArray[np.float32]


def join_taxa(segments: Sequence[Segment], positions: Sequence[int], dims: int) -> JoinedTaxa:
    """Join the taxa of ``segments``, which stand at ``positions`` in their index."""
    places: dict[TaxonKey, int] = {}
    taxa: list[Taxon] = []
    first: list[int] = []
    rows = [np.empty(0, np.int32)]
    summands = []
    for position, segment in zip(positions, segments, strict=True):
        # One place more than there are taxa, which -1 finds.
        joined = np.full(len(segment.taxa) + 1, -1, np.int32)
        live = np.unique(segment.row_taxa[segment.row_taxa >= 0])
        for own in live.tolist():
            taxon = segment.taxa[own]
            joined[own] = place = places.setdefault(taxon_key(taxon), len(taxa))
            if place == len(taxa):
                taxa.append(taxon)
                first.append(position * _SEGMENT + own)
            taxa[place] = named_like(taxa[place], taxon)
        rows.append(joined[segment.row_taxa])
        summands.append((joined[live], segment.sums[live]))
    sums = np.zeros((len(taxa), dims), np.float32)
    for own_places, own_sums in summands:
        sums[own_places] += own_sums
    return JoinedTaxa(
        taxa=tuple(taxa),
        rows=np.append(np.concatenate(rows), np.int32(-1)),
        first=np.array(first, np.int64),
        sums=sums,
    )
