"""From a catalog entry to a module's folder on this disk, recognised and verified.

A module is used where it lies: in the folder its handle names, in the folder of modules
that the settings name, or where ``fieldmark models pull`` put it. Its content is hashed
each time (30 ms for 14 MB), recorded when first seen, and refused when it changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from engine.catalog import ModelEntry
from engine.contracts import OperatorError
from engine.one_step import write_in_one_step
from engine.settings import EngineSettings

log = logging.getLogger(__name__)

Format = Literal["tf1-hub", "saved-model"]

_MARKER = "tfhub_module.pb"
_GRAPH = "saved_model.pb"
# The one field of TensorFlow Hub's ModuleDef: format = FORMAT_V3, a SavedModel without tags.
_TF1_HUB_V3 = b"\x08\x03"
# Large, because between two parts a thread waits for its turn at the interpreter.
_HASHED_AT_ONCE = 16 << 20


class HubError(OperatorError):
    """Any failure to get at a module; ``str`` is one sentence that says what to do."""

    public = "A network of mine cannot be used: whoever runs me finds the reason in my log."


class ModelMissing(HubError):
    """No folder on this machine holds the module."""


class ModuleRefused(HubError):
    """A folder is there, but it is not a module or not the one that was trusted."""


class Progress(Protocol):
    """Told how a download or a comparison goes on."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take how many bytes or photos are done, and of how many, where that is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module on disk. ``checksum`` is ``module_checksum`` of ``folder`` as it is now."""

    entry: ModelEntry
    folder: Path
    format: Format
    checksum: str


def installed_folder(entry: ModelEntry, settings: EngineSettings) -> Path:
    """Return the place for the module of ``entry`` that was downloaded."""
    return settings.home / "models" / entry.name


def locate(entry: ModelEntry, settings: EngineSettings, *, trust: bool = False) -> Module:
    """Find the module of ``entry`` on this machine and verify it.

    ``trust`` takes the content as it is now for the right one, and records it. So does whoever
    sees it first, if it can be recorded.

    Raises:
        ModelMissing: there is none; the sentence says how to get it.
        ModuleRefused: the folder is no Hub module, or its content is not the trusted one.
        HubError: what was to be trusted cannot be recorded.
    """
    folder = find_folder(entry, settings)
    if folder is None:
        raise ModelMissing(_how_to_get(entry, settings))
    module = read_module(entry, folder)
    _verify_trusted(module, settings, trust=trust)
    return module


def find_folder(entry: ModelEntry, settings: EngineSettings) -> Path | None:
    """Return the folder where the module of ``entry`` should be opened, without reading it."""
    return next((f for f in _places(entry, settings) if _may_be_there(f)), None)


def read_module(entry: ModelEntry, folder: Path) -> Module:
    """Recognise the format of the module in ``folder`` and hash it.

    Raises:
        ModuleRefused: this is no Hub module, or not the one of the catalog's checksum.
    """
    try:
        kind = _recognise_format(folder)
        checksum = module_checksum(folder)
    except OSError as error:
        raise ModuleRefused(
            f"The {entry.name} module in {folder} cannot be read: {error.strerror or error}."
        ) from error
    if entry.checksum is not None and checksum != entry.checksum:
        raise ModuleRefused(
            f"The {entry.name} module in {folder} is not the one the catalog expects: its SHA-256 "
            f"is {checksum[:12]}..., not {entry.checksum[:12]}...; remove it, or change `checksum`."
        )
    return Module(entry=entry, folder=folder, format=kind, checksum=checksum)


def module_checksum(folder: Path) -> str:
    """Return the SHA-256, in hex, over the sorted relative paths and contents of ``folder``."""
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in _walk_files(folder)}
    for name in sorted(files):
        content = hashlib.sha256()
        with files[name].open("rb") as file:
            while part := file.read(_HASHED_AT_ONCE):
                content.update(part)
        digest.update(hashlib.sha256(name.encode()).digest() + content.digest())
    return digest.hexdigest()


def record_trust(module: Module, settings: EngineSettings) -> None:
    """Record that the module in this folder, as it is now, is the right one.

    Raises:
        HubError: the record cannot be written.
    """
    write_json(
        _trust_file(module.entry, module.folder, settings),
        {
            "folder": str(module.folder.resolve()),
            "checksum": module.checksum,
            "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def forget_trust(entry: ModelEntry, folder: Path, settings: EngineSettings) -> None:
    """Drop the record of a module that is going away."""
    _trust_file(entry, folder, settings).unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write ``content`` to ``path`` in one step: a crash leaves the old file or the new one.

    Raises:
        HubError: the file cannot be written.
    """
    try:
        write_in_one_step(path, [json.dumps(content, indent=2).encode()])
    except OSError as error:
        raise HubError(
            f"{path} cannot be written ({error.strerror or error}): "
            "choose a folder you may write to with FIELDMARK_HOME."
        ) from error


def _places(entry: ModelEntry, settings: EngineSettings) -> Iterator[Path]:
    if entry.local_folder is not None:
        yield entry.local_folder
        return
    if settings.models_dir is not None:
        for name in (*entry.folders, entry.name):
            yield settings.models_dir / name
    yield installed_folder(entry, settings)


def _may_be_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return True  # why it cannot be looked at is said where it is opened


def _how_to_get(entry: ModelEntry, settings: EngineSettings) -> str:
    if entry.local_folder is not None:
        return f"The {entry.name} model should be in {entry.local_folder}, which is not there."
    sought = "" if settings.models_dir is None else f" in {settings.models_dir} or {settings.home}"
    return (
        f"The {entry.name} model is not on this machine{sought}: run `fieldmark models pull "
        f"{entry.name}`, or name a folder that holds {entry.folder_name} "
        "in FIELDMARK_MODELS."
    )


def _recognise_format(folder: Path) -> Format:
    if not (folder / _GRAPH).is_file():
        raise ModuleRefused(
            f"{folder} is not a Hub module: it has no {_GRAPH}; unpack the module into it."
        )
    marker = folder / _MARKER
    if not marker.is_file():
        return "saved-model"
    if marker.read_bytes() != _TF1_HUB_V3:
        raise ModuleRefused(
            f"{folder} is a Hub module of an unknown format: its {_MARKER} does not say version 3."
        )
    return "tf1-hub"


def _walk_files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            yield Path(root) / name


def _raise(error: OSError) -> None:
    raise error


def _trust_file(entry: ModelEntry, folder: Path, settings: EngineSettings) -> Path:
    # Resolved: a downloaded module lies behind a link, and each download is trusted apart.
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return settings.home / "checksums" / f"{entry.name}-{place}.json"


def _verify_trusted(module: Module, settings: EngineSettings, *, trust: bool) -> None:
    if module.entry.checksum is not None:
        return  # the catalog's word was taken when the module was read
    path = _trust_file(module.entry, module.folder, settings)
    trusted = None if trust else _read_trusted(path)
    if trust:
        record_trust(module, settings)
    elif trusted is None:
        try:
            record_trust(module, settings)
        except HubError as error:
            log.warning(
                "A change of the %s module would go unnoticed: %s", module.entry.name, error
            )
    elif trusted != module.checksum:
        raise ModuleRefused(
            f"The {module.entry.name} module in {module.folder} changed since it was first used "
            f"(SHA-256 {module.checksum[:12]}..., was {trusted[:12]}...): if that is meant, run "
            f"`fieldmark models pull --force {module.entry.name}`."
        )


def _read_trusted(path: Path) -> str | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ModuleRefused(
            f"The record {path} cannot be read ({error}): remove it to trust the module anew."
        ) from error
    if not isinstance(record, dict) or not isinstance(record.get("checksum"), str):
        raise ModuleRefused(f"The record {path} is damaged: remove it to trust the module anew.")
    return str(record["checksum"])
