"""Hub networks as an embedder: pixels in, one feature vector a photo out.

An embedder is one network of the catalog, or several whose features are joined: what a
bird network and an insect network see side by side tells more species apart, and tells
better what neither has seen, than either alone (docs/models.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.batch import BLANK, Batch
from engine.catalog import ModelEntry, find_entry, load_catalog
from engine.contracts import EngineError
from engine.index.manifest import IndexManifest
from engine.index.projection import unit
from engine.network import Networks
from engine.networks.hub import Module
from engine.networks.runtime import Network, NetworkUnreadable, choose_output
from engine.precision import Precision, choose_precision
from engine.settings import EngineSettings

JOIN = "+"
"""What stands between the names, and the identities, of networks that are joined."""


class NoEmbedder(EngineError):
    """The catalog's entry makes no feature vectors, or this machine cannot open it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One network of an embedder, open, and the ``width`` of its features."""

    entry: ModelEntry
    checksum: str
    network: Network
    width: int

    @classmethod
    def of(cls, entry: ModelEntry, opened: tuple[Module, Network]) -> Part:
        """Take the network of ``entry``.

        Raises:
            NoEmbedder: it makes no feature vectors.
        """
        if entry.features is None:
            raise NoEmbedder(
                f"The model {entry.name} makes no feature vectors; choose one that does."
            )
        module, network = opened
        return cls(entry=entry, checksum=module.checksum, network=network, width=entry.features)

    @property
    def identity(self) -> str:
        """What makes the features: module, input size and precision.

        The runtime is no part of it, because OpenVINO and TensorFlow agree to 1e-5 in float32.
        """
        description = self.network.description
        precision = description.removeprefix("openvino ").replace("tensorflow", "f32")
        return f"{self.entry.name}@{self.checksum[:12]}/{self.entry.input_size}/{precision}"

    def features(self, batch: Batch) -> NDArray[np.float32]:
        """Return ``(n, width)`` float32, as the network gives them."""
        outputs = batch.through(self.network, self.entry.input_size)
        return choose_output(outputs, self.width)


class Embedder:
    """One or several of the catalog's networks, open, of which the features are wanted."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self.name = JOIN.join(part.entry.name for part in parts)
        self.width = sum(part.width for part in parts)
        self.title = f" {JOIN} ".join(part.entry.title for part in parts)
        self.runtime = ", ".join(dict.fromkeys(part.network.description for part in parts))
        self.identity = JOIN.join(part.identity for part in parts)
        """What made the vectors. An index that was made by one embedder refuses any other."""

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        """Return ``(n, width)`` float32, the features of each photo.

        One network's are as it gives them; those of several are brought to unit length each,
        so that none outvoices the others.

        Raises:
            NetworkUnreadable: a network has no output of its width.
        """
        features = [part.features(batch) for part in self._parts]
        if len(features) == 1:
            return features[0]
        return np.hstack([unit(rows) for rows in features])


def open_embedder(
    name: str,
    settings: EngineSettings,
    networks: Networks | None = None,
    precisions: Mapping[str, Precision] = MappingProxyType({}),
) -> Embedder:
    """Open the embedder that the catalog calls ``name``, or several, with ``+`` between.

    ``networks`` are those that this process has open already. ``precisions`` say at which
    each network computes, by name; for the others the settings do, and what was measured of them.

    Raises:
        NoEmbedder: one makes no feature vectors, is named twice, or cannot be opened.
        UnknownModel: the catalog has no such entry.
        HubError: a module is missing or not the trusted one.
    """
    catalog = load_catalog(settings.catalog)
    entries = [find_entry(catalog, part) for part in name.split(JOIN)]
    if len(set(entries)) < len(entries):
        raise NoEmbedder(f"A model is named twice in {name}: name each once.")
    networks = networks or Networks(settings)
    joined = len(entries) > 1

    def part(entry: ModelEntry) -> Part:
        # Where it is given, nobody need measure what the processor gains from bf16.
        precision = precisions.get(entry.name) or choose_precision(entry, settings, joined=joined)
        return Part.of(entry, networks.open(entry, precision))

    try:
        embedder = Embedder([part(entry) for entry in entries])
        embedder.embed(Batch([BLANK]))  # shows now if a width is wrong, and warms it up
    except NetworkUnreadable as error:
        raise NoEmbedder(str(error)) from error
    return embedder


def open_embedder_of(
    manifest: IndexManifest, settings: EngineSettings, networks: Networks | None = None
) -> Embedder:
    """Open the embedder that made an index, at the precision at which it made it.

    Whatever the settings say: bf16 keeps only 95 % of the nearest neighbours of f32.

    Raises:
        EngineError: as ``open_embedder``.
    """
    return open_embedder(manifest.embedder_name, settings, networks, manifest.precisions)
