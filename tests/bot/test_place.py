"""Weighing by place, when the records come, come late, or do not come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bot.gbif.client import GbifUnavailable
from bot.place import Place, Places
from engine import Candidate, Group, Identification, Taxon, TaxonTable, Verdict

TAXA = [Taxon(scientific_name=f"Passer {n}", rank="species") for n in range(40)]
ANSWER = Identification(
    candidates=tuple(
        Candidate(taxon=taxon, probability=0.5 / 2**n, model="birds")
        for n, taxon in enumerate(TAXA)
    ),
    verdict=Verdict(taxon=TAXA[0], probability=0.5),
    group=Group.BIRD,
    known=True,
    known_score=1.0,
    models=(),
    timings_ms={},
)


class Occurrences:
    """Has records of some taxa, remembers what it was asked, or fails, or is silent."""

    def __init__(
        self, counts: Mapping[Taxon, int], *, error: Exception | None = None, silent: bool = False
    ) -> None:
        self.counts = counts
        self.error = error
        self.silent = silent
        self.asked: list[tuple[list[Taxon], str]] = []

    def prepare(self) -> None:
        """Nothing is to be made ready."""

    async def recorded_in(self, taxa: Sequence[Taxon], country: str) -> Mapping[Taxon, int]:
        self.asked.append((list(taxa), country))
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return {taxon: self.counts[taxon] for taxon in taxa if taxon in self.counts}


@pytest.fixture(scope="module")
def table() -> TaxonTable:
    return TaxonTable.load()


async def test_only_likely_candidates_are_looked_up(table: TaxonTable) -> None:
    records = Occurrences({TAXA[0]: 0, TAXA[1]: 1000})
    weighed, place = await Places(records, table).weigh(ANSWER, "AT", certainty=0.7)
    assert records.asked == [(TAXA[:9], "AT")]
    assert [c.taxon for c in weighed.candidates[:3]] == [TAXA[1], TAXA[2], TAXA[0]]
    assert place == Place(name="Austria", unrecorded=frozenset({TAXA[0]}))


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (None, "asking GBIF is switched off here"),
        (Occurrences({}, error=GbifUnavailable("no")), "GBIF could not be reached"),
        (Occurrences({}, silent=True), "GBIF could not be reached"),
        (Occurrences({}), "GBIF knows none of these names"),
    ],
)
async def test_without_records_the_answer_stays_and_the_card_says_why(
    table: TaxonTable, records: Occurrences | None, problem: str
) -> None:
    answer, place = await Places(records, table, deadline_s=0.01).weigh(ANSWER, "US", certainty=0.7)
    assert answer is ANSWER
    assert place == Place(name="the United States", problem=problem)
