"""Which keys recorded answers give the taxa of a table, and which stay in doubt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.taxonomy.taxa import LABEL_SETS, TaxonTable
from tests.tools.gbif_recordings import (
    MATCH,
    OCCURRENCES,
    SEARCH,
    bird,
    columns,
    occurrence,
    record,
    usage,
)
from tests.tools.test_resolve import FACTS
from tests.tools.test_taxon_table import write_facts
from tools.keys.coverage import higher_coverage
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.recorded_usages import SOURCES, read_recordings
from tools.keys.recordings import RecordedKeys
from tools.keys.resolved import Question, ResolvedKey, lay_over_table, read_keys
from tools.taxa.table import build

TODAY = date(2026, 8, 1)


@pytest.fixture
def table(tmp_path: Path) -> TaxonTable:
    build(write_facts(tmp_path, FACTS), tmp_path / "taxa.gz")
    return TaxonTable.load(tmp_path / "taxa.gz")


def recorded_keys(table: TaxonTable, folder: Path, *answers: tuple[str, Any]) -> RecordedKeys:
    return RecordedKeys(read_recordings(record(folder, *answers))[0], table)


def outcomes(table: TaxonTable, recorded: RecordedKeys) -> dict[str, Outcome]:
    """Look up all taxa without a key, by ``name`` or, of namesakes, ``name (family)``."""
    questions = [Question.of(taxon) for taxon in table if taxon.gbif_key is None]
    names = [question.scientific_name for question in questions]
    return {
        q.scientific_name
        if names.count(q.scientific_name) == 1
        else f"{q.scientific_name} ({q.family})": found
        for q, found in zip(questions, recorded.look_up(questions, TODAY), strict=True)
    }


def keys(found: dict[str, Outcome]) -> dict[str, int]:
    return {name: one.gbif_key for name, one in found.items() if isinstance(one, ResolvedKey)}


def doubts(found: dict[str, Outcome]) -> dict[str, tuple[Doubt, str]]:
    return {
        name: (one.doubt, one.detail)
        for name, one in found.items()
        if isinstance(one, Unresolved) and one.doubt is not Doubt.UNKNOWN
    }


def test_a_lineage_gives_its_taxa_their_keys(table: TaxonTable, tmp_path: Path) -> None:
    lineage = bird(
        order="Passeriformes=729",
        family="Passeridae=5264",
        genus="Passer=2492321",
        species="Passer montanus=5788968",
    )
    page = {"results": [occurrence(None, **lineage)]}
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (OCCURRENCES, page)))
    assert keys(found) == {
        "Animalia": 1,
        "Chordata": 44,
        "Aves": 212,
        "Passeriformes": 729,
        "Passeridae": 5264,
        "Passer": 2492321,
        "Passer montanus": 5788968,
    }
    assert doubts(found) == {}
    genus = found["Passer"]
    assert isinstance(genus, ResolvedKey)
    assert (genus.source, genus.status) == ("recorded_occurrence", "")
    assert genus.resolved_on == date(2025, 11, 13)


def test_a_namesake_in_another_kingdom_is_another_taxon(table: TaxonTable, tmp_path: Path) -> None:
    noctua = columns(kingdom="Plantae", phylum="Tracheophyta", genus="Noctua=77")
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (MATCH, noctua)))
    assert keys(found) == {"Plantae": 6}
    assert doubts(found) == {"Noctua": (Doubt.KINGDOM, "Plantae")}


def test_namesakes_in_one_kingdom_are_told_apart_by_their_family(
    table: TaxonTable, tmp_path: Path
) -> None:
    gannets = bird(order="Suliformes", family="Sulidae", genus="Morus=2480962")
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (MATCH, gannets)))
    assert keys(found)["Morus (Sulidae)"] == 2480962
    assert doubts(found) == {"Morus (Palaemonidae)": (Doubt.PHYLUM, "Chordata")}
    nowhere = bird(genus="Morus=2480962")
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (MATCH, nowhere)))
    assert doubts(found)["Morus (Sulidae)"] == (Doubt.FAMILY, "")


def test_a_namesake_in_another_phylum_is_another_taxon(table: TaxonTable, tmp_path: Path) -> None:
    squids = columns(kingdom="Animalia", phylum="Mollusca", order="Decapoda=99")
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (MATCH, squids)))
    assert doubts(found) == {"Decapoda": (Doubt.PHYLUM, "Mollusca")}
    unsaid = columns(kingdom="Animalia", order="Decapoda=637")
    assert keys(outcomes(table, recorded_keys(table, tmp_path / "r", (MATCH, unsaid)))) == {
        "Animalia": 1,
        "Decapoda": 637,
    }


def test_of_two_keys_neither_is_taken(table: TaxonTable, tmp_path: Path) -> None:
    families = [bird(family="Passeridae=5264"), bird(family="Passeridae=9999")]
    found = outcomes(
        table, recorded_keys(table, tmp_path / "r", *((MATCH, one) for one in families))
    )
    assert doubts(found) == {"Passeridae": (Doubt.SEVERAL, "5264 or 9999")}
    assert keys(found) == {"Animalia": 1, "Chordata": 44, "Aves": 212}


def test_another_checklists_key_is_no_second_one(table: TaxonTable, tmp_path: Path) -> None:
    theirs = usage(101, "Aves", "CLASS", datasetKey="9ca92552-f23a-41a8-a140-01abaa31c931")
    ours = usage(212, "Aves", "CLASS", **columns(kingdom="Animalia"))
    page = {"results": [theirs | columns(kingdom="Animalia=99"), ours]}
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (SEARCH, page)))
    assert keys(found) == {"Animalia": 1, "Aves": 212}


def test_a_synonym_is_listed_and_gives_way_to_an_accepted_namesake(
    table: TaxonTable, tmp_path: Path
) -> None:
    synonym = usage(5, "Passer", "GENUS", taxonomicStatus="SYNONYM", **bird(family="Passeridae"))
    page = {"results": [synonym]}
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (SEARCH, page)))
    assert doubts(found)["Passer"] == (Doubt.SYNONYM, "5, SYNONYM")
    accepted = usage(6, "Passer", "GENUS", **bird(family="Passeridae"))
    page = {"results": [synonym, accepted]}
    found = outcomes(table, recorded_keys(table, tmp_path / "r", (SEARCH, page)))
    passer = found["Passer"]
    assert isinstance(passer, ResolvedKey)
    assert (passer.gbif_key, passer.status) == (6, "ACCEPTED")


def test_a_key_is_as_recent_as_its_latest_recording(table: TaxonTable, tmp_path: Path) -> None:
    def of(day: str | None, folder: str) -> Iterable[Any]:
        page = {"results": [occurrence(None, **bird())]}
        return read_recordings(record(tmp_path / folder, (OCCURRENCES, page), recorded=day))[0]

    def resolved_on(*usages: Any) -> date:
        found = outcomes(table, RecordedKeys(usages, table))["Aves"]
        assert isinstance(found, ResolvedKey)
        return found.resolved_on

    undated = of(None, "1")
    assert resolved_on(*undated) == TODAY
    assert resolved_on(*undated, *of("2025-11-13 08:00:00", "2"), *of("2024-01-02", "3")) == date(
        2025, 11, 13
    )


def test_a_key_that_no_recording_has_is_listed(table: TaxonTable, tmp_path: Path) -> None:
    def contradicted(*species: str) -> list[tuple[str, str]]:
        answers = [
            (MATCH, bird(family="Passeridae", species=f"Passer domesticus={key}"))
            for key in species
        ]
        recorded = recorded_keys(table, tmp_path / "r", *answers)
        return [(one.question.scientific_name, one.detail) for one in recorded.contradictions()]

    assert contradicted() == contradicted("11") == contradicted("11", "12") == []
    assert contradicted("12") == [("Passer domesticus", "12, in the table 11")]


def test_real_recordings_give_the_keys_that_the_repository_has(
    shared: Path, tmp_path: Path
) -> None:
    usages, damaged = read_recordings(shared / "gbif/recordings")
    assert damaged == []
    table = TaxonTable.load()
    recorded = RecordedKeys(usages, table)
    assert list(recorded.contradictions()) == []
    kept = {key.question: key.gbif_key for key in read_keys() if key.source in SOURCES}
    found = {
        one.question: one.gbif_key
        for one in recorded.look_up([Question.of(taxon) for taxon in table], TODAY)
        if isinstance(one, ResolvedKey)
    }
    assert kept.items() <= found.items()
    birds, insects = (
        Question(kingdom="Animalia", family="", rank="class", scientific_name=name)
        for name in ("Aves", "Insecta")
    )
    assert (found[birds], found[insects]) == (212, 216)


def test_coverage_counts_higher_taxa_and_the_labels_below_them(
    table: TaxonTable, tmp_path: Path
) -> None:
    lineage = bird(family="Passeridae=5264", genus="Passer=2492321")
    recorded = recorded_keys(table, tmp_path / "r", (MATCH, lineage))
    found = outcomes(table, recorded).values()
    lay_over_table(tmp_path / "taxa.gz", [one for one in found if isinstance(one, ResolvedKey)])
    counts = higher_coverage(TaxonTable.load(tmp_path / "taxa.gz"))
    genus, birds = counts["genus"], counts["class"]
    assert (genus.taxa, genus.gbif_key) == (5, 1)
    assert [genus.labels[s] for s in LABEL_SETS] == [2, 0, 0, 2]
    assert (birds.taxa, birds.gbif_key) == (4, 1)
    assert [birds.labels[s] for s in LABEL_SETS] == [3, 0, 0, 2]
