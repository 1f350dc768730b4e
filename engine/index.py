"""The generic index: which reference photos lie nearest to a photo, and what they show.

An index is a folder (``engine.index_manifest`` says how it stays whole) of segments that
are searched one after the other and merged. Vectors have unit length and the metric is the
inner product, which is the cosine; the Euclidean distance of the original system ranks unit
vectors just the same (``d^2 = 2 - 2 cos``), so its PCA 128 + L2 is the projection ``pca``
with the factory ``Flat``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from engine.contracts import EngineError, Taxon
from engine.index_manifest import (
    MANIFEST,
    PROJECTION,
    SEGMENT_FILES,
    IndexManifest,
    IndexRefused,
    check_content,
    check_size,
    read_manifest,
    segment_folder,
)
from engine.projection import Projection
from engine.segment import Reference, Segment, TaxonKey, taxon_key
from engine.vote import VoteSettings

__all__ = ["Found", "IndexRefused", "Reference", "SpeciesIndex", "verify_index"]

_OPEN_ATTEMPTS = 5
_VOTE = TypeAdapter(VoteSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The nearest rows of each of ``n`` vectors, nearest first, ``(n, k)`` each.

    ``similarities`` are cosines, float32 in [-1, 1]; ``rows`` int64; ``taxa`` int32, positions
    in the index's ``taxa``. Where there are fewer than ``k``, all three are -1.
    """

    similarities: NDArray[np.float32]
    rows: NDArray[np.int64]
    taxa: NDArray[np.int32]


class SpeciesIndex:
    """An index open for search, as it was at one ``generation``; it never changes.

    ``taxa`` are the taxa it has photos of, ``photos_of_taxon`` how many, ``(taxa,)`` int64, and
    ``prototypes`` their mean directions, ``(taxa, dims)`` float32 of unit length.
    Rows and positions of taxa hold for this object only: another generation may count anew.
    Open files outlive a compaction, so an older object stays good for as long as it is kept.
    """

    def __init__(
        self,
        folder: Path,
        manifest: IndexManifest,
        projection: Projection,
        segments: tuple[Segment, ...],
        stamp: tuple[int, ...],
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.projection = projection
        self.vote_settings = vote_settings(manifest)
        self._segments = segments
        self._stamp = stamp
        self._starts = np.cumsum([0, *(segment.record.rows for segment in segments)])
        joined = _join_taxa(segments, manifest.dims)
        self.taxa = joined.taxa
        self._row_taxa = joined.rows
        self.prototypes = _unit(joined.sums)
        self.photos_of_taxon: NDArray[np.int64] = np.bincount(
            self._row_taxa[self._row_taxa >= 0], minlength=len(self.taxa)
        ).astype(np.int64)

    @classmethod
    def open(cls, folder: Path, *, embedder: str | None = None, touch: bool = True) -> SpeciesIndex:
        """Open the index in ``folder``.

        ``embedder`` is the identity of what will make the vectors to search for; None is for
        who will search for none. ``touch`` reads the vectors once, so that the first search
        does not wait for the disk.

        Raises:
            IndexRefused: there is no index, a file is missing, cut off or foreign, the format
                is of another version, or another embedder made it.
        """
        return _open(folder, embedder, touch=touch, known={})

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
        if _stamp(self.folder) == self._stamp:
            return self
        known = {segment.record.id: segment for segment in self._segments}
        return _open(self.folder, self.manifest.embedder, touch=True, known=known)

    def search(self, vectors: NDArray[np.float32], k: int = 50) -> Found:
        """Find the ``k`` rows nearest to each of the ``(n, dims)`` vectors of unit length.

        Raises:
            ValueError: the vectors have another width.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.manifest.dims:
            raise ValueError(f"Vectors of shape {vectors.shape}, not (n, {self.manifest.dims}).")
        parts = [segment.search(vectors, k) for segment in self._segments]
        none = np.empty((len(vectors), 0))
        similarities = np.hstack([none.astype(np.float32), *(part[0] for part in parts)])
        rows = np.hstack(
            [none.astype(np.int64)]
            + [
                np.where(part[1] >= 0, part[1] + start, -1)
                for part, start in zip(parts, self._starts, strict=False)
            ]
        )
        similarities = np.where(rows >= 0, np.clip(similarities, -1, 1), -np.inf)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        return self._found(
            np.take_along_axis(similarities, order, axis=1),
            np.take_along_axis(rows, order, axis=1),
            k,
        )

    def references(self, rows: Sequence[int] | NDArray[np.int64]) -> list[Reference]:
        """Return where each of the ``rows`` that a search of this object found comes from.

        Raises:
            IndexError: there is no such row.
        """
        found: dict[int, Reference] = {}
        wanted = np.asarray(rows, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self._starts[-1]:
            raise IndexError(f"Rows count from 0 to {self._starts[-1] - 1}.")
        homes = np.searchsorted(self._starts, wanted, side="right") - 1
        for home in np.unique(homes):
            here = wanted[homes == home]
            references = self._segments[home].references((here - self._starts[home]).tolist())
            found.update(zip(here.tolist(), references, strict=True))
        return [found[row] for row in wanted.tolist()]

    def holds(self, identity: str) -> bool:
        """Tell whether the photo of this ``identity`` is in the index."""
        return any(segment.stored_identities([identity]) for segment in self._segments)

    def _found(self, similarities: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Found:
        missing = ((0, 0), (0, k - rows.shape[1]))
        rows = np.pad(rows, missing, constant_values=-1)
        similarities = np.pad(similarities, missing, constant_values=-1)
        return Found(
            similarities=np.where(rows >= 0, similarities, -1).astype(np.float32),
            rows=rows,
            taxa=self._row_taxa[rows],
        )


def vote_settings(manifest: IndexManifest) -> VoteSettings:
    """Return the vote's numbers of an index.

    Raises:
        IndexRefused: they are not those of this version's vote.
    """
    try:
        return _VOTE.validate_python(dict(manifest.vote))
    except ValidationError as error:
        raise IndexRefused(
            "The index keeps the vote settings of another version of Fieldmark: "
            "build it again with `fieldmark index build`."
        ) from error


def vote_record(settings: VoteSettings) -> Mapping[str, object]:
    """Return the vote's numbers as a manifest keeps them."""
    record: Mapping[str, object] = _VOTE.dump_python(settings, mode="json")
    return record


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
    folder: Path, embedder: str | None, *, touch: bool, known: Mapping[str, Segment]
) -> SpeciesIndex:
    for _ in range(_OPEN_ATTEMPTS):
        stamp = _stamp(folder)
        manifest = read_manifest(folder)
        if embedder is not None and embedder != manifest.embedder:
            raise IndexRefused(
                f"The index in {folder} was made by {manifest.embedder}, not by {embedder}: "
                "choose that embedder, or build the index again."
            )
        try:
            return SpeciesIndex(
                folder,
                manifest,
                _open_projection(folder, manifest),
                _open_segments(folder, manifest, known, touch=touch),
                stamp,
            )
        except IndexRefused:
            # A compaction may have cleared away what this manifest names: then there is a newer.
            if read_manifest(folder) == manifest:
                raise
    raise IndexRefused(f"The index in {folder} changes faster than it can be opened: try again.")


def _open_projection(folder: Path, manifest: IndexManifest) -> Projection:
    check_size(folder / PROJECTION, manifest.projection)
    try:
        projection = Projection.load(folder / PROJECTION)
    except EngineError as error:
        raise IndexRefused(str(error)) from error
    if projection.dims != manifest.dims:
        raise IndexRefused(
            f"The projection in {folder} gives {projection.dims} dimensions, its index has "
            f"{manifest.dims}: restore the index from a copy, or build it again."
        )
    return projection


def _open_segments(
    folder: Path, manifest: IndexManifest, known: Mapping[str, Segment], *, touch: bool
) -> tuple[Segment, ...]:
    segments = []
    for record in manifest.segments:
        if record.id in known:
            segments.append(known[record.id].with_record(record))
            continue
        place = segment_folder(folder, record)
        segment = Segment.open(place, record, manifest.dims)
        if touch:
            segment.touch(place)
        segments.append(segment)
    return tuple(segments)


@dataclass(frozen=True, slots=True)
class _Joined:
    """One list of the taxa that have a row left, and their sums.

    ``rows`` gives each row's position in it, -1 where its taxon was removed, and once more -1
    at the end, which is what row -1 finds.
    """

    taxa: tuple[Taxon, ...]
    rows: NDArray[np.int32]
    sums: NDArray[np.float32]


def _join_taxa(segments: Sequence[Segment], dims: int) -> _Joined:
    positions: dict[TaxonKey, int] = {}
    taxa: list[Taxon] = []
    rows = [np.empty(0, np.int32)]
    summands = []
    for segment in segments:
        # One place more than there are taxa, which -1 finds.
        joined = np.full(len(segment.taxa) + 1, -1, np.int32)
        live = np.unique(segment.row_taxa[segment.row_taxa >= 0])
        for own in live:
            taxon = segment.taxa[own]
            joined[own] = positions.setdefault(taxon_key(taxon), len(taxa))
            if joined[own] == len(taxa):
                taxa.append(taxon)
        rows.append(joined[segment.row_taxa])
        summands.append((joined[live], segment.sums[live]))
    sums = np.zeros((len(taxa), dims), np.float32)
    for places, own_sums in summands:
        sums[places] += own_sums
    return _Joined(tuple(taxa), np.append(np.concatenate(rows), np.int32(-1)), sums)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors with unit length; those of no length stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _stamp(folder: Path) -> tuple[int, ...]:
    """Return what changes when the manifest does; nothing where there is none."""
    try:
        status = (folder / MANIFEST).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
