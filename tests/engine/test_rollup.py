"""Unsure evidence climbs to the taxon that it is sure of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Ancestor, Taxon
from engine.rollup import CERTAINTY, roll_up

LINEAGE = (
    ("kingdom", "Animalia"), ("class", "Aves"), ("family", "Passeridae"), ("genus", "Passer"),
)  # fmt: skip


def species(name: str, *lineage: tuple[str, str], rank: str = "species") -> Taxon:
    return Taxon(
        scientific_name=name, rank=rank, lineage=tuple(Ancestor(*step) for step in lineage)
    )


HOUSE = species("Passer domesticus", *LINEAGE)
ITALIAN = species("Passer italiae", *LINEAGE)
ROCK = species("Petronia petronia", *LINEAGE[:3], ("genus", "Petronia"))
CROW = species("Corvus corone", *LINEAGE[:2], ("family", "Corvidae"), ("genus", "Corvus"))
FLY = species("Musca domestica", LINEAGE[0], ("class", "Insecta"))
EVERY = (HOUSE, ITALIAN, ROCK, CROW, FLY)


def ancestor(taxon: Taxon, rank: str) -> Taxon | None:
    for depth, step in enumerate(taxon.lineage):
        if step.rank == rank:
            return Taxon(scientific_name=step.name, rank=rank, lineage=taxon.lineage[:depth])
    return None


@pytest.mark.parametrize(
    ("probabilities", "verdict", "probability"),
    [
        ({HOUSE: 0.9, ITALIAN: 0.05}, "Passer domesticus", 0.9),
        ({HOUSE: 0.5, ITALIAN: 0.41}, "Passer", 0.91),
        ({HOUSE: 0.3, ITALIAN: 0.2, ROCK: 0.3}, "Passeridae", 0.8),
        ({HOUSE: 0.4, CROW: 0.35, FLY: 0.2}, "Aves", 0.75),
        ({HOUSE: 0.4, FLY: 0.4}, "Animalia", 0.8),
    ],
)
def test_the_deepest_sure_taxon_is_the_verdict(
    probabilities: dict[Taxon, float], verdict: str, probability: float
) -> None:
    found = roll_up(probabilities.items(), ancestor, certainty=0.7)
    assert found is not None
    assert found.taxon.scientific_name == verdict
    assert found.probability == pytest.approx(probability)


def test_a_verdict_on_an_ancestor_has_the_lineage_above_it() -> None:
    found = roll_up([(HOUSE, 0.5), (ITALIAN, 0.4)], ancestor)
    assert found is not None
    assert found.taxon == Taxon(
        scientific_name="Passer",
        rank="genus",
        lineage=tuple(Ancestor(*step) for step in LINEAGE[:3]),
    )


def test_too_little_evidence_gives_no_verdict() -> None:
    assert roll_up([(HOUSE, 0.3), (FLY, 0.2)], ancestor) is None
    assert roll_up([], ancestor) is None


def test_genera_of_one_name_in_two_kingdoms_stay_apart() -> None:
    gannet = species("Morus bassanus", ("kingdom", "Animalia"), ("genus", "Morus"))
    mulberry = species("Morus alba", ("kingdom", "Plantae"), ("genus", "Morus"))
    assert roll_up([(gannet, 0.5), (mulberry, 0.5)], ancestor) is None


@pytest.mark.parametrize("species_first", [True, False])
def test_a_species_has_what_its_subspecies_have(*, species_first: bool) -> None:
    part = species("Passer domesticus indicus", *LINEAGE, ("species", HOUSE.scientific_name))
    likely = [(HOUSE, 0.5), (part, 0.4)]
    found = roll_up(likely if species_first else likely[::-1], ancestor)
    assert found is not None
    assert found.taxon == HOUSE
    assert found.probability == pytest.approx(0.9)


def test_a_low_threshold_still_wants_half_of_the_parent() -> None:
    found = roll_up([(HOUSE, 0.3), (ITALIAN, 0.31), (ROCK, 0.1)], ancestor, certainty=0.25)
    assert found is not None
    assert found.taxon.scientific_name == "Passer italiae"
    split = [(HOUSE, 0.3), (species("Passer montanus", *LINEAGE), 0.3), (ITALIAN, 0.3)]
    found = roll_up(split, ancestor, certainty=0.25)
    assert found is not None
    assert found.taxon.scientific_name == "Passer"


@given(st.lists(st.floats(0, 0.2), min_size=5, max_size=5))
def test_a_verdict_is_never_below_its_threshold(probabilities: list[float]) -> None:
    found = roll_up(zip(EVERY, probabilities, strict=True), ancestor)
    total = sum(probabilities)
    assert (found is not None) == (total >= CERTAINTY)
    if found is not None:
        assert CERTAINTY <= found.probability <= min(1.0, total) + 1e-9


def test_a_species_that_may_be_an_unknown_one_gives_way_to_its_genus() -> None:
    likely = [(HOUSE, 0.95), (ITALIAN, 0.03)]
    sure, doubtful = (roll_up(likely, ancestor, trust=trust) for trust in (0.9, 0.5))
    assert sure is not None
    assert doubtful is not None
    assert sure.taxon == HOUSE
    assert sure.probability == pytest.approx(0.95 * 0.9)
    assert doubtful.taxon.rank == "genus"
    assert doubtful.probability == pytest.approx(0.98)


@given(st.floats(0, 1), st.floats(0, 1))
def test_less_trust_never_makes_a_verdict_deeper(first: float, second: float) -> None:
    likely = [(HOUSE, 0.9), (ITALIAN, 0.05)]
    depths = []
    for trust in sorted((first, second)):
        found = roll_up(likely, ancestor, trust=trust)
        depths.append(len(found.taxon.lineage) if found else -1)
    assert depths[0] <= depths[1]
