"""What an index has besides its segments: how vectors are made and counted, and its changes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from engine.contracts import EngineError
from engine.index.folder import PROJECTION, manifest_stamp
from engine.index.manifest import IndexManifest, IndexRefused, check_size, read_manifest
from engine.index.projection import Projection
from engine.index.shard import Shard, divide
from engine.index.vote import VoteSettings

_VOTE = TypeAdapter(VoteSettings)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexFrame:
    """An index without its segments, as it was at one generation; ``stamp`` is its manifest's."""

    folder: Path
    manifest: IndexManifest
    projection: Projection
    vote_settings: VoteSettings
    stamp: tuple[int, ...]

    @classmethod
    def read(cls, folder: Path, embedder: str | None) -> IndexFrame:
        """Read the frame of the index in ``folder``, which ``embedder`` should have made.

        Raises:
            IndexRefused: there is no index, it is damaged, or another embedder made it.
        """
        stamp = manifest_stamp(folder)
        manifest = read_manifest(folder)
        if embedder is not None and embedder != manifest.embedder:
            raise IndexRefused(
                f"The index in {folder} was made by {manifest.embedder}, not by {embedder}: "
                "choose that embedder, or build the index again."
            )
        return cls(
            folder=folder,
            manifest=manifest,
            projection=_open_projection(folder, manifest),
            vote_settings=_vote_settings(folder, manifest),
            stamp=stamp,
        )

    @property
    def is_current(self) -> bool:
        """Whether nothing has changed since; costs one ``stat``."""
        return manifest_stamp(self.folder) == self.stamp

    def positions_of(self, shard: Shard) -> list[int]:
        """Return which of the segments are the shard's."""
        homes = divide([record.rows for record in self.manifest.segments], shard.of)
        return [position for position, home in enumerate(homes) if home == shard.number]

    def first_rows(self) -> NDArray[np.int64]:
        """Return the row at which each segment begins."""
        rows = [record.rows for record in self.manifest.segments]
        return np.cumsum([0, *rows])[:-1].astype(np.int64)


def vote_record(settings: VoteSettings) -> Mapping[str, object]:
    """Return the vote's numbers as a manifest keeps them."""
    record: Mapping[str, object] = _VOTE.dump_python(settings, mode="json")
    return record


def _vote_settings(folder: Path, manifest: IndexManifest) -> VoteSettings:
    if "nearness_curve" not in manifest.vote:
        log.warning(
            "The index in %s is older than this Fieldmark, so what it knows is judged by a curve "
            "of other photos: `fieldmark calibrate --index` or `fieldmark index build` fits its "
            "own.",
            folder,
        )
    try:
        return _VOTE.validate_python(dict(manifest.vote))
    except ValidationError as error:
        raise IndexRefused(
            "The index keeps the vote settings of another version of Fieldmark: "
            "build it again with `fieldmark index build`."
        ) from error


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
