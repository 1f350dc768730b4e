"""What a user's catalog file may say, and the sentence that refuses anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from engine.catalog import CatalogInvalid
from engine.contracts import Group
from engine.taxonomy.taxa import LABEL_SETS

# Names become file names, so they cannot climb out of a folder.
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
# Strict, or true would be 1.
_Width = Annotated[int, Field(ge=2, le=1_000_000, strict=True)]
_Share = Annotated[float, Field(ge=0, le=1, strict=True)]
_Text = Annotated[str, Field(min_length=1, max_length=300)]
_LabelSet = Literal[LABEL_SETS]  # type: ignore[valid-type]


def _one_group(group: Group) -> Group:
    if group is Group.AUTO:
        raise ValueError("a network answers for one group")
    return group


class _Table(BaseModel):
    """The keys of ``engine.catalog.ModelEntry``, and what each may be."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: _Name
    title: _Text
    group: Annotated[Group, AfterValidator(_one_group)]
    handle: _Text
    folders: tuple[_FolderName, ...] = ()
    input_size: Annotated[int, Field(ge=16, le=1024, strict=True)]
    labels: _LabelSet | None = None
    classes: _Width | None = None
    features: _Width | None = None
    licence: _Text
    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    version: _Text
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    temperature: Annotated[float, Field(gt=0, le=100, strict=True)] = 1.0
    known_threshold: _Share = 0.5
    auto_threshold: _Share = 0.5
    known_middle: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.5
    known_slope: Annotated[float, Field(gt=0, le=50, strict=True)] = 1.0
    bf16_agreement: _Share | None = None
    bf16_joined_agreement: _Share | None = None

    @model_validator(mode="after")
    def _answers_something(self) -> _Table:
        if (self.labels is None) != (self.classes is None):
            raise ValueError("labels and classes go together")
        if self.classes is None and self.features is None:
            raise ValueError("a network has labels and classes, or features, or all three")
        return self


def check_table(path: Path, name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of ``[name]`` in the catalog at ``path``, each of its type.

    Raises:
        CatalogInvalid: one is unknown, missing or wrong.
    """
    if "name" in table:
        raise CatalogInvalid(
            f"The catalog {path}, [{name}]: the table's own title is the name; remove 'name'."
        )
    try:
        checked = _Table.model_validate({"name": name, **table})
    except ValidationError as error:
        raise CatalogInvalid(f"The catalog {path}, [{name}]: {_sentence(error)}") from error
    return checked.model_dump(exclude={"name"}, exclude_unset=True)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "table"
    match first["type"]:
        case "missing":
            return f"{key!r} is missing."
        case "extra_forbidden":
            known = ", ".join(field for field in _Table.model_fields if field != "name")
            return f"{key!r} is not a key of the catalog; its keys are {known}."
        case _:
            complaint = first["msg"].removeprefix("Value error, ")
            complaint = complaint[:1].lower() + complaint[1:]
            if not first["loc"]:
                return f"{complaint}."
            return f"{key!r} is {first['input']!r}, but {complaint}."
