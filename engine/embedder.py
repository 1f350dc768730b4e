"""A Hub network as an embedder: pixels in, one feature vector a photo out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.catalog import ModelEntry, find_entry, load_catalog
from engine.contracts import EngineError
from engine.decode import Photo
from engine.hub import Module
from engine.network import BLANK, open_module
from engine.runtime import Network, NetworkUnreadable, choose_output
from engine.settings import EngineSettings


class NoEmbedder(EngineError):
    """The catalog's entry makes no feature vectors, or this machine cannot open it."""


class Embedder:
    """One of the catalog's networks, open, of which the feature vectors are wanted."""

    def __init__(self, module: Module, network: Network, features: int, precision: str) -> None:
        self.entry: ModelEntry = module.entry
        self.width = features
        self.runtime = network.description
        self.identity = (
            f"{module.entry.name}@{module.checksum[:12]}/{module.entry.input_size}/{precision}"
        )
        """What made the vectors: module, input size and precision. An index that was made by
        one embedder refuses any other. The runtime is not part of it, because OpenVINO and
        TensorFlow agree to 1e-5 in float32."""
        self._network = network

    def embed(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Return ``(n, width)`` float32, the features of each photo as the network gives them.

        Raises:
            NetworkUnreadable: the network has no output of that width.
        """
        images = np.stack([photo.resized(self.entry.input_size) for photo in photos])
        return choose_output(self._network(images), self.width)


def open_embedder(name: str, settings: EngineSettings) -> Embedder:
    """Open the embedder that the catalog calls ``name``.

    Raises:
        NoEmbedder: it makes no feature vectors, or cannot be opened.
        UnknownModel: the catalog has no such entry.
        HubError: the module is missing or not the trusted one.
    """
    entry = find_entry(load_catalog(settings.catalog), name)
    if entry.features is None:
        raise NoEmbedder(f"The model {name} makes no feature vectors; choose one that does.")
    try:
        module, network = open_module(entry, settings)
        precision = network.description.removeprefix("openvino ").replace("tensorflow", "f32")
        embedder = Embedder(module, network, entry.features, precision)
        embedder.embed([BLANK])  # shows now if the width is wrong, and warms it up
    except NetworkUnreadable as error:
        raise NoEmbedder(str(error)) from error
    return embedder
