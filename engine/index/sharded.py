"""An index whose segments are searched elsewhere, each shard's by a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.contracts import EngineFailed, OperatorError
from engine.index.frame import IndexFrame
from engine.index.segment import Reference
from engine.index.shard import OtherManifest, ShardFindings, ShardTaxa, join_shards, merge
from engine.index.species_index import Findings

_AGREE_WITHIN_S = 5.0
_ASK_AGAIN_S = 0.1


class ShardsAway(Exception):
    """The shards are not all there to begin with; ``str`` says how many are."""


class ShardsDisagree(OperatorError):
    """The shards find another generation of the index than the worker, for seconds on end."""

    public = "The parts of my index do not agree just now. Please try again in a minute."


class Shards(Protocol):
    """Whoever searches the segments, one process a shard."""

    def ask(self, question: str, *about: Any) -> Sequence[Any]:
        """Ask every shard; return their answers in order, None of those that gave none in time.

        Raises:
            EngineError: what a shard raised.
        """


class ShardedIndex:
    """To a photo the same as a ``SpeciesIndex``; of the segments it knows only the taxa.

    Where a shard is away, what it would have said is missing, and a note says so.
    """

    def __init__(
        self, frame: IndexFrame, shards: Shards, taxa_of_shards: Sequence[ShardTaxa | None]
    ) -> None:
        self.folder = frame.folder
        self.manifest = frame.manifest
        self.projection = frame.projection
        self.vote_settings = frame.vote_settings
        self._frame = frame
        self._shards = shards
        self._uncounted = [part is None for part in taxa_of_shards]
        self._census = join_shards(taxa_of_shards, frame.manifest.dims)
        self._starts = frame.first_rows()
        self.taxa = self._census.taxa

    @property
    def photos_of_taxon(self) -> NDArray[np.int64] | None:
        """How many photos each of ``taxa`` has; None where a shard is away that may have more."""
        return None if any(self._uncounted) else self._census.photos_of_taxon

    @classmethod
    def open(cls, folder: Path, shards: Shards, *, embedder: str) -> ShardedIndex:
        """Have ``shards`` open the index in ``folder``, which ``embedder`` should have made.

        Raises:
            IndexRefused: there is no index, or it cannot be used.
            ShardsDisagree: the shards find another than is there here.
            ShardsAway: they are not all there.
        """
        index = _open(folder, shards, embedder)
        if any(index._uncounted):
            raise ShardsAway(
                f"{sum(index._uncounted)} of {len(index._uncounted)} shards of the index are not "
                "there; the log of the cluster's nodes says why."
            )
        return index

    @property
    def generation(self) -> int:
        """How many changes the index had seen."""
        return self.manifest.generation

    def refreshed(self) -> ShardedIndex:
        """Return this index where it is whole and its folder unchanged, else what is there now.

        Raises:
            IndexRefused: what is there now cannot be used.
            ShardsDisagree: the shards find another than is there here.
        """
        if self._frame.is_current and not any(self._uncounted):
            return self
        return self.reopened()

    def reopened(self) -> ShardedIndex:
        """Return what is there now.

        Raises:
            IndexRefused: it cannot be used.
        """
        return _open(self.folder, self._shards, self.manifest.embedder)

    def find(self, vectors: NDArray[np.float32]) -> Findings:
        """Search for one individual's ``(n, dims)`` vectors, one of each view.

        Raises:
            OtherManifest: the index was changed since it was opened.
            EngineFailed: no shard is there.
        """
        answers: Sequence[ShardFindings | None] = self._shards.ask(
            "find", str(self.folder), self.manifest, vectors
        )
        counted = [
            None if away else answer for answer, away in zip(answers, self._uncounted, strict=True)
        ]
        here = [answer for answer in counted if answer is not None]
        if not here:
            raise EngineFailed(
                "No part of the index can be reached just now. Please try again in a minute."
            )
        references = {row: found for part in here for row, found in part.references.items()}

        def look_up(rows: Sequence[int]) -> list[Reference]:
            return [references[row] for row in rows]

        evidence = [None if answer is None else answer.evidence for answer in counted]
        return Findings(
            evidence=merge(evidence, self._census, self._starts),
            references=look_up,
            notes=_missing(len(counted) - len(here), len(counted)),
        )


def _open(folder: Path, shards: Shards, embedder: str) -> ShardedIndex:
    give_up = time.monotonic() + _AGREE_WITHIN_S
    while True:
        frame = IndexFrame.read(folder, embedder)
        try:
            return ShardedIndex(frame, shards, shards.ask("taxa", str(folder), frame.manifest))
        except OtherManifest as error:
            # Somebody changed it since it was read; or the shard reads another folder.
            if time.monotonic() > give_up:
                raise ShardsDisagree(str(error)) from error
            time.sleep(_ASK_AGAIN_S)


def _missing(away: int, shards: int) -> tuple[str, ...]:
    if not away:
        return ()
    are, they = ("is", "it holds") if away == 1 else ("are", "they hold")
    return (
        f"{away} of {shards} parts of the index {are} away: species that only {they} are missing.",
    )
