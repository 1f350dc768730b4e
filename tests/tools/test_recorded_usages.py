"""What is read out of recorded answers, and above all what is not."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bot.gbif.client import BACKBONE
from tests.tools.gbif_recordings import (
    API,
    COL_XR,
    MATCH,
    OCCURRENCES,
    SEARCH,
    SUGGEST,
    bird,
    columns,
    occurrence,
    record,
    step,
    usage,
)
from tools.keys.recorded_usages import INDEX, read_recordings
from tools.label_facts import LabelsError

PASSER = bird(family="Passeridae=5264", genus="Passer=2492321")
OTHER_CHECKLIST = "9ca92552-f23a-41a8-a140-01abaa31c931"


def keys_in(folder: Path) -> dict[tuple[str, str], set[int]]:
    found: dict[tuple[str, str], set[int]] = {}
    for one in read_recordings(folder)[0]:
        found.setdefault((one.rank, one.name), set()).add(one.key)
    return found


def test_a_match_gives_every_taxon_of_its_lineage_and_of_its_alternatives(tmp_path: Path) -> None:
    answer = {
        "matchType": "NONE",
        "alternatives": [
            {"usageKey": 9, "canonicalName": "Passer", "rank": "GENUS", **PASSER},
            {"usageKey": 7, "canonicalName": "Passer rex", "rank": "SPECIES", "status": "SYNONYM"},
        ],
    }
    assert keys_in(record(tmp_path, (MATCH, answer))) == {
        ("kingdom", "Animalia"): {1},
        ("phylum", "Chordata"): {44},
        ("class", "Aves"): {212},
        ("family", "Passeridae"): {5264},
        ("genus", "Passer"): {9, 2492321},
        ("species", "Passer rex"): {7},
    }


def test_a_usage_knows_its_lineage_status_source_and_day(tmp_path: Path) -> None:
    (family,) = (
        one for one in read_recordings(record(tmp_path, (MATCH, PASSER)))[0] if one.rank == "family"
    )
    assert (family.kingdom, family.phylum, family.family) == ("Animalia", "Chordata", "Passeridae")
    assert (family.status, family.source) == ("", "recorded_match")
    assert family.seen_on == date(2025, 11, 13)


def test_records_of_other_checklists_are_left_out(tmp_path: Path) -> None:
    theirs = {"datasetKey": OTHER_CHECKLIST}
    page = {
        "results": [
            usage(101, "Aves", "CLASS")
            | theirs
            | {"nubKey": 212, **columns(kingdom="Animalia=99")},
            usage(102, "Aves", "CLASS") | theirs,
            usage(212, "Aves", "CLASS", **columns(kingdom="Animalia")),
        ]
    }
    assert keys_in(record(tmp_path, (SEARCH, page))) == {
        ("class", "Aves"): {212},
        ("kingdom", "Animalia"): {1},
    }


def test_a_record_of_no_dataset_must_be_its_own_counterpart(tmp_path: Path) -> None:
    def anonymous(key: int, nub: int | None) -> dict[str, Any]:
        named = {"canonicalName": "Aves", "rank": "CLASS"}
        return {"key": key, **named, **({} if nub is None else {"nubKey": nub})}

    listed = [anonymous(212, 212), anonymous(7, None), anonymous(8, 212)]
    assert keys_in(record(tmp_path, (SUGGEST, listed))) == {("class", "Aves"): {212}}


def test_a_parsed_name_has_a_key_of_another_kind(tmp_path: Path) -> None:
    name = {"key": 55, "canonicalName": "Aves", "rank": "CLASS", "type": "SCIENTIFIC"}
    assert keys_in(record(tmp_path, (f"{API}/v1/species/212/name", name))) == {}


def test_an_occurrence_is_read_by_its_classification_in_the_backbone(tmp_path: Path) -> None:
    both = {
        COL_XR: [step("KINGDOM", "Animalia", "N"), step("CLASS", "Aves", "123")],
        BACKBONE: [step("KINGDOM", "Animalia", "1"), step("CLASS", "Aves", "212")],
    }
    page = {"results": [occurrence(both, **columns(**{"class": "Aves=999"}))]}
    assert keys_in(record(tmp_path, (OCCURRENCES, page))) == {
        ("kingdom", "Animalia"): {1},
        ("class", "Aves"): {212},
    }


def test_an_occurrence_without_classifications_is_read_by_its_columns(tmp_path: Path) -> None:
    page = {"results": [occurrence(None, **PASSER)]}
    found = keys_in(record(tmp_path, (OCCURRENCES, page)))
    assert found["genus", "Passer"] == {2492321}
    named = record(tmp_path, (f"{OCCURRENCES}&checklistKey={BACKBONE}", page))
    assert keys_in(named) == found


@pytest.mark.parametrize(
    "page",
    [
        {"results": [occurrence(None, **PASSER)]},
        {"results": [occurrence({COL_XR: [step("CLASS", "Aves", "212")]}, **PASSER)]},
    ],
)
def test_an_occurrence_in_another_checklist_is_not_read(
    tmp_path: Path, page: dict[str, Any]
) -> None:
    uri = f"{OCCURRENCES}&checklistKey={COL_XR}"
    assert keys_in(record(tmp_path, (uri, page))) == {}


def test_a_match_of_the_second_version_is_not_read(tmp_path: Path) -> None:
    answer = {"usage": {"key": "212", "name": "Aves", "rank": "CLASS"}, **PASSER}
    assert keys_in(record(tmp_path, (f"{API}/v2/species/match?scientificName=Aves", answer))) == {}


def test_errors_are_no_answers(tmp_path: Path) -> None:
    assert keys_in(record(tmp_path, (MATCH, PASSER), status=429)) == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "Aves",
        7,
        [None, 7, "x", []],
        {"results": None},
        {"results": {"kingdom": "Animalia", "kingdomKey": 1}},
        {"results": [], "count": 0},
        {"kingdom": "Animalia", "kingdomKey": "1"},
        {"kingdom": "Animalia", "kingdomKey": True},
        {"kingdom": ["Animalia"], "kingdomKey": 1},
        {"kingdom": "", "kingdomKey": 1},
        {"usageKey": 5, "canonicalName": None, "rank": "GENUS"},
    ],
)
@pytest.mark.parametrize("uri", [MATCH, SEARCH, OCCURRENCES])
def test_empty_and_odd_bodies_say_nothing(tmp_path: Path, uri: str, body: Any) -> None:
    assert read_recordings(record(tmp_path, (uri, body))) == (frozenset(), [])


@pytest.mark.parametrize(
    "classifications",
    [{}, {BACKBONE: None}, {BACKBONE: {}}, {BACKBONE: {"classification": "x"}}],
)
def test_columns_do_not_make_up_for_a_classification_that_is_not_there(
    tmp_path: Path, classifications: Any
) -> None:
    page = {"results": [occurrence(None, classifications=classifications, **PASSER)]}
    assert keys_in(record(tmp_path, (OCCURRENCES, page))) == {}


def test_what_is_cut_short_is_named(tmp_path: Path) -> None:
    whole = json.dumps(PASSER).encode()
    folder = record(tmp_path, (MATCH, whole[:-9]), (SEARCH, b""), (MATCH, whole))
    usages, damaged = read_recordings(folder)
    assert damaged == ["0.json", "1.json"]
    assert {one.name for one in usages} >= {"Passer"}


def test_without_a_day_of_the_answer_the_records_own_counts(tmp_path: Path) -> None:
    interpreted = {"lastInterpreted": "2024-10-04T01:16:33.192+00:00"}
    page = {"results": [occurrence(None, **PASSER, **interpreted)]}
    (day,) = {
        one.seen_on
        for one in read_recordings(record(tmp_path, (OCCURRENCES, page), recorded=None))[0]
    }
    assert day == date(2024, 10, 4)
    (day,) = {
        one.seen_on for one in read_recordings(record(tmp_path, (MATCH, PASSER), recorded=None))[0]
    }
    assert day is None


def test_a_folder_that_is_none_of_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"has no INDEX\.json that lists file, uri and status"):
        read_recordings(tmp_path)
    (tmp_path / INDEX).write_text("[{}]", encoding="utf-8")
    with pytest.raises(LabelsError, match="holds no recorded answers of GBIF"):
        read_recordings(tmp_path)
    folder = record(tmp_path, (MATCH, PASSER))
    (folder / "0.json").unlink()
    with pytest.raises(LabelsError, match="Cannot read a recorded answer"):
        read_recordings(folder)
