"""GBIF keys that were looked up by name: ``engine/data/resolved_keys.tsv``.

One line a key, with its source and date, in the order of names. ``fieldmark taxa resolve``
adds to it, and ``fieldmark taxa build`` lays it over the facts, so a table that is built anew keeps
what was found. A key of the facts themselves goes before one found by name.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

from engine import Taxon
from engine.taxonomy.taxa import COLUMNS, DEFAULT_PATH, TAXON_FILE, TaxonTable
from tools.label_facts import LabelsError

RESOLVED_KEYS = DEFAULT_PATH.with_name("resolved_keys.tsv")

_PARENT, _RANK, _NAME, _KEY = (
    COLUMNS.index(column) for column in ("parent", "rank", "scientific_name", "gbif_key")
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Question:
    """What tells a taxon from every other one. ``family`` is empty above a family."""

    kingdom: str
    family: str
    rank: str
    scientific_name: str

    @classmethod
    def of(cls, taxon: Taxon) -> Question:
        """Ask for a taxon of the table; a kingdom and a family are their own."""
        own = {taxon.rank: taxon.scientific_name}
        return cls(
            kingdom=taxon.ancestor("kingdom") or own.get("kingdom", ""),
            family=taxon.ancestor("family") or own.get("family", ""),
            rank=taxon.rank,
            scientific_name=taxon.scientific_name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedKey:
    """The key of the usage of exactly this name, who said so, and when.

    ``status`` is GBIF's word for the name, such as ``ACCEPTED`` or ``SYNONYM``, and empty
    where the source does not say.
    """

    question: Question
    gbif_key: int
    status: str
    source: str
    resolved_on: date


_COLUMNS = (
    *(field.name for field in fields(Question)),
    *(field.name for field in fields(ResolvedKey)[1:]),
)


def read_keys(path: Path = RESOLVED_KEYS) -> list[ResolvedKey]:
    """Read a file of resolved keys; one that is not there holds none.

    Raises:
        LabelsError: The file does not hold what it should, or a key stands there twice.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            keys = [_key(row) for row in csv.DictReader(file, delimiter="\t", strict=True)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise LabelsError(f"{path} holds no resolved keys, or damaged ones: {error}.") from error
    for count in (Counter(k.gbif_key for k in keys), Counter(k.question for k in keys)):
        double = next((value for value, times in count.items() if times > 1), None)
        if double is not None:
            raise LabelsError(f"{path} has {double} twice: remove the line that is wrong.")
    return keys


def write_keys(path: Path, keys: Iterable[ResolvedKey]) -> None:
    """Write ``keys`` in the order of kingdoms, families, ranks and names, in one step."""
    rows = [
        (*astuple(key.question), key.gbif_key, key.status, key.source, key.resolved_on)
        for key in sorted(keys, key=lambda key: key.question)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([_COLUMNS, *rows])
    draft.replace(path)


def lay_over(rows: Sequence[list[str]], keys: Iterable[ResolvedKey]) -> Counter[str]:
    """Put ``keys`` into ``rows`` of a taxon table that have none; count what was done."""
    changes: Counter[str] = Counter()
    found = {key.question: str(key.gbif_key) for key in keys}
    taken = {row[_KEY] for row in rows} - {""}
    for row, question in zip(rows, _questions(rows), strict=True):
        key = found.pop(question, None)
        if key is None or row[_KEY] == key:
            continue
        if row[_KEY]:
            changes["resolved gbif_key left out: the facts have another"] += 1
        elif key in taken:
            changes["resolved gbif_key left out: it is another taxon's"] += 1
        else:
            row[_KEY] = key
            changes["gbif_key resolved by name"] += 1
    changes["resolved gbif_key left out: no such taxon"] += len(found)
    return changes


def lay_over_table(path: Path, keys: Iterable[ResolvedKey]) -> None:
    """Put ``keys`` into the taxon table at ``path``.

    Raises:
        TaxonTableError: There is no taxon table.
    """
    head, lines = TAXON_FILE.read(path)
    rows = [line.split("\t") for line in lines]
    lay_over(rows, keys)
    write_table(path, rows, {k: head[k] for k in head if k not in {"format", "version", "rows"}})


def write_table(path: Path, rows: Sequence[list[str]], facts: dict[str, object]) -> TaxonTable:
    """Write a taxon table, and replace an older one only once it was read back whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(TAXON_FILE.pack(rows, facts))
    table = TaxonTable.load(draft)
    draft.replace(path)
    return table


def _questions(rows: Sequence[list[str]]) -> Iterator[Question]:
    """Yield the question for each row, which stands below its parents."""
    lineages: list[dict[str, str]] = []
    for row in rows:
        above = lineages[int(row[_PARENT])] if row[_PARENT] else {}
        lineage = {**above, row[_RANK]: row[_NAME]}
        lineages.append(lineage)
        yield Question(
            kingdom=lineage.get("kingdom", ""),
            family=lineage.get("family", ""),
            rank=row[_RANK],
            scientific_name=row[_NAME],
        )


def _key(row: dict[str, str]) -> ResolvedKey:
    return ResolvedKey(
        question=Question(**{field.name: row[field.name] for field in fields(Question)}),
        gbif_key=int(row["gbif_key"]),
        status=row["status"],
        source=row["source"],
        resolved_on=date.fromisoformat(row["resolved_on"]),
    )
