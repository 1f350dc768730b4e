"""How the engine is set up on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.precision import PrecisionSetting


def default_home() -> Path:
    """Return the folder where Fieldmark keeps what it downloads and measures."""
    return Path.home() / ".local" / "share" / "fieldmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of the worker pool and the networks it hosts.

    ``home`` is the folder for what is downloaded and measured. ``models_dir`` is a folder
    of Hub modules, one folder each, used in place and never written to; None means those
    that ``fieldmark models pull`` put under ``home``. ``catalog`` is a file laid over
    the list of models that ships with the engine: it adds models or changes their keys.
    ``index`` is the folder of the species index; None means ``index`` under ``home``.

    ``backend`` is what the workers are: processes of this machine, or actors of a Ray cluster,
    ``workers`` on each node that has ``threads`` processors for each. ``address`` is the
    cluster's: empty or ``"local"`` starts one on this machine, ``"auto"`` joins the one that
    runs here, ``"host:port"`` names its head. With a cluster the folders are those of each node,
    and ``index_shards`` above 1 divides the index by segment over so many actors, in place of
    each worker opening all of it.

    A request is given up ``deadline_s`` after it was handed in. A worker that has been at
    one request for ``stuck_after_s`` is killed and replaced. ``queue_limit`` is how many
    requests may wait, and ``queue_mb`` how many MiB of photos with them. ``decode_memory_mb`` is
    how much a worker may grow by, in MiB, while it works on a photo. A network that a worker was
    not asked for in ``unload_after_s`` is let go, and opened again for the next photo that needs
    it; 0 keeps all.
    """

    home: Path = field(default_factory=default_home)
    models_dir: Path | None = None
    catalog: Path | None = None
    index: Path | None = None
    runtime: Literal["auto", "openvino", "tensorflow"] = "auto"
    precision: PrecisionSetting = "auto"
    backend: Literal["process", "ray"] = "process"
    address: str = ""
    index_shards: int = 1
    workers: int = 2
    threads: int = 2
    queue_limit: int = 64
    queue_mb: int = 512
    deadline_s: float = 30.0
    stuck_after_s: float = 15.0
    start_timeout_s: float = 120.0
    decode_memory_mb: int = 1024
    unload_after_s: float = 1800.0

    @property
    def index_folder(self) -> Path:
        """Where the index is: where the settings say, else under ``home``."""
        return self.index or self.home / "index"
