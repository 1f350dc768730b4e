"""Building the list of vernacular names: what the names need before they fit."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.taxonomy.taxa import TaxonTable, fold
from engine.taxonomy.vernacular import DEFAULT_VERNACULAR_PATH, VernacularNames
from tools.label_facts import LabelsError
from tools.taxa.app import taxa_app
from tools.taxa.vernacular_names import COMMON_NAMES, build, in_order, read_common_names

ROWS = [
    ("Parus major", "deu", "Spiegelmeise"),
    ("Parus major", "deu", "kohl-meise"),
    ("Parus major", "tgl", "pipit (note)"),
    ("Parus major", "tgl", "texas (gopher )tortoise"),
    ("Parus major", "ita", "cincia / cinciallegra"),
    ("Parus major", "cmn", "da shan que"),
    ("Parus major", "zho", "大山雀"),
    ("Parus major", "dnj", "musvit"),
    ("Nothing namedso", "deu", "Nichts"),
    ("Cyanistes caeruleus", "eng", "tom\N{NO-BREAK SPACE}tit"),
]
BY_HAND = "scientific_name\tde\tfr\nParus major\tKohlmeise|Meise\tMésange charbonnière\n"


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "vernacular.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("scientificName", "language", "vernacularName"), *ROWS])
    (tmp_path / "by_hand.tsv").write_text(BY_HAND, encoding="utf-8")
    return tmp_path


def test_names_are_cleaned_and_the_leading_one_chosen(labels: Path, taxa: TaxonTable) -> None:
    out = labels / "out" / "names.gz"
    summary = build(labels, out, taxa, labels / "by_hand.tsv")
    names = VernacularNames.load(out)
    assert list(names.of("Parus major")) == [
        ("da", "Musvit"),
        ("de", "Kohlmeise"),
        ("de", "Meise"),
        ("de", "Spiegelmeise"),
        ("de", "Kohl-meise"),
        ("fil", "Pipit"),
        ("fr", "Mésange charbonnière"),
        ("zh", "大山雀"),
        ("zh", "Da shan que"),
    ]
    assert list(names.of("Cyanistes caeruleus")) == [("en", "Tom tit")]
    assert (summary.names, summary.taxa, summary.languages) == (10, 2, 6)
    assert summary.changes == {
        "language that its code does not mean mended": 1,
        "name of no taxon of the table, or of several, dropped": 1,
        "note in brackets cut": 1,
        "note in place of a name dropped": 2,
    }


def test_the_most_typical_of_several_names_leads() -> None:
    assert in_order(["Hölker", "Gemeine Strandschnecke", "Gemeine Uferschnecke"])[-1] == "Hölker"


def test_a_species_the_table_has_not_is_refused(labels: Path, taxa: TaxonTable) -> None:
    by_hand = labels / "by_hand.tsv"
    by_hand.write_text("scientific_name\tde\nParus maior\tKohlmeise\n", encoding="utf-8")
    with pytest.raises(LabelsError, match="names Parus maior"):
        build(labels, labels / "names.gz", taxa, by_hand)
    with pytest.raises(LabelsError, match="Cannot read the common names"):
        build(labels, labels / "names.gz", taxa, labels / "none.tsv")
    assert not (labels / "names.gz").exists()


def test_every_name_by_hand_leads_in_the_list_of_the_repository(taxa: TaxonTable) -> None:
    names = VernacularNames.load()
    by_hand: dict[tuple[str, str], dict[str, str]] = {}
    for taxon, language, name in read_common_names(COMMON_NAMES):
        by_hand.setdefault((taxon, language), {}).setdefault(fold(name), name)
    assert len(by_hand) > 1000
    for (taxon, language), called in by_hand.items():
        assert names.spoken(taxon, language)[: len(called)] == tuple(called.values())
        assert len(taxa.named(taxon)) == 1


def test_the_list_in_the_repository_is_what_the_sources_give(
    tmp_path: Path, shared: Path, taxa: TaxonTable
) -> None:
    build(shared / "labels", tmp_path / "names.gz", taxa)
    ours = DEFAULT_VERNACULAR_PATH.read_bytes()
    assert gzip.decompress((tmp_path / "names.gz").read_bytes()) == gzip.decompress(ours)
    assert len(ours) < 300_000


def test_the_command_says_what_it_wrote_and_refuses_a_wrong_folder(
    labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "names.gz"
    done = CliRunner().invoke(taxa_app, ["names", str(labels), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "names of" in done.output
    assert VernacularNames.load(out).spoken("Parus major", "fil")[0] == "Pipit"
    wrong = CliRunner().invoke(taxa_app, ["names", str(tmp_path / "none"), "--out", str(out)])
    assert wrong.exit_code == 2
