"""Asking GBIF politely, through pygbif, with a journal to go on from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from urllib3.util import Retry

from bot.gbif.client import BACKBONE
from tests.tools.gbif_matches import Matches, match, question, serving
from tools.keys.journal import Journal
from tools.keys.outcome import Doubt, Unresolved
from tools.keys.questions import Asker, GbifLost
from tools.keys.resolved import ResolvedKey
from tools.label_facts import LabelsError

TODAY = date(2026, 8, 1)
TIT = question("Parus major")


@pytest.fixture
def matches() -> Iterator[Matches]:
    with serving() as served:
        served.answers["Parus major"] = [match("9705453", "Parus major")]
        yield served


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def asker(matches: Matches, waits: list[float], tmp_path: Path) -> Asker:
    return Asker(
        Journal(tmp_path / "answers.jsonl"),
        today=TODAY,
        contact="https://example.org/fieldmark",
        base_url=matches.url,
        patience=Retry(total=2, backoff_factor=0),
        wait=waits.append,
    )


def test_the_backbone_is_asked_by_name_and_told_who_asks(asker: Asker, matches: Matches) -> None:
    found = asker.ask(TIT)
    assert isinstance(found, ResolvedKey)
    assert (found.gbif_key, found.resolved_on) == (9705453, TODAY)
    assert matches.asked == [
        {
            "scientificName": "Parus major",
            "taxonRank": "SPECIES",
            "kingdom": "Animalia",
            "family": "Paridae",
            "checklistKey": BACKBONE,
        }
    ]
    assert matches.agents[0].startswith("Fieldmark (https://example.org/fieldmark) ")
    assert "pygbif/" in matches.agents[0]


def test_a_pause_asked_for_is_kept(asker: Asker, matches: Matches, waits: list[float]) -> None:
    matches.answers["Parus major"][:0] = [(429, {"Retry-After": "7"}), (503, {})]
    assert isinstance(asker.ask(TIT), ResolvedKey)
    assert waits == [7.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((503, {}), r"does not answer \(503 Service Unavailable\)"),
        ((429, {"Retry-After": "3600"}), "asks to be left alone for 3600 s"),
        ((200, {"Content-Type": "text/html"}), "does not answer"),
        ((200, {}), "does not answer"),
        ([], "does not answer"),
        ({"usage": None}, "does not answer"),
    ],
)
def test_a_gbif_that_stays_away_ends_it_and_nothing_is_noted(
    asker: Asker, matches: Matches, tmp_path: Path, answer: object, sentence: str
) -> None:
    matches.answers["Parus major"] = [answer]
    with pytest.raises(GbifLost, match=sentence):
        asker.ask(TIT)
    assert not (tmp_path / "answers.jsonl").exists()
    assert 1 <= len(matches.asked) <= 3


def test_a_refused_question_is_listed_and_not_put_again(asker: Asker, matches: Matches) -> None:
    matches.answers["Parus major"] = [(400, {"Content-Type": "text/plain"})]
    for _ in range(2):
        found = asker.ask(TIT)
        assert isinstance(found, Unresolved)
        assert (found.doubt, found.detail) == (Doubt.REFUSED, "400 Bad Request")
    assert len(matches.asked) == 1


def test_a_formula_of_two_species_is_not_asked(asker: Asker, matches: Matches) -> None:
    found = asker.ask(question("Anas superciliosa \N{MULTIPLICATION SIGN} platyrhynchos", "hybrid"))
    assert isinstance(found, Unresolved)
    assert found.doubt is Doubt.FORMULA
    assert matches.asked == []


def test_what_was_answered_is_not_asked_again_even_after_a_cut(
    asker: Asker, matches: Matches, tmp_path: Path
) -> None:
    first = asker.ask(TIT)
    asker.ask(question("Parus minor"))
    journal = tmp_path / "answers.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    later = Asker(Journal(journal), today=date(2027, 1, 1), base_url=matches.url)
    assert later.ask(TIT) == first
    later.ask(question("Parus minor"))
    assert matches.names_asked() == ["Parus major", "Parus minor", "Parus minor"]
    assert Journal(journal).answer_to(question("Parus minor")) is not None


@pytest.mark.parametrize(
    "content", [b"[]\n", b"notes\n", b"notes", b"\xff\xfe\n", b'[{}, "2026", {}]\n']
)
def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match="is no journal of answers"):
        Journal(path)
    assert path.read_bytes() == content
