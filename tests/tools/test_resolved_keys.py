"""The file of keys found by name, and how it is laid over a table."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.taxonomy.taxa import COLUMNS, TaxonTable
from tests.tools.gbif_matches import question
from tools.keys.resolved import Question, ResolvedKey, lay_over, read_keys, write_keys
from tools.label_facts import LabelsError


def key(number: int, name: str, **other: str) -> ResolvedKey:
    return ResolvedKey(
        question=question(name, **other),
        gbif_key=number,
        status="ACCEPTED",
        source="species_match",
        resolved_on=date(2026, 8, 1),
    )


def row(parent: str, rank: str, name: str, gbif_key: str = "") -> list[str]:
    cells = {"parent": parent, "rank": rank, "scientific_name": name, "gbif_key": gbif_key}
    return [cells.get(column, "") for column in COLUMNS]


def test_keys_are_kept_in_one_order_and_read_back(tmp_path: Path) -> None:
    first, second = tmp_path / "1.tsv", tmp_path / "2.tsv"
    keys = [key(3, "Parus minor"), key(2, "Morus alba", kingdom="Plantae", family="Moraceae")]
    write_keys(first, keys)
    write_keys(second, keys[::-1])
    assert first.read_bytes() == second.read_bytes()
    assert read_keys(first) == keys
    assert read_keys(tmp_path / "none.tsv") == []


@pytest.mark.parametrize(
    ("wrong", "right"), [("\t4\t", "\tfour\t"), ("2026-08-01", "today"), ("gbif_key", "key")]
)
def test_a_damaged_file_is_refused(tmp_path: Path, wrong: str, right: str) -> None:
    path = tmp_path / "keys.tsv"
    write_keys(path, [key(4, "Parus minor")])
    path.write_text(path.read_text(encoding="utf-8").replace(wrong, right), encoding="utf-8")
    with pytest.raises(LabelsError, match="holds no resolved keys, or damaged ones"):
        read_keys(path)


def test_a_key_or_a_taxon_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.tsv"
    for keys in ([key(4, "Parus minor"), key(4, "Parus major")], [key(4, "A b"), key(5, "A b")]):
        write_keys(path, keys)
        with pytest.raises(LabelsError, match="twice: remove the line that is wrong"):
            read_keys(path)


def test_keys_fill_gaps_and_only_gaps_of_the_very_taxon() -> None:
    rows = [
        row("", "kingdom", "Animalia"),
        row("0", "family", "Paridae"),
        row("1", "genus", "Parus"),
        row("2", "species", "Parus major", "1"),
        row("2", "species", "Parus minor"),
        row("2", "species", "Parus cinereus"),
        row("0", "family", "Laridae"),
        row("6", "species", "Larus minor"),
    ]
    changes = lay_over(
        rows,
        [
            key(9, "Parus major"),
            key(4, "Parus minor"),
            key(1, "Parus cinereus"),
            key(6, "Larus minor"),
            key(8, "Animalia", rank="kingdom", family=""),
        ],
    )
    column = COLUMNS.index("gbif_key")
    assert [cells[column] for cells in rows] == ["8", "", "", "1", "4", "", "", ""]
    assert changes == {
        "gbif_key resolved by name": 2,
        "resolved gbif_key left out: the facts have another": 1,
        "resolved gbif_key left out: it is another taxon's": 1,
        "resolved gbif_key left out: no such taxon": 1,
    }


def test_every_key_of_the_repository_is_in_its_table() -> None:
    table = TaxonTable.load()
    for found in read_keys():
        taxon = table.by_gbif_key(found.gbif_key)
        assert taxon is not None
        assert Question.of(taxon) == found.question
