"""Networks as OpenVINO compiled them, kept on disk for the next worker that opens them.

Compiling takes most of a worker's start, and gives the same for the same module, processor,
OpenVINO and settings. What is kept is good for nothing else, and may be deleted at any
time: it is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.one_step import sweep_drafts, write_in_one_step
from engine.openvino_alone import import_openvino
from engine.processor import describe_processor

log = logging.getLogger(__name__)

RECIPE = 3
"""How ``engine.networks.runtime`` prepares a module before it compiles it, and how what is compiled
is kept: counts up with each change."""

_CHECKSUM_BYTES = 4
_DAMAGED = "its checksum is wrong"

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A network as OpenVINO compiled it.

    It reads its weights from ``file`` for as long as it lives, where it was kept in one: all
    workers have them in memory once. It must not outlive it.
    """

    model: Any
    file: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFolder:
    """The folder for what was compiled of one module, which ``checksum`` identifies."""

    folder: Path
    checksum: str

    def open(self, core: Any, options: Mapping[str, object]) -> Compiled | None:
        """Return the module as it was compiled here with ``options``, or None if it was not."""
        path = self._path(options)
        try:
            content = _map(path)
            tensor = import_openvino().Tensor(content, shared_memory=True)
            return Compiled(model=core.import_model(tensor, "CPU", dict(options)), file=content)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            log.warning("%s cannot be used (%s): compiling anew.", path, reason)
            return None

    def keep(self, compiled: Any, options: Mapping[str, object]) -> None:
        """Keep what was compiled with ``options``, in one step, and drop what it replaces."""
        path = self._path(options)
        made = BytesIO()
        compiled.export_model(made)
        try:
            _write(path, made.getbuffer())
            sweep_drafts(self.folder)
            for other in self.folder.glob("*.blob"):
                if not other.name.startswith(self._module()):
                    other.unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "The compiled network cannot be kept in %s (%s): each worker compiles it anew.",
                self.folder, error.strerror or error,
            )  # fmt: skip

    def _path(self, options: Mapping[str, object]) -> Path:
        here = {**describe_processor(), "options": dict(options)}
        return self.folder / f"{self._module()}-{_digest(here)}.blob"

    def _module(self) -> str:
        """Name the module and what compiles it; of any other there is no use for what was kept."""
        version = import_openvino().get_version()
        return _digest({"module": self.checksum, "openvino": version, "recipe": RECIPE})


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _map(path: Path) -> NDArray[np.uint8]:
    """Return what was written to ``path``, ``(bytes,)``, in memory as far as it is looked at.

    Whoever replaces the file writes another, so that this one stays as it is.

    Raises:
        OSError: it cannot be read, or not all of it is there as it was.
    """
    if not path.stat().st_size:
        raise OSError(_DAMAGED)
    # OpenVINO takes memory that could be written to; what is written to this stays in the process.
    everything = np.memmap(path, np.uint8, mode="c")
    content, checksum = everything[:-_CHECKSUM_BYTES], everything[-_CHECKSUM_BYTES:]
    if checksum.tobytes() != _checksum(content.data):
        raise OSError(_DAMAGED)
    return content


def _write(path: Path, content: Buffer) -> None:
    write_in_one_step(path, (content, _checksum(content)))


def _checksum(content: Buffer) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")
