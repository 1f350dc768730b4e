"""``fieldmark taxa resolve``: what it takes, what it lists, and that it goes on."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.taxonomy.taxa import TaxonTable
from tests.tools import gbif_recordings
from tests.tools.gbif_matches import Matches, match, serving
from tests.tools.test_taxon_table import BIRD, GANNET, MOTH, NOTHING, PLANT, fact, write_facts
from tools.keys.resolved import read_keys
from tools.taxa.app import taxa_app
from tools.taxa.table import build

SHRIMP = ("Animalia", "Arthropoda", "Malacostraca", "Decapoda", "Palaemonidae", "Morus")
FACTS = [
    fact("aiy_birds", 0, "Passer domesticus", BIRD, "House Sparrow", "11"),
    fact("aiy_birds", 1, "Passer montanus", BIRD),
    fact("aiy_birds", 2, "Morus bassanus", GANNET),
    ("aiy_birds", "3", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("aiy_insects", 0, "Noctua pronuba", MOTH),
    fact("aiy_insects", 1, "Noctua comes", MOTH),
    ("aiy_insects", "2", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("aiy_plants", 0, "Malus sylvestris orientalis", PLANT),
    ("aiy_plants", "1", "background", "", *NOTHING, "", "", "none", "", ""),
    fact("inat2021", 0, "Passer italiae", BIRD),
    fact("inat2021", 1, "Morus serrator", SHRIMP),
    fact("inat2021", 2, "Passer hispaniolensis", BIRD),
]
NAMES = [
    ("Passer Montanus", "12", ""),
    ("Morus bassanus", "13", ""),
    ("Noctua pronuba", "31", "32|33"),
    ("Noctua comes", "34", ""),
    ("Noctua comes", "35", ""),
    ("Malus sylvestris subsp. orientalis", "41", ""),
    ("Passer italiae", "11", ""),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(write_facts(tmp_path, FACTS), tmp_path / "taxa.gz")
    with gzip.open(tmp_path / "names.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("scientific_name", "gbif_key", "alternatives"), *NAMES])
    return tmp_path


@pytest.fixture
def matches() -> Iterator[Matches]:
    with serving() as served:
        yield served


def resolve(folder: Path, *options: str) -> Result:
    paths = {
        "--table": "taxa.gz",
        "--keys": "keys.tsv",
        "--journal": "answers.jsonl",
        "--report": "out/report.tsv",
    }
    places = [word for option, name in paths.items() for word in (option, str(folder / name))]
    return CliRunner().invoke(taxa_app, ["resolve", *places, *options])


def keys_of(folder: Path) -> dict[str, int | None]:
    table = TaxonTable.load(folder / "taxa.gz")
    labels = [
        taxon for s in ("birds", "insects", "plants", "inat2021") for taxon in table.labels(s)
    ]
    return {taxon.scientific_name: taxon.gbif_key for taxon in labels if taxon is not None}


def doubts_of(folder: Path) -> dict[str, tuple[str, str]]:
    with (folder / "out/report.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {row["scientific_name"]: (row["doubt"], row["detail"]) for row in rows}


def test_a_list_gives_the_keys_that_it_is_sure_of(folder: Path) -> None:
    done = resolve(folder, "--names", str(folder / "names.csv.gz"))
    assert done.exit_code == 0, done.output
    assert "2 keys found" in done.output
    assert {name: key for name, key in keys_of(folder).items() if key} == {
        "Passer domesticus": 11,
        "Passer montanus": 12,
        "Malus sylvestris orientalis": 41,
    }
    several = "several taxa bear the name"
    assert doubts_of(folder) == {
        "Morus bassanus": (several, "13"),
        "Noctua pronuba": (several, "31 or 32 or 33"),
        "Noctua comes": (several, "34 or 35"),
        "Passer italiae": ("the key is another taxon's", "11 of Passer domesticus"),
        "Morus serrator": ("no such name", ""),
        "Passer hispaniolensis": ("no such name", ""),
    }
    sources = {(key.source, key.status) for key in read_keys(folder / "keys.tsv")}
    assert sources == {("gbif_names", "")}


def test_recordings_go_before_the_list_and_keep_their_doubts(folder: Path) -> None:
    lineages = [
        gbif_recordings.bird(family="Passeridae=5264", species=f"Passer {species}")
        for species in ("montanus=120", "italiae=11", "domesticus=10")
    ]
    namesake = gbif_recordings.columns(kingdom="Plantae", species="Passer hispaniolensis=9")
    answers = [(gbif_recordings.MATCH, answer) for answer in (*lineages, namesake)]
    cut_short = (gbif_recordings.SEARCH, b'{"results": [{')
    recordings = str(gbif_recordings.record(folder / "recordings", *answers, cut_short))
    done = resolve(
        folder, "--recordings", recordings, "--names", str(folder / "names.csv.gz"), "--higher"
    )
    assert done.exit_code == 0, done.output
    assert "4.json was left out: it is no whole JSON." in done.output
    assert "that recordings contradict, and that stay: 1, listed" in " ".join(done.output.split())
    found = keys_of(folder)
    assert (found["Passer montanus"], found["Malus sylvestris orientalis"]) == (120, 41)
    assert (found["Passer domesticus"], found["Passer italiae"]) == (11, None)
    doubt = doubts_of(folder)
    assert doubt["Passer hispaniolensis"] == ("another kingdom", "Plantae")
    assert doubt["Passer domesticus"] == ("recordings have another key", "10, in the table 11")
    (aves,) = TaxonTable.load(folder / "taxa.gz").named("Aves")
    assert aves.gbif_key == 212
    sources = {key.gbif_key: key.source for key in read_keys(folder / "keys.tsv")}
    assert sources == {
        **dict.fromkeys((1, 6, 44, 212, 5264, 120), "recorded_match"),
        41: "gbif_names",
    }


def test_a_folder_that_is_none_of_recordings_changes_nothing(folder: Path) -> None:
    before = (folder / "taxa.gz").read_bytes()
    wrong = resolve(folder, "--recordings", str(folder))
    assert wrong.exit_code == 2
    assert "INDEX.json" in wrong.output
    assert (folder / "taxa.gz").read_bytes() == before
    assert not (folder / "keys.tsv").exists()


def test_a_table_built_anew_with_the_keys_is_the_table_that_was_completed(folder: Path) -> None:
    resolve(folder, "--names", str(folder / "names.csv.gz"))
    completed = (folder / "taxa.gz").read_bytes()
    summary = build(folder, folder / "anew.gz", read_keys(folder / "keys.tsv"))
    assert (folder / "anew.gz").read_bytes() == completed
    assert summary.changes["gbif_key resolved by name"] == 2
    assert summary.coverage["plants"].gbif_key == 1
    again = resolve(folder, "--names", str(folder / "names.csv.gz"))
    assert "0 keys found" in again.output
    assert (folder / "taxa.gz").read_bytes() == completed


def test_gbif_is_asked_for_what_the_list_leaves(folder: Path, matches: Matches) -> None:
    matches.answers |= {
        "Morus bassanus": [match("2480971", "Morus bassanus", family="Sulidae")],
        "Noctua comes": [
            match("1786366", "Noctua comes", family="Noctuidae", status="SYNONYM"),
        ],
        "Noctua pronuba": [match("5", "Noctua pronuba", family="Erebidae")],
    }
    done = resolve(
        folder, "--names", str(folder / "names.csv.gz"), "--ask", "--base-url", matches.url
    )
    assert done.exit_code == 0, done.output
    assert "Passer montanus" not in matches.names_asked()
    assert len(matches.asked) == 6
    found = keys_of(folder)
    assert (found["Morus bassanus"], found["Noctua comes"]) == (2480971, 1786366)
    assert doubts_of(folder)["Noctua pronuba"] == ("another family", "Erebidae")
    statuses = {key.gbif_key: key.status for key in read_keys(folder / "keys.tsv")}
    assert statuses == {12: "", 41: "", 2480971: "ACCEPTED", 1786366: "SYNONYM"}


def test_a_key_given_to_two_labels_is_neithers(folder: Path, matches: Matches) -> None:
    for name in ("Passer montanus", "Passer italiae"):
        matches.answers[name] = [match("77", name, family="Passeridae")]
    resolve(folder, "--ask", "--base-url", matches.url)
    assert doubts_of(folder)["Passer italiae"] == (
        "the key is another taxon's",
        "77 of several taxa",
    )
    assert 77 not in keys_of(folder).values()


def test_a_run_that_gbif_ended_keeps_its_answers_and_goes_on(
    folder: Path, matches: Matches
) -> None:
    matches.answers |= {
        "Passer montanus": [match("12", "Passer montanus", family="Passeridae")],
        "Passer italiae": [
            (429, {"Retry-After": "900"}),
            match("14", "Passer italiae", family="Passeridae"),
        ],
    }
    stopped = resolve(folder, "--ask", "--base-url", matches.url)
    assert stopped.exit_code == 1
    assert "GBIF asks to be left alone for 900 s" in stopped.output
    asked_before = matches.names_asked()
    assert asked_before[-1] == "Passer italiae"
    assert set(doubts_of(folder).values()) >= {("not asked yet", "")}
    done = resolve(folder, "--ask", "--base-url", matches.url)
    assert done.exit_code == 0, done.output
    asked_after = matches.names_asked()[len(asked_before) :]
    assert "Passer italiae" in asked_after
    assert not set(asked_before[:-1]) & set(asked_after)
    assert keys_of(folder)["Passer italiae"] == 14


def test_higher_taxa_are_asked_for_on_demand(folder: Path, matches: Matches) -> None:
    matches.answers["Aves"] = [
        match("212", "Aves", rank="CLASS", family="", match_type="HIGHERRANK")
    ]
    resolve(folder, "--ask", "--higher", "--base-url", matches.url)
    (birds,) = TaxonTable.load(folder / "taxa.gz").named("Aves")
    assert birds.gbif_key == 212


def test_wrong_usage_is_told_and_changes_nothing(folder: Path) -> None:
    before = (folder / "taxa.gz").read_bytes()
    nothing = resolve(folder)
    assert nothing.exit_code == 2
    assert "--ask" in nothing.output
    foreign = resolve(folder, "--names", str(folder / "taxa.csv"))
    assert foreign.exit_code == 2
    assert "Cannot read the list of names" in foreign.output
    assert (folder / "taxa.gz").read_bytes() == before
    assert not (folder / "keys.tsv").exists()
