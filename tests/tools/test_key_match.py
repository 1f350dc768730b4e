"""What is taken from GBIF's name matching as a taxon's key, and what is doubted."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gbif.answer import NameAnswer
from tests.tools.gbif_matches import NONE, match, question
from tools.keys.match import judge, parameters
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.resolved import Question, ResolvedKey

TODAY = date(2026, 8, 1)
TIT = question("Parus major")
SEVERAL = {
    "diagnostics": {"matchType": "NONE", "note": "Multiple equal matches for Parus major"},
    "synonym": False,
}


def judged(asked: Question, raw: Any) -> Outcome:
    return judge(asked, NameAnswer.model_validate(raw), TODAY)


def test_a_match_of_name_rank_kingdom_and_family_is_taken() -> None:
    assert judged(TIT, match("9705453", "Parus major")) == ResolvedKey(
        question=TIT,
        gbif_key=9705453,
        status="ACCEPTED",
        source="species_match",
        resolved_on=TODAY,
    )


def test_a_synonym_keeps_its_own_key(shared: Path) -> None:
    path = shared / "gbif/recordings/rgbif__name_backbone_acceptedUsageKey__0.json"
    moss = question("Anastrophyllum minutum", kingdom="Plantae", family="Anastrophyllaceae")
    found = judged(moss, json.loads(path.read_text(encoding="utf-8")))
    assert isinstance(found, ResolvedKey)
    assert (found.gbif_key, found.status) == (4277323, "SYNONYM")


@pytest.mark.parametrize(
    ("raw", "doubt", "detail"),
    [
        (NONE, Doubt.UNKNOWN, ""),
        (SEVERAL, Doubt.SEVERAL, "Multiple equal matches for Parus major"),
        (match("1", "Parus maior", match_type="VARIANT"), Doubt.SPELLING, "Parus maior"),
        (match("1", "Parus", rank="GENUS", match_type="HIGHERRANK"), Doubt.OTHER_NAME, "Parus"),
        (match("1", "Parus major", match_type="HIGHERRANK"), Doubt.OTHER_NAME, "Parus major"),
        (match("1", "Parus minor"), Doubt.OTHER_NAME, "Parus minor"),
        (match("1", "Parus major", rank="SUBSPECIES"), Doubt.RANK, "SUBSPECIES"),
        (match("1", "Parus major", kingdom="Plantae"), Doubt.KINGDOM, "Plantae"),
        (match("1", "Parus major", family="Passeridae"), Doubt.FAMILY, "Passeridae"),
        (match("1", "Parus major", family=""), Doubt.FAMILY, ""),
        (match("6W5N", "Parus major"), Doubt.OTHER_NAME, "6W5N"),
    ],
)
def test_everything_else_is_listed_with_what_speaks_against_it(
    raw: Any, doubt: Doubt, detail: str
) -> None:
    found = judged(TIT, raw)
    assert isinstance(found, Unresolved)
    assert (found.doubt, found.detail) == (doubt, detail)


def test_a_botanical_third_word_may_be_of_several_ranks() -> None:
    plant = question("Pinus contorta murrayana", "infraspecies", "Plantae", "Pinaceae")
    answer = match("7", plant.scientific_name, rank="VARIETY", kingdom="Plantae", family="Pinaceae")
    assert isinstance(judged(plant, answer), ResolvedKey)
    assert "taxonRank" not in parameters(plant)
    bird = question("Parus major newtoni", "subspecies")
    found = judged(bird, match("7", bird.scientific_name, rank="VARIETY"))
    assert isinstance(found, Unresolved)


def test_of_a_class_higherrank_is_the_class_itself() -> None:
    birds = question("Aves", "class", family="")
    answer = match("212", "Aves", rank="CLASS", match_type="HIGHERRANK", family="")
    assert isinstance(judged(birds, answer), ResolvedKey)
    assert parameters(birds) == {
        "scientificName": "Aves",
        "taxonRank": "CLASS",
        "kingdom": "Animalia",
    }


@settings(deadline=None)
@given(
    name=st.sampled_from(["Parus major", "Parus major ", "Parus majus", "Parus"]),
    rank=st.sampled_from(["SPECIES", "GENUS", "UNRANKED"]),
    kingdom=st.sampled_from(["Animalia", "Plantae", ""]),
    family=st.sampled_from(["Paridae", "Laridae", ""]),
    match_type=st.sampled_from(["EXACT", "VARIANT", "HIGHERRANK", "AMBIGUOUS", "NONE", "odd"]),
    key=st.sampled_from(["12", "0A", "²"]),
)
def test_a_key_is_taken_only_where_everything_agrees(key: str, name: str, **other: str) -> None:
    agrees = (key, name.strip(), *other.values()) == (
        *("12", "Parus major"),
        *("SPECIES", "Animalia", "Paridae", "EXACT"),
    )
    assert isinstance(judged(TIT, match(key, name, **other)), ResolvedKey) == agrees
