"""The generic index: which reference photos lie nearest to a photo, and what they show.

An index is a folder (``engine.index.manifest`` says how it stays whole) of segments that
are searched one after the other and merged. Vectors have unit length and the metric is the
inner product, which is the cosine; the Euclidean distance of the original system ranks unit
vectors just the same (``d^2 = 2 - 2 cos``), so its PCA 128 + L2 is the projection ``pca``
with the factory ``Flat``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.index.folder import PROJECTION, SEGMENT_FILES
from engine.index.frame import IndexFrame
from engine.index.manifest import IndexRefused, check_content, read_manifest, segment_folder
from engine.index.segment import Reference, Segment
from engine.index.shard import WHOLE, Shard, ShardTaxa
from engine.index.spread import usual_angles
from engine.index.taxa import join_taxa
from engine.index.vote import Evidence

__all__ = ["Findings", "Found", "IndexRefused", "Reference", "SpeciesIndex", "verify_index"]

_OPEN_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The nearest rows of each of ``n`` vectors, nearest first, ``(n, k)`` each.

    ``similarities`` are cosines, float32 in [-1, 1]; ``rows`` int64; ``taxa`` int32, positions
    in the index's ``taxa``. Where there are fewer than ``k``, all three are -1.
    """

    similarities: NDArray[np.float32]
    rows: NDArray[np.int64]
    taxa: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an index found for one individual.

    ``references`` looks up where rows of the ``evidence`` come from. ``notes`` are sentences a
    person should see.
    """

    evidence: Evidence
    references: Callable[[Sequence[int]], Sequence[Reference]]
    notes: tuple[str, ...] = ()


class SpeciesIndex:
    """An index open for search, as it was at one ``generation``; it never changes.

    Of a ``shard`` of it only the segments are open that are the shard's: taxa, prototypes and
    whatever is found are those of its photos, but rows are the whole index's.

    ``taxa`` are the taxa it has photos of, ``photos_of_taxon`` how many, ``(taxa,)`` int64, and
    ``prototypes`` their mean directions, ``(taxa, dims)`` float32 of unit length.
    Rows and positions of taxa hold for this object only: another generation may count anew.
    Open files outlive a compaction, so an older object stays good for as long as it is kept.
    """

    def __init__(self, frame: IndexFrame, segments: tuple[Segment, ...], shard: Shard) -> None:
        self.folder = frame.folder
        self.manifest = frame.manifest
        self.projection = frame.projection
        self.vote_settings = frame.vote_settings
        self._frame = frame
        self._segments = segments
        self._shard = shard
        own = frame.positions_of(shard)
        self._starts = frame.first_rows()[own]
        joined = join_taxa(segments, own, frame.manifest.dims)
        self.taxa = joined.taxa
        self._first = joined.first
        self._row_taxa = joined.rows
        self._lengths = np.linalg.norm(joined.sums, axis=1, keepdims=True)
        lengths = np.where(self._lengths > 0, self._lengths, 1)
        self.prototypes = np.asarray(joined.sums / lengths, np.float32)
        self.photos_of_taxon: NDArray[np.int64] = np.bincount(
            self._row_taxa[self._row_taxa >= 0], minlength=len(self.taxa)
        ).astype(np.int64)
        self._usual_angles = usual_angles(self._lengths[:, 0], self.photos_of_taxon)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        embedder: str | None = None,
        touch: bool = True,
        shard: Shard = WHOLE,
    ) -> SpeciesIndex:
        """Open the index in ``folder``, or a ``shard`` of it.

        ``embedder`` is the identity of what will make the vectors to search for; None is for
        who will search for none. ``touch`` reads all of it once, so that damage shows now,
        and the first search does not wait for the disk.

        Raises:
            IndexRefused: there is no index, a file is missing, cut off or foreign, the format
                is of another version, or another embedder made it.
        """
        return _open(folder, embedder, shard, touch=touch, known={})

    @property
    def generation(self) -> int:
        """How many changes the index had seen."""
        return self.manifest.generation

    def __len__(self) -> int:
        """Return the number of reference photos."""
        return int(self.photos_of_taxon.sum())

    def refreshed(self) -> SpeciesIndex:
        """Return this index where its folder is unchanged, else what is there now.

        Costs one ``stat`` where nothing changed; otherwise only new segments are opened.

        Raises:
            IndexRefused: what is there now cannot be used.
        """
        if self._frame.is_current:
            return self
        return self.reopened()

    def reopened(self) -> SpeciesIndex:
        """Return what is in the folder now, with the segments that are open as they are.

        Raises:
            IndexRefused: it cannot be used.
        """
        known = {segment.record.id: segment for segment in self._segments}
        return _open(self.folder, self.manifest.embedder, self._shard, touch=True, known=known)

    def find(self, vectors: NDArray[np.float32]) -> Findings:
        """Search for one individual's ``(n, dims)`` vectors, one of each view."""
        found = self.search(vectors, self.vote_settings.neighbours)
        evidence = Evidence(
            similarities=found.similarities,
            taxa=found.taxa,
            rows=found.rows,
            prototype_similarities=vectors @ self.prototypes.T,
            photos_of_taxon=self.photos_of_taxon,
            usual_angles=self._usual_angles,
        )
        return Findings(evidence=evidence, references=self.references)

    def shard_taxa(self) -> ShardTaxa:
        """Return what a census of all shards needs to know of this one's taxa."""
        return ShardTaxa(
            taxa=self.taxa,
            first=self._first,
            photos=self.photos_of_taxon,
            sums=self.prototypes * self._lengths,
        )

    def search(self, vectors: NDArray[np.float32], k: int = 50) -> Found:
        """Find the ``k`` rows nearest to each of the ``(n, dims)`` vectors of unit length.

        Raises:
            ValueError: the vectors have another width.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.manifest.dims:
            raise ValueError(f"Vectors of shape {vectors.shape}, not (n, {self.manifest.dims}).")
        parts = [segment.search(vectors, k) for segment in self._segments]
        sizes = [segment.record.rows for segment in self._segments]
        none = np.empty((len(vectors), 0), np.int64)
        similarities = np.hstack([none.astype(np.float32), *(part[0] for part in parts)])
        rows = np.hstack([none, *_shift(parts, self._starts)])
        places = np.hstack([none, *_shift(parts, np.cumsum([0, *sizes]))])
        similarities = np.where(rows >= 0, np.clip(similarities, -1, 1), -np.inf)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        missing = ((0, 0), (0, k - order.shape[1]))
        rows = np.pad(np.take_along_axis(rows, order, 1), missing, constant_values=-1)
        places = np.pad(np.take_along_axis(places, order, 1), missing, constant_values=-1)
        similarities = np.pad(np.take_along_axis(similarities, order, 1), missing)
        return Found(
            similarities=np.where(rows >= 0, similarities, -1).astype(np.float32),
            rows=rows,
            taxa=self._row_taxa[places],
        )

    def references(self, rows: Sequence[int] | NDArray[np.int64]) -> list[Reference]:
        """Return where each of the ``rows`` that a search of this object found comes from.

        Raises:
            IndexError: there is no such row.
        """
        found: dict[int, Reference] = {}
        wanted = np.asarray(rows, np.int64)
        homes = np.searchsorted(self._starts, wanted, side="right") - 1
        for home in np.unique(homes):
            segment = self._segments[home] if home >= 0 else None
            own = wanted[homes == home] - self._starts[home]
            if segment is None or own.max() >= segment.record.rows:
                raise IndexError(f"Some rows are not of the {len(self)} that are here.")
            references = segment.references(own.tolist())
            found.update(zip((own + self._starts[home]).tolist(), references, strict=True))
        return [found[row] for row in wanted.tolist()]

    def holds(self, identity: str) -> bool:
        """Tell whether the photo of this ``identity`` is in the index."""
        return any(segment.stored_identities([identity]) for segment in self._segments)

    def reference_to(self, identity: str) -> Reference | None:
        """Return where the photo of this ``identity`` comes from; None where it is not here."""
        found = (segment.stored_reference(identity) for segment in self._segments)
        return next(filter(None, found), None)


def verify_index(folder: Path) -> SpeciesIndex:
    """Hash every file of the index in ``folder`` anew, and open it.

    Raises:
        IndexRefused: a file is not as it was written, or the index cannot be opened.
    """
    manifest = read_manifest(folder)
    check_content(folder / PROJECTION, manifest.projection)
    for record in manifest.segments:
        for name in SEGMENT_FILES:
            check_content(segment_folder(folder, record) / name, record.files[name])
    index = SpeciesIndex.open(folder, touch=False)
    for segment in index._segments:
        segment.check_references()
    return index


def _open(
    folder: Path,
    embedder: str | None,
    shard: Shard,
    *,
    touch: bool,
    known: Mapping[str, Segment],
) -> SpeciesIndex:
    for _ in range(_OPEN_ATTEMPTS):
        frame = IndexFrame.read(folder, embedder)
        try:
            return SpeciesIndex(frame, _open_segments(frame, shard, known, touch=touch), shard)
        except IndexRefused:
            # A compaction may have cleared away what this manifest names: then there is a newer.
            if read_manifest(folder) == frame.manifest:
                raise
    raise IndexRefused(f"The index in {folder} changes faster than it can be opened: try again.")


def _open_segments(
    frame: IndexFrame, shard: Shard, known: Mapping[str, Segment], *, touch: bool
) -> tuple[Segment, ...]:
    segments = []
    for position in frame.positions_of(shard):
        record = frame.manifest.segments[position]
        if record.id in known:
            segments.append(known[record.id].with_record(record))
            continue
        place = segment_folder(frame.folder, record)
        segment = Segment.open(place, record, frame.manifest.dims)
        if touch:
            segment.touch()
        segments.append(segment)
    return tuple(segments)


def _shift(
    parts: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]], starts: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Count the rows that segments found on from where each segment begins."""
    return [
        np.where(rows >= 0, rows + start, -1)
        for (_, rows), start in zip(parts, starts, strict=False)
    ]
