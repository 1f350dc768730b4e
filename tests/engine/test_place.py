"""A place changes the order of candidates, removes none and keeps the sum."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from engine import Candidate, Group, Identification, Taxon, TaxonTable, Verdict
from engine.place import NEVER_RECORDED, weigh, weigh_identification, weight

TAXA = [Taxon(scientific_name=f"Passer {letter}", rank="species") for letter in "abcdefgh"]
PROBABILITIES = st.dictionaries(
    st.sampled_from(TAXA), st.floats(1e-6, 1 / len(TAXA)), min_size=1, max_size=len(TAXA)
)
COUNTS = st.integers(0, 10**9) | st.integers(0, 20)
RECORDS = st.dictionaries(st.sampled_from(TAXA), COUNTS)


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9)


@given(PROBABILITIES, RECORDS)
def test_nothing_is_removed_and_the_sum_stays(
    before: dict[Taxon, float], records: dict[Taxon, int]
) -> None:
    after = weigh(before, records)
    assert after.keys() == before.keys()
    assert all(0 < p <= 1 for p in after.values())
    assert close(sum(after.values()), sum(before.values()))


@given(PROBABILITIES, RECORDS)
def test_what_nothing_is_known_of_keeps_its_probability(
    before: dict[Taxon, float], records: dict[Taxon, int]
) -> None:
    after = weigh(before, records)
    assert all(after[taxon] == before[taxon] for taxon in before if taxon not in records)


@given(PROBABILITIES, RECORDS, st.sampled_from(TAXA), st.integers(1, 10**6))
def test_more_records_never_speak_against_a_species(
    before: dict[Taxon, float], records: dict[Taxon, int], taxon: Taxon, more: int
) -> None:
    fewer = {taxon: 0, **records}
    after = weigh(before, {**fewer, taxon: fewer[taxon] + more})
    for other, p in weigh(before, fewer).items():
        if other == taxon:
            assert after[other] >= p * (1 - 1e-12)
        elif other in fewer:
            assert after[other] <= p * (1 + 1e-12)


@given(PROBABILITIES, COUNTS)
def test_equal_counts_change_nothing(before: dict[Taxon, float], count: int) -> None:
    after = weigh(before, dict.fromkeys(TAXA, count))
    assert all(close(after[taxon], p) for taxon, p in before.items())


@given(COUNTS, COUNTS)
def test_a_place_is_worth_at_most_a_factor_of_twenty(some: int, others: int) -> None:
    assert NEVER_RECORDED <= weight(some) <= 1
    assert weight(some) / weight(others) <= 1 / NEVER_RECORDED + 1e-9
    assert (weight(some) > weight(others)) or some <= others or some > 10**6


SPARROW, TREE_SPARROW, FINCH, WARBLER = (
    ("Passer domesticus", 2_000_000),
    ("Passer montanus", 400_000),
    ("Haemorhous mexicanus", 0),
    ("Setophaga pinus", 0),
)


def test_a_case_with_known_counts() -> None:
    """A house finch of America, in Austria, where only the sparrows have been recorded."""
    table = TaxonTable.load()
    taxa = [table.named(name)[0] for name, _ in (FINCH, SPARROW, WARBLER, TREE_SPARROW)]
    finch, sparrow, warbler, tree_sparrow = taxa
    looks = dict(zip(taxa, (0.55, 0.3, 0.08, 0.05), strict=True))
    answer = Identification(
        candidates=tuple(
            Candidate(taxon=taxon, probability=p, model="birds") for taxon, p in looks.items()
        ),
        verdict=Verdict(taxon=finch, probability=0.55),
        group=Group.BIRD,
        known=True,
        known_score=1.0,
        models=(),
        timings_ms={},
    )
    records = {finch: 0, sparrow: SPARROW[1], warbler: 0, tree_sparrow: TREE_SPARROW[1]}
    here = weigh_identification(answer, records, table.ancestor, certainty=0.7)
    assert [c.taxon for c in here.candidates] == [sparrow, tree_sparrow, finch, warbler]
    weighed = {c.taxon: c.probability for c in here.candidates}
    assert close(sum(weighed.values()), 0.98)
    assert close(weighed[finch] / weighed[warbler], looks[finch] / looks[warbler])
    assert here.verdict is not None
    assert here.verdict.taxon == sparrow
    assert here.verdict.probability == weighed[sparrow]
    strict = weigh_identification(answer, records, table.ancestor, certainty=0.85)
    assert strict.verdict is not None
    assert strict.verdict.taxon.scientific_name == "Passer"


def test_a_place_leaves_what_is_trusted_to_be_known_as_it_was() -> None:
    table = TaxonTable.load()
    house, tree = (table.named(name)[0] for name, _ in (SPARROW, TREE_SPARROW))
    answer = Identification(
        candidates=tuple(
            Candidate(taxon=taxon, probability=p, model="index")
            for taxon, p in ((house, 0.4), (tree, 0.3))
        ),
        verdict=None,
        group=Group.BIRD,
        known=True,
        known_score=0.6,
        trust=0.7,
        models=(),
        timings_ms={},
    )
    here = weigh_identification(answer, {house: 0, tree: 10**6}, table.ancestor, certainty=0.9)
    assert close(sum(c.probability for c in here.candidates), 0.7)
    assert here.verdict is not None
    # Of the genus it is as sure as before: a species that the models lack may be of it too.
    assert here.verdict.taxon.scientific_name == "Passer"
    assert close(here.verdict.probability, 1.0)
    (first, _) = here.candidates
    named = weigh_identification(answer, {house: 0, tree: 10**6}, table.ancestor, certainty=0.6)
    assert named.verdict == Verdict(taxon=tree, probability=first.probability)


def test_what_is_not_known_stays_unknown() -> None:
    answer = Identification(
        candidates=(Candidate(taxon=TAXA[0], probability=0.9, model="birds"),),
        verdict=None,
        group=Group.BIRD,
        known=False,
        known_score=0.0,
        models=(),
        timings_ms={},
    )
    here = weigh_identification(answer, {TAXA[0]: 5}, lambda *_: None)
    assert here.verdict is None
    assert close(here.candidates[0].probability, 0.9)
