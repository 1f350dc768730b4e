"""A shard of the index as an actor."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.index.manifest import IndexManifest
from engine.index.shard import OtherManifest, Shard, ShardFindings, ShardTaxa
from engine.index.species_index import SpeciesIndex


class IndexShard:
    """Searches the segments of a shard, for any of the cluster's workers, several at once.

    It opens them for who first asks, and again whenever the index has changed. One call more
    than it should search at once must be let run: ``live`` is under way for as long as it lives.
    """

    def __init__(self, number: int, of: int) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._shard = Shard(number=number, of=of)
        self._index: SpeciesIndex | None = None
        self._opens = threading.Lock()

    def taxa(self, folder: str, manifest: IndexManifest) -> ShardTaxa:
        """Return what a census needs to know of the index in ``folder``, as ``manifest`` has it.

        Raises:
            IndexRefused: the shard's segments cannot be used.
            OtherManifest: the folder holds another here.
        """
        return self._open(Path(folder), manifest).shard_taxa()

    def find(
        self, folder: str, manifest: IndexManifest, vectors: NDArray[np.float32]
    ) -> ShardFindings:
        """Search for one individual's ``(n, dims)`` vectors.

        Raises:
            IndexRefused: the shard's segments cannot be used.
            OtherManifest: the folder holds another here.
        """
        index = self._open(Path(folder), manifest)
        found = index.find(vectors)
        rows = np.unique(found.evidence.rows[found.evidence.rows >= 0]).tolist()
        with self._opens:  # which SQLite's connection is not
            references = dict(zip(rows, found.references(rows), strict=True))
        return ShardFindings(evidence=found.evidence, references=references)

    def live(self) -> None:
        """Never return: whoever called learns at once when the actor dies."""
        threading.Event().wait()

    def _open(self, folder: Path, manifest: IndexManifest) -> SpeciesIndex:
        with self._opens:
            index = self._index
            if index is None or index.folder != folder:
                index = SpeciesIndex.open(folder, shard=self._shard)
            elif index.manifest != manifest:
                index = index.reopened()
            self._index = index
        if index.manifest != manifest:
            raise OtherManifest(
                f"Shard {self._shard.number} finds generation {index.generation} of the index in "
                f"{folder}, its worker generation {manifest.generation}: put the index on a "
                "folder that all nodes share."
            )
        return index
