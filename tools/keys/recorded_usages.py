"""Read names and keys of the GBIF backbone out of a folder of recorded answers of GBIF.

The folder has an ``INDEX.json`` that names each answer's file, address, status and, where it
is known, time. GBIF holds thousands of checklists beside its backbone, whose records have
the same fields: Animalia alone has hundreds of keys. So only what is certainly of the
backbone is read:

- answers of ``v1/species/match``, which knows no other checklist, and their alternatives;
- occurrences, by the classification that they carry for the backbone, and otherwise by their
  own columns, unless another checklist was asked for;
- records of ``v1/species`` that name the backbone as their dataset, or name none and are
  their own counterpart in the backbone.

``v2/species/match`` is left out: an answer does not say which checklist it is from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from bot.gbif.client import BACKBONE
from tools.label_facts import RANKS, LabelsError

INDEX = "INDEX.json"
MATCH, OCCURRENCE, USAGE = SOURCES = ("recorded_match", "recorded_occurrence", "recorded_usage")
"""What the kinds of answers are called in the file of resolved keys."""

_RANKS = (*RANKS, "species")
_OK = 200

_Classification = Mapping[str, tuple[str, int | None]]
"""Name and key of a taxon and of those above it, by rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """What one answer says of one name.

    ``rank`` is in lower case. ``status`` is GBIF's word, or empty for a taxon above the
    record's own, which GBIF gives for accepted ones only. ``seen_on`` is when the answer came,
    or where that is not known, when GBIF last interpreted the record, or else None.
    """

    key: int
    name: str
    rank: str
    kingdom: str
    phylum: str
    family: str
    status: str
    source: str
    seen_on: date | None


class _Entry(BaseModel):
    """One answer in the index."""

    file: str
    uri: str
    status: int
    recorded: datetime | None = None


_ENTRIES = TypeAdapter(list[_Entry])


def read_recordings(folder: Path) -> tuple[frozenset[RecordedUsage], list[str]]:
    """Return the usages in the answers of ``folder``, and the files that are no whole JSON.

    Raises:
        LabelsError: The folder has no index, or lacks an answer that this lists.
    """
    usages: set[RecordedUsage] = set()
    damaged = []
    for entry in _entries(folder / INDEX):
        source = _source(urlsplit(entry.uri).path)
        if source is None or entry.status != _OK:
            continue
        try:
            body = from_json((folder / entry.file).read_bytes())
        except OSError as error:
            raise LabelsError(f"Cannot read a recorded answer of {folder}: {error}.") from error
        except ValueError:
            damaged.append(entry.file)
            continue
        usages.update(_usages(entry, source, body))
    return frozenset(usages), damaged


def _entries(index: Path) -> list[_Entry]:
    try:
        return _ENTRIES.validate_json(index.read_bytes())
    except (OSError, ValidationError) as error:
        raise LabelsError(
            f"{index.parent} holds no recorded answers of GBIF: it has no {index.name} that lists"
            " file, uri and status of each."
        ) from error


def _source(path: str) -> str | None:
    if path == "/v1/species/match":
        return MATCH
    if path == "/v1/occurrence/search":
        return OCCURRENCE
    return USAGE if path.split("/")[:3] == ["", "v1", "species"] else None


def _usages(entry: _Entry, source: str, body: Any) -> Iterator[RecordedUsage]:
    """Yield what an answer says, of its records' own names and of those above them."""
    checklists = set(parse_qs(urlsplit(entry.uri).query).get("checklistKey", [BACKBONE]))
    for record in _records(body):
        own: tuple[int | None, str, str, str] = (None, "", "", "")
        if source == OCCURRENCE:
            found = _of_occurrence(record, columns_count=checklists == {BACKBONE})
        elif source == MATCH or _is_backbone(record):
            found = _columns(record)
            own = _own(record, "usageKey" if source == MATCH else "key")
        else:
            continue
        taxa = [(key, name, rank, "") for rank, (name, key) in found.items()]
        for key, name, rank, status in (own, *taxa):
            if key is not None and name:
                yield RecordedUsage(
                    key=key,
                    name=name,
                    rank=rank,
                    kingdom=found.get("kingdom", ("",))[0],
                    phylum=found.get("phylum", ("",))[0],
                    family=found.get("family", ("",))[0],
                    status=status,
                    source=source,
                    seen_on=entry.recorded.date() if entry.recorded else _interpreted_on(record),
                )


def _records(body: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a page, a list, or a single answer with its alternatives."""
    if isinstance(body, dict):
        lists: Iterable[Any] = (body.get("results"), body.get("alternatives"), [body])
    else:
        lists = (body,)
    for records in lists:
        if isinstance(records, list):
            yield from (record for record in records if isinstance(record, dict))


def _is_backbone(record: Mapping[str, Any]) -> bool:
    if "datasetKey" in record:
        return bool(record["datasetKey"] == BACKBONE)
    return _number(record, "key") is not None and record.get("nubKey") == record["key"]


def _of_occurrence(record: Mapping[str, Any], *, columns_count: bool) -> _Classification:
    every = record.get("classifications")
    if not isinstance(every, dict):
        return _columns(record) if columns_count else {}
    ours = every.get(BACKBONE)
    steps = ours.get("classification") if isinstance(ours, dict) else None
    found: dict[str, tuple[str, int | None]] = {}
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and (rank := _text(step, "rank").lower()) in _RANKS:
            key = _text(step, "key")
            is_integer = key.isascii() and key.isdigit()
            found[rank] = _text(step, "name"), int(key) if is_integer else None
    return found


def _columns(record: Mapping[str, Any]) -> _Classification:
    return {
        rank: (name, _number(record, f"{rank}Key"))
        for rank in _RANKS
        if (name := _text(record, rank))
    }


def _interpreted_on(record: Mapping[str, Any]) -> date | None:
    try:
        return datetime.fromisoformat(_text(record, "lastInterpreted")).date()
    except ValueError:
        return None


def _own(record: Mapping[str, Any], key: str) -> tuple[int | None, str, str, str]:
    status = _text(record, "taxonomicStatus") or _text(record, "status")
    name, rank = _text(record, "canonicalName"), _text(record, "rank").lower()
    return _number(record, key), name, rank, status


def _text(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) else ""


def _number(record: Mapping[str, Any], field: str) -> int | None:
    value = record.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
