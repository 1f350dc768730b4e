"""The networks that Fieldmark knows: handle, input, labels, licence, checksum.

``catalog.toml`` beside this module ships the list; a file of the user's own adds to it
or changes single keys of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from engine.contracts import EngineError, Group
from engine.taxa import LABEL_SETS

_SHIPPED = Path(__file__).with_name("catalog.toml")
_URL_SCHEMES = ("https://", "http://")

# Names become file names, so they cannot climb out of a folder.
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_Width = Annotated[int, Field(ge=2, le=1_000_000)]
_Text = Annotated[str, Field(min_length=1, max_length=300)]
_LabelSet = Literal[LABEL_SETS]  # type: ignore[valid-type]


def _one_group(group: Group) -> Group:
    if group is Group.AUTO:
        raise ValueError("a network answers for one group")
    return group


class CatalogInvalid(EngineError):
    """A catalog file cannot be used; ``str`` is one sentence that names the key."""


class UnknownModel(EngineError):
    """No table of the catalog has this name."""


@dataclass(
    frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False)
)
class ModelEntry:
    """One network of the catalog; the keys are explained at the top of ``catalog.toml``.

    A classifier has ``labels`` and ``classes``, which count the species and ``background``,
    the last class. An embedder has ``features``, the width of its feature vector; a network
    may be both. ``input_size`` is in pixels. ``checksum`` is as
    ``engine.hub.module_checksum`` counts it.
    """

    name: _Name
    title: _Text
    group: Annotated[Group, AfterValidator(_one_group)]
    handle: _Text
    folders: tuple[_FolderName, ...] = ()
    input_size: Annotated[int, Field(ge=16, le=1024)]
    labels: _LabelSet | None = None
    classes: _Width | None = None
    features: _Width | None = None
    licence: _Text
    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    version: _Text
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    temperature: Annotated[float, Field(gt=0, le=100)] = 1.0
    known_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    auto_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    known_middle: Annotated[float, Field(gt=0, lt=1)] = 0.5
    known_slope: Annotated[float, Field(gt=0, le=50)] = 1.0
    bf16_agreement: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _answers_something(self) -> ModelEntry:
        if (self.labels is None) != (self.classes is None):
            raise ValueError("labels and classes go together")
        if self.classes is None and self.features is None:
            raise ValueError("a network has labels and classes, or features, or all three")
        return self

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


_ENTRY = TypeAdapter(ModelEntry)


def load_catalog(path: Path | None = None) -> Mapping[str, ModelEntry]:
    """Read the shipped catalog, with the tables of ``path`` laid over it, by name.

    Raises:
        CatalogInvalid: the file is missing, is not TOML, has an unknown key or a wrong value.
    """
    if path is None:
        return _shipped_entries()
    tables = dict(_read_tables(_SHIPPED))
    own = _read_tables(path)
    for name, table in own.items():
        tables[name] = {**tables.get(name, {}), **table}
    entries = {name: _validate_entry(path, name, table) for name, table in tables.items()}
    for name in own:
        entries[name] = _anchor_handle(entries[name], path.parent)
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
def _shipped_entries() -> Mapping[str, ModelEntry]:
    tables = _read_tables(_SHIPPED)
    entries = {name: _validate_entry(_SHIPPED, name, table) for name, table in tables.items()}
    return MappingProxyType(
        {name: _anchor_handle(entry, _SHIPPED.parent) for name, entry in entries.items()}
    )


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


def _validate_entry(path: Path, name: str, table: Mapping[str, Any]) -> ModelEntry:
    if "name" in table:
        raise CatalogInvalid(
            f"The catalog {path}, [{name}]: the table's own title is the name; remove 'name'."
        )
    try:
        return _ENTRY.validate_python({"name": name, **table})
    except ValidationError as error:
        raise CatalogInvalid(f"The catalog {path}, [{name}]: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "table"
    match first["type"]:
        case "missing":
            return f"{key!r} is missing."
        case "unexpected_keyword_argument":
            known = ", ".join(field for field in ModelEntry.__slots__ if field != "name")
            return f"{key!r} is not a key of the catalog; its keys are {known}."
        case _:
            complaint = first["msg"].removeprefix("Value error, ")
            complaint = complaint[:1].lower() + complaint[1:]
            if not first["loc"]:
                return f"{complaint}."
            return f"{key!r} is {first['input']!r}, but {complaint}."


def _anchor_handle(entry: ModelEntry, base: Path) -> ModelEntry:
    """Make a folder in ``handle`` absolute: a file's paths are relative to the file."""
    folder = entry.local_folder
    if folder is None:
        return entry
    return replace(entry, handle=str((base / folder.expanduser()).resolve()))
