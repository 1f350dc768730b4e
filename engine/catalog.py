"""The networks that Fieldmark knows: handle, input, labels, licence, checksum.

``catalog.toml`` beside this module ships the list; a file of the user's own adds to it
or changes single keys of it. What a user's file may say is checked in ``engine.catalog_rules``,
what ships by a test.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.contracts import EngineError, Group

_SHIPPED = Path(__file__).with_name("catalog.toml")
_URL_SCHEMES = ("https://", "http://")


class CatalogInvalid(EngineError):
    """A catalog file cannot be used; ``str`` is one sentence that names the key."""


class UnknownModel(EngineError):
    """No table of the catalog has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One network of the catalog; the keys are explained at the top of ``catalog.toml``.

    A classifier has ``labels`` and ``classes``, which count the species and ``background``,
    the last class. An embedder has ``features``, the width of its feature vector; a network
    may be both. ``input_size`` is in pixels. ``checksum`` is as
    ``engine.networks.hub.module_checksum`` counts it.
    """

    name: str
    title: str
    group: Group
    handle: str
    folders: tuple[str, ...] = ()
    input_size: int
    labels: str | None = None
    classes: int | None = None
    features: int | None = None
    licence: str
    source: str
    version: str
    checksum: str | None = None
    temperature: float = 1.0
    known_threshold: float = 0.5
    auto_threshold: float = 0.5
    known_middle: float = 0.5
    known_slope: float = 1.0
    bf16_agreement: float | None = None
    bf16_joined_agreement: float | None = None

    @property
    def width(self) -> int:
        """How many numbers a photo gets: its classes, or its features if it only embeds."""
        return self.classes or self.features or 0

    @property
    def local_folder(self) -> Path | None:
        """The folder that ``handle`` names, or None where the handle is a URL."""
        return None if self.handle.startswith(_URL_SCHEMES) else Path(self.handle)

    @property
    def folder_name(self) -> str:
        """The name that the module's folder should have in a ``models_dir``."""
        return (*self.folders, self.name)[0]


def load_catalog(path: Path | None = None) -> Mapping[str, ModelEntry]:
    """Read the shipped catalog, with the tables of ``path`` laid over it, by name.

    Raises:
        CatalogInvalid: the file is missing, is not TOML, has an unknown key or a wrong value.
    """
    if path is None:
        return _shipped_entries()
    # What checks a file takes longer to import than a worker to open a network.
    from engine.catalog_rules import check_table

    shipped = _shipped_tables()
    entries = dict(_shipped_entries())
    for name, table in _read_tables(path).items():
        before = {**shipped[name], "handle": entries[name].handle} if name in shipped else {}
        checked = check_table(path, name, {**before, **table})
        entries[name] = _anchor_handle(_entry(name, checked), path.parent)
    return MappingProxyType(entries)


def find_entry(catalog: Mapping[str, ModelEntry], name: str) -> ModelEntry:
    """Return the entry called ``name``.

    Raises:
        UnknownModel: there is none; the sentence lists those there are.
    """
    if name not in catalog:
        raise UnknownModel(f"There is no model called {name!r}; there are: {', '.join(catalog)}.")
    return catalog[name]


@cache
def _shipped_tables() -> Mapping[str, Mapping[str, Any]]:
    return _read_tables(_SHIPPED)


@cache
def _shipped_entries() -> Mapping[str, ModelEntry]:
    return MappingProxyType(
        {
            name: _anchor_handle(_entry(name, table), _SHIPPED.parent)
            for name, table in _shipped_tables().items()
        }
    )


def _entry(name: str, table: Mapping[str, Any]) -> ModelEntry:
    typed = {"group": Group(table["group"]), "folders": tuple(table.get("folders", ()))}
    return ModelEntry(name=name, **{**table, **typed})


def _read_tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogInvalid(
            f"The catalog {path} cannot be read: {error.strerror or error}."
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogInvalid(f"The catalog {path} is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise CatalogInvalid(f"The catalog {path} is not valid TOML: {error}.") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise CatalogInvalid(
                f"The catalog {path} has {name!r} outside a table; write it under [NAME]."
            )
    return tables


def _anchor_handle(entry: ModelEntry, base: Path) -> ModelEntry:
    """Make a folder in ``handle`` absolute: a file's paths are relative to the file."""
    folder = entry.local_folder
    if folder is None:
        return entry
    return replace(entry, handle=str((base / folder.expanduser()).resolve()))
