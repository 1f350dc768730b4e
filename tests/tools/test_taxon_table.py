"""Building the taxon table: what the facts say, and what is done about their faults."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.taxonomy.taxa import DEFAULT_PATH, TaxonTable, fold
from tools.keys.resolved import read_keys
from tools.label_facts import (
    RANKS,
    LabelsError,
    headline,
    rank_of,
    read_facts,
    read_vernacular,
    spell,
    unescape,
)
from tools.taxa.app import taxa_app
from tools.taxa.higher_taxa import read_higher_taxa
from tools.taxa.misleading_names import MisleadingNames, read_misleading_names
from tools.taxa.table import build
from tools.taxa.vernacular_names import subtag

COLUMNS = (
    "group",
    "label_index",
    "label",
    "scientific_name",
    *RANKS,
    "common_name_en",
    "gbif_key",
    "rank",
    "col_key",
    "inat_taxon_id",
)
BIRD = ("Animalia", "Chordata", "Aves", "Passeriformes", "Passeridae", "Passer")
GANNET = ("Animalia", "Chordata", "Aves", "Suliformes", "Sulidae", "Sulidae/Morus")
MOTH = ("Animalia", "Arthropoda", "Insecta", "Lepidoptera", "Noctuidae", "Noctua")
PLANT = ("Plantae", "Tracheophyta", "Magnoliopsida", "Rosales", "Rosaceae", "Malus")
OLD_PLANT = ("Plantae", "Magnoliophyta", "Magnoliopsida", "Rosales", "Rosaceae", "Rubus")
NOTHING = ("",) * 6
NAMES = [
    ("Giraffa camelopardalis", "eng", "giraffe"),
    ("Giraffa camelopardalis", "eng", "Northern Giraffe (Nubian giraffe)"),
    ("Giraffa camelopardalis", "afr", "Nubian Giraffe"),
    ("Bison bison", "eng", "bison"),
    ("Bison bison", "eng", "American bison"),
    ("Passer domesticus", "eng", "Sparrow"),
]


def fact(
    group: str,
    index: int,
    name: str,
    lineage: tuple[str, ...],
    english: str = "",
    key: str = "",
    rank: str = "species",
    col: str = "",
) -> tuple[str, ...]:
    return (group, str(index), name, name, *lineage, english, key, rank, col, "")


FACTS = [
    fact("aiy_birds", 0, "Passer domesticus", BIRD, "House Sparrow", "11", col="AA"),
    fact("aiy_birds", 1, "Passer domesticus indicus", BIRD, "", "11", "infraspecies", "AA"),
    fact("aiy_birds", 2, "Morus bassanus", GANNET, "Pat\\u0113"),
    ("aiy_birds", "3", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("aiy_insects", 0, "Noctua pronuba", MOTH, "Large Yellow Underwing", "31", col="CC"),
    fact("aiy_insects", 1, "Noctua fimbriata", MOTH, "", "32", col="CC"),
    ("aiy_insects", "2", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("aiy_plants", 0, "Malus \\xd7domestica", PLANT, "apple", "41", "hybrid"),
    fact("aiy_plants", 1, "Rubus idaeus", OLD_PLANT, "Raspberry", ""),
    ("aiy_plants", "2", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("inat2021", 0, "Passer domesticus", BIRD, "english sparrow", ""),
    fact("inat2021", 1, "Malus \\xd7domestica", PLANT, "Apple", "42"),
    fact("inat2021", 2, "Malus sylvestris", PLANT, "european crab apple", "43"),
]
GBIF_NAMES = [("Passer domesticus", "11"), ("Noctua pronuba", "31"), ("Malus sieversii", "43")]


def write_facts(folder: Path, facts: list[tuple[str, ...]]) -> Path:
    with (folder / "taxa.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *facts])
    with gzip.open(folder / "gbif_names.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("scientific_name", "gbif_key"), *GBIF_NAMES])
    with gzip.open(folder / "vernacular.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("scientificName", "language", "vernacularName"), *NAMES])
    return folder


@pytest.fixture
def built(tmp_path: Path) -> TaxonTable:
    build(write_facts(tmp_path, FACTS), tmp_path / "taxa.tsv.gz")
    return TaxonTable.load(tmp_path / "taxa.tsv.gz")


def test_rows_of_one_taxon_share_their_key_and_keep_both_english_names(built: TaxonTable) -> None:
    (sparrow,) = built.named("Passer domesticus")
    assert built.labels("birds")[0] is sparrow
    assert built.labels("inat2021")[0] is sparrow
    assert (sparrow.gbif_key, sparrow.vernacular_name) == (11, "House Sparrow")
    assert built.named("English Sparrow") == (sparrow,)


def test_keys_that_may_be_another_taxons_are_dropped(built: TaxonTable) -> None:
    keys = {t.scientific_name: (t.gbif_key, t.col_key) for t in built if t.rank != "genus"}
    assert keys["Passer domesticus"] == (11, "AA")
    assert keys["Passer domesticus indicus"] == (None, None), "the species' keys"
    assert keys["Noctua pronuba"] == (31, None), "two species, one COL key"
    assert keys["Noctua fimbriata"] == (32, None), "GBIF's list does not know this key"
    assert keys["Malus \N{MULTIPLICATION SIGN} domestica"] == (None, None), "41 or 42?"
    assert keys["Malus sylvestris"] == (None, None), "GBIF's list gives 43 to another name"


def test_faults_of_the_texts_are_mended(built: TaxonTable) -> None:
    gannet = built.labels("birds")[2]
    assert gannet is not None
    assert gannet.ancestor("genus") == "Morus"
    assert gannet.vernacular_name == "Pat\N{LATIN SMALL LETTER E WITH MACRON}"
    apple, crab = built.labels("inat2021")[1:]
    assert apple is not None
    assert crab is not None
    assert (apple.rank, apple.vernacular_name) == ("species", "Apple")
    assert crab.vernacular_name == "European Crab Apple"
    raspberry = built.labels("plants")[1]
    assert raspberry is not None
    assert raspberry.ancestor("phylum") == "Tracheophyta"
    assert [built.labels(s)[-1] for s in ("birds", "insects", "plants")] == [None] * 3


def test_the_summary_counts_what_was_done(tmp_path: Path) -> None:
    summary = build(write_facts(tmp_path, FACTS), tmp_path / "out" / "taxa.tsv.gz")
    assert summary.label_taxa == 8
    assert summary.rows == len(TaxonTable.load(summary.path))
    assert summary.size_bytes == summary.path.stat().st_size
    birds = summary.coverage["birds"]
    assert (birds.labels, birds.gbif_key, birds.col_key_only, birds.no_key) == (3, 1, 0, 2)
    assert summary.changes == {
        "English names differed; the classifier's leads": 1,
        "col_key shared with another taxon dropped": 3,
        "gbif_key differed between label sets and was dropped": 1,
        "gbif_key of another name dropped": 2,
        "label rows merged into another set's taxon": 2,
        "phylum Magnoliophyta became Tracheophyta": 1,
        "ranks differed; the form of the name decides": 1,
    }


def test_the_same_facts_give_the_same_bytes_and_in_any_order_the_same_rows(tmp_path: Path) -> None:
    first, second, turned = (tmp_path / name for name in ("1.gz", "2.gz", "3.gz"))
    build(write_facts(tmp_path, FACTS), first)
    build(write_facts(tmp_path, FACTS), second)
    assert first.read_bytes() == second.read_bytes()
    build(write_facts(tmp_path, FACTS[::-1]), turned)
    rows, turned_rows = (gzip.decompress(p.read_bytes()).splitlines()[1:] for p in (first, turned))
    assert rows == turned_rows


def test_the_table_in_the_repository_is_what_the_facts_give(tmp_path: Path, shared: Path) -> None:
    summary = build(shared / "labels", tmp_path / "taxa.tsv.gz", read_keys())
    assert gzip.decompress(summary.path.read_bytes()) == gzip.decompress(DEFAULT_PATH.read_bytes())


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (FACTS[1:], "birds are not numbered"),
        ([*FACTS, fact("inat2021", 3, "Passer domesticus", BIRD)], "two labels of one set"),
        ([*FACTS, fact("aiy_fungi", 0, "Boletus edulis", PLANT)], "no known label set"),
        ([*FACTS, fact("inat2021", 3, "Passer", BIRD)], "names no species"),
        ([], "no column group"),
    ],
)
def test_facts_that_cannot_be_right_are_refused_and_the_old_table_stays(
    tmp_path: Path, facts: list[tuple[str, ...]], sentence: str
) -> None:
    out = tmp_path / "taxa.tsv.gz"
    out.write_bytes(b"the old table")
    with pytest.raises(LabelsError, match=sentence):
        build(write_facts(tmp_path, facts), out)
    assert out.read_bytes() == b"the old table"


def test_a_folder_without_facts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"taxa\.csv"):
        build(tmp_path, tmp_path / "taxa.tsv.gz")
    write_facts(tmp_path, FACTS)
    (tmp_path / "gbif_names.csv.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(LabelsError, match=r"gbif_names\.csv\.gz"):
        build(tmp_path, tmp_path / "taxa.tsv.gz")


def test_the_command_prints_the_counts_and_refuses_a_wrong_folder(tmp_path: Path) -> None:
    out = tmp_path / "taxa.tsv.gz"
    run = CliRunner().invoke(
        taxa_app, ["build", str(write_facts(tmp_path, FACTS)), "--out", str(out)]
    )
    assert run.exit_code == 0, run.output
    assert "phylum Magnoliophyta became Tracheophyta" in run.output
    assert len(TaxonTable.load(out)) > 8
    wrong = CliRunner().invoke(taxa_app, ["build", str(tmp_path / "none"), "--out", str(out)])
    assert wrong.exit_code == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cordilleran flycatcher", "Cordilleran Flycatcher"),
        ("blue-rumped euphonia", "Blue-rumped Euphonia"),
        ("Portuguese man o' war", "Portuguese Man o' War"),
        ("Anna\\u2019s Eighty-eight", "Anna\N{RIGHT SINGLE QUOTATION MARK}s Eighty-eight"),
        ("the soldier", "The Soldier"),
        ("", ""),
    ],
)
def test_english_names_get_their_capitals(given: str, expected: str) -> None:
    assert headline(given) == expected


def test_escapes_and_hybrid_signs_are_decoded() -> None:
    sign = "\N{MULTIPLICATION SIGN}"
    assert unescape("a\\xd7b\\u0101") == f"a{sign}b\N{LATIN SMALL LETTER A WITH MACRON}"
    assert spell("Malus \\xd7domestica") == spell(f"Malus {sign} domestica")


def test_the_form_of_a_name_tells_its_rank() -> None:
    sign = "\N{MULTIPLICATION SIGN}"
    assert rank_of("Passer domesticus", "Animalia") == "species"
    assert rank_of(f"Malus {sign} domestica", "Plantae") == "species"
    assert rank_of(f"Anas superciliosa {sign} platyrhynchos", "Animalia") == "hybrid"
    assert rank_of("Anas crecca carolinensis", "Animalia") == "subspecies"
    assert rank_of("Pinus contorta murrayana", "Plantae") == "infraspecies"


def test_every_higher_taxon_named_by_hand_is_in_the_table() -> None:
    taxa = {(taxon.scientific_name, taxon.rank): taxon for taxon in TaxonTable.load()}
    by_hand = read_higher_taxa()
    assert len(by_hand) > 200
    for taxon, (name, *_) in by_hand.items():
        assert (taxa[taxon].vernacular_name or "") == name


def test_every_word_for_a_higher_taxon_finds_it() -> None:
    table = TaxonTable.load()
    for (name, rank), (_, *words) in read_higher_taxa().items():
        for word in words:
            (found,) = (t for t in table.named(word) if (t.scientific_name, t.rank) == (name, rank))
            assert found
            assert word.casefold() not in {t.scientific_name.casefold() for t in table.named(word)}


def test_no_species_is_found_by_a_name_that_misleads(shared: Path) -> None:
    table = TaxonTable.load()
    called = {taxon.scientific_name: taxon for taxon in table}
    sources = {
        *((r["scientific_name"], "en", r["common_name_en"]) for r in read_facts(shared / "labels")),
        *(
            (species, subtag(code), name)
            for species, code, name in read_vernacular(shared / "labels")
        ),
    }
    for species, language, pattern in read_misleading_names():
        misleading = MisleadingNames([(species, language, pattern)])
        dropped = [name for one, code, name in sources if misleading.has(one, code, name)]
        assert dropped, (species, language, pattern)
        kept = {fold(name) for name in table.vernacular_names(called[species], language)}
        assert not kept & set(map(fold, dropped))
        if language == "en":
            assert not any(called[species] in table.named(name) for name in dropped)
