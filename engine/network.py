"""Open the network of a catalog entry in the runtime that serves it on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from engine.catalog import ModelEntry
from engine.decode import Photo
from engine.hub import Module, locate
from engine.precision import Precision, choose_precision
from engine.preparation import choose_runtime
from engine.runtime import Network, NetworkUnreadable, open_network
from engine.settings import EngineSettings

log = logging.getLogger(__name__)

BLANK = Photo(pixels=np.zeros((64, 64, 3), np.uint8))
"""A photo to try a network on that was just opened."""


class Networks:
    """The networks that a process has open, each once, whoever asks for it.

    ``made_at`` is the precision of those, by name, that the index was made with. Where the
    settings leave it open they classify at it too, so that one run of a network serves both.
    """

    def __init__(
        self, settings: EngineSettings, made_at: Mapping[str, Precision] = MappingProxyType({})
    ) -> None:
        self._settings = settings
        self._made_at = made_at
        self._open: dict[tuple[str, Precision], tuple[Module, Network]] = {}

    def open(self, entry: ModelEntry, precision: Precision | None = None) -> tuple[Module, Network]:
        """Return the module of ``entry`` and its network, as ``open_module`` does.

        ``precision`` is by default the settings', and where they leave it open the index's.
        """
        precision = precision or self._choose(entry)
        key = (entry.name, precision)
        if key not in self._open:
            self._open[key] = open_module(entry, replace(self._settings, precision=precision))
        return self._open[key]

    def _choose(self, entry: ModelEntry) -> Precision:
        asked = self._settings.precision
        if asked == "auto" and entry.name in self._made_at:
            return self._made_at[entry.name]
        return choose_precision(entry, asked)


def open_module(entry: ModelEntry, settings: EngineSettings) -> tuple[Module, Network]:
    """Find the module of ``entry`` and open it; TensorFlow takes what OpenVINO refuses.

    Raises:
        HubError: the module is missing or not the trusted one.
        NetworkUnreadable: the runtime that the settings force, or TensorFlow, cannot take it.
    """
    module = locate(entry, settings)
    choice = choose_runtime(module, settings)
    try:
        network = open_network(
            module.folder,
            runtime=choice.runtime,
            precision=choice.precision,
            threads=settings.threads,
        )
    except NetworkUnreadable as error:
        if settings.runtime != "auto" or choice.runtime == "tensorflow":
            raise
        log.warning("TensorFlow serves %s, because %s", entry.name, error)
        network = open_network(module.folder, runtime="tensorflow", threads=settings.threads)
    return module, network
