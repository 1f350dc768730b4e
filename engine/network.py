"""Open the network of a catalog entry in the runtime that serves it on this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from time import monotonic
from types import MappingProxyType

from engine.catalog import ModelEntry, load_catalog
from engine.contracts import NetworkLost
from engine.index.folder import MANIFEST
from engine.networks.compiled import CompiledFolder
from engine.networks.hub import Module, ModuleRefused, locate
from engine.networks.preparation import choose_runtime
from engine.networks.runtime import (
    Images,
    Network,
    NetworkUnreadable,
    Outputs,
    RuntimeName,
    open_network,
)
from engine.openvino_alone import import_openvino
from engine.precision import Precision, choose_precision, precisions_of
from engine.settings import EngineSettings

log = logging.getLogger(__name__)

_OPENED_AT_ONCE = 2


class ResidentNetwork:
    """A network that is let go while nobody asks it, and opened again for who asks next."""

    def __init__(
        self, network: Network, opens: Callable[[], Network], clock: Callable[[], float]
    ) -> None:
        self._network: Network | None = network
        self._opens = opens
        self._clock = clock
        self._asked = clock()
        self.description = network.description

    def __call__(self, images: Images) -> Outputs:
        """Run a batch; see ``Network``.

        Raises:
            NetworkLost: it was let go, and is missing by now, another, or cannot be opened.
        """
        network = self._network  # which may be let go of meanwhile
        if network is None:
            try:
                network = self._network = self._opens()
            # Whatever it was, memory that ran out included: a fresh worker begins without it.
            except Exception as error:
                raise NetworkLost(str(error) or type(error).__name__) from error
        self._asked = self._clock()
        return network(images)

    def let_go(self, unasked_for_s: float) -> bool:
        """Free its memory if nobody has asked it for so long; tell whether it was freed now."""
        if self._network is None or self._clock() - self._asked < unasked_for_s:
            return False
        self._network = None
        return True


Opened = tuple[Module, ResidentNetwork]


class Networks:
    """The networks that a process has open, each once, whoever asks for it.

    ``made_at`` is the precision of those, by name, that the index was made with. Where the
    settings leave it open they classify at it too, so that one run of a network serves both.
    ``clock`` counts the seconds that nobody asks them.
    """

    def __init__(
        self,
        settings: EngineSettings,
        made_at: Mapping[str, Precision] = MappingProxyType({}),
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self._made_at = made_at
        self._clock = clock
        self._opened: dict[tuple[str, Precision], Future[Opened]] = {}

    def begin(self, entries: Iterable[ModelEntry]) -> None:
        """Open ``entries`` in threads of their own, while the caller does something else.

        What cannot be opened is told to whoever calls ``open`` for it. To hash and to compile a
        module takes long, and no interpreter: the caller has that to itself.
        """
        threads = ThreadPoolExecutor(_OPENED_AT_ONCE, thread_name_prefix="opens networks")
        located = {entry: threads.submit(locate, entry, self._settings) for entry in entries}
        if self._settings.runtime != "tensorflow":
            import_openvino()
        for entry, found in located.items():
            precision = self._choose(entry)
            settings = replace(self._settings, precision=precision)
            self._opened[entry.name, precision] = threads.submit(self._open, found.result, settings)
        threads.shutdown(wait=False)

    def open(self, entry: ModelEntry, precision: Precision | None = None) -> tuple[Module, Network]:
        """Return the module of ``entry`` and its network, as ``open_module`` does.

        ``precision`` is by default the settings', and where they leave it open the index's.
        """
        precision = precision or self._choose(entry)
        key = (entry.name, precision)
        if key not in self._opened:
            settings = replace(self._settings, precision=precision)
            opened: Future[Opened] = Future()
            opened.set_result(self._open(partial(locate, entry, settings), settings))
            self._opened[key] = opened
        return self._opened[key].result()

    def let_go(self, unasked_for_s: float) -> bool:
        """Free those that nobody has asked for so long; tell whether there were any."""
        opened = [one.result()[1] for one in self._opened.values() if one.exception() is None]
        freed = [network for network in opened if network.let_go(unasked_for_s)]
        return bool(freed)

    def _open(self, find: Callable[[], Module], settings: EngineSettings) -> Opened:
        module = find()
        network = _open_located(module, settings)
        # In the same runtime: to bring in another would take the memory that a worker lacks then.
        runtime: RuntimeName = "tensorflow" if network.description == "tensorflow" else "openvino"
        again = partial(_open_again, module, replace(settings, runtime=runtime))
        return module, ResidentNetwork(network, again, self._clock)

    def _choose(self, entry: ModelEntry) -> Precision:
        if self._settings.precision == "auto" and entry.name in self._made_at:
            return self._made_at[entry.name]
        return choose_precision(entry, self._settings)


def begin_networks(settings: EngineSettings) -> Networks:
    """Return a process's networks, those that classify being opened in threads of their own."""
    networks = Networks(settings, made_at=_precisions_of_index(settings))
    networks.begin(
        entry for entry in load_catalog(settings.catalog).values() if entry.labels is not None
    )
    return networks


def _precisions_of_index(settings: EngineSettings) -> Mapping[str, Precision]:
    """Glance at the manifest: to check it takes pydantic, and as long as to open a network."""
    try:
        manifest = json.loads((settings.index_folder / MANIFEST).read_bytes())
        return precisions_of(manifest["embedder"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # and why is said where the index is opened


def _open_again(before: Module, settings: EngineSettings) -> Network:
    begun = monotonic()
    module = locate(before.entry, settings)
    if module.checksum != before.checksum:
        # Its labels and the index that it made were matched with the one of before.
        raise ModuleRefused(
            f"The {module.entry.name} module in {module.folder} was replaced while it was not in "
            "use."
        )
    network = _open_located(module, settings)
    log.info("Opened %s again in %.2f s.", module.entry.name, monotonic() - begun)
    return network


def open_module(entry: ModelEntry, settings: EngineSettings) -> tuple[Module, Network]:
    """Find the module of ``entry`` and open it; TensorFlow takes what OpenVINO refuses.

    Raises:
        HubError: the module is missing or not the trusted one.
        NetworkUnreadable: the runtime that the settings force, or TensorFlow, cannot take it.
    """
    module = locate(entry, settings)
    return module, _open_located(module, settings)


def _open_located(module: Module, settings: EngineSettings) -> Network:
    choice = choose_runtime(module, settings)
    try:
        return open_network(
            module.folder,
            runtime=choice.runtime,
            precision=choice.precision,
            threads=settings.threads,
            kept=CompiledFolder(
                folder=settings.home / "compiled" / module.entry.name, checksum=module.checksum
            ),
        )
    except NetworkUnreadable as error:
        if settings.runtime != "auto" or choice.runtime == "tensorflow":
            raise
        log.warning("TensorFlow serves %s, because %s", module.entry.name, error)
        return open_network(module.folder, runtime="tensorflow", threads=settings.threads)
