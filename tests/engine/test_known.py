"""How likely something is known: the curve, the join of two, and the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts import Ancestor, Taxon
from engine.known import (
    LEAST_TRUST,
    KnownCurve,
    either,
    expected_trust,
    fit_curve,
    log_odds,
    trust_in_likeliest,
)

CURVE = KnownCurve(middle=0.6, slope=8.0)
NEARNESS = KnownCurve(middle=-1.6, slope=2.2)


def test_a_curve_is_even_at_its_middle_and_rises() -> None:
    assert CURVE(0.6) == pytest.approx(0.5)
    assert CURVE(0.6 + 1 / 8) == pytest.approx(1 / (1 + math.exp(-1)))
    assert CURVE(-math.inf) == 0.0
    assert CURVE(0.5) < CURVE(0.7)


@given(st.floats(0, 1), st.floats(0, 1))
def test_two_know_at_least_what_one_knows(first: float, second: float) -> None:
    joined = either(first, second)
    assert max(first, second) - 1e-9 <= joined <= 1
    assert joined == pytest.approx(either(second, first))


@given(st.floats(0, 1))
def test_log_odds_are_finite_and_even_at_a_half(probability: float) -> None:
    assert math.isfinite(log_odds(probability))
    assert log_odds(probability) == pytest.approx(-log_odds(1 - probability), abs=1e-6)


def test_a_fit_gives_back_the_curve_that_made_the_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 1, 20_000)
    known = rng.uniform(size=len(scores)) < [CURVE(s) for s in scores]
    curve = fit_curve(scores[known], scores[~known])
    # Known photos and others count the same, which moves the middle by their log-ratio.
    shift = math.log(known.sum() / (~known).sum()) / CURVE.slope
    assert curve.middle == pytest.approx(CURVE.middle + shift, abs=0.02)
    assert curve.slope == pytest.approx(CURVE.slope, rel=0.05)


def test_a_fit_does_not_hang_on_how_many_there_are_of_each_kind() -> None:
    rng = np.random.default_rng(2)
    known, others = rng.normal(0.7, 0.1, 500), rng.normal(0.5, 0.1, 500)
    once, thrice = fit_curve(known, others), fit_curve(np.tile(known, 3), others)
    assert once.middle == pytest.approx(thrice.middle, abs=1e-3)


def test_scores_that_part_cleanly_still_make_a_curve() -> None:
    curve = fit_curve(np.array([0.8, 0.9]), np.array([0.1, 0.2]))
    assert 0.2 < curve.middle < 0.8
    assert curve(0.9) > 0.99
    with pytest.raises(ValueError, match="one kind is missing"):
        fit_curve(np.array([0.8]), np.array([]))


@given(st.floats(0, 1), st.floats(0.01, 0.49))
def test_trust_grows_the_fewer_strangers_are_expected(even: float, strangers: float) -> None:
    assert expected_trust(even, 0.5) == pytest.approx(max(even, LEAST_TRUST))
    assert LEAST_TRUST <= expected_trust(even, 0.5) <= expected_trust(even, strangers) <= 1


def test_trust_is_what_bayes_says() -> None:
    # Of 80 known photos 40 look so, of 20 others 10 do.
    assert expected_trust(0.5, 0.2) == pytest.approx(0.8)
    # Of 80 known ones 20 do, of 20 others 15.
    assert expected_trust(0.25, 0.2) == pytest.approx(20 / 35)


def of_genus(genus: str | None, epithet: str) -> Taxon:
    lineage = (Ancestor("kingdom", "Animalia"), *([Ancestor("genus", genus)] if genus else []))
    return Taxon(scientific_name=f"{genus} {epithet}", rank="species", lineage=lineage)


HOUSE, TREE = of_genus("Passer", "domesticus"), of_genus("Passer", "montanus")
OWL = of_genus("Tyto", "alba")


@given(st.floats(0, 3), st.floats(0, 3))
def test_a_species_is_trusted_less_the_farther_off_it_lies(near: float, far: float) -> None:
    said = {HOUSE: 0.9, OWL: 0.1}
    near, far = sorted((near, far))
    of_near, of_far = (
        trust_in_likeliest(said, {HOUSE: off, OWL: 0.0}, NEARNESS) for off in (near, far)
    )
    assert of_near is not None
    assert of_far is not None
    assert 1 >= of_near >= of_far >= 0


def test_doubt_within_the_genus_costs_no_trust_and_doubt_of_the_genus_does() -> None:
    distances = {HOUSE: 1.0, TREE: 1.2, OWL: 1.2}
    sure, within, between = (
        trust_in_likeliest(said, distances, NEARNESS)
        for said in ({HOUSE: 0.95}, {HOUSE: 0.55, TREE: 0.4}, {HOUSE: 0.55, OWL: 0.4})
    )
    assert sure == pytest.approx(within)
    assert between is not None
    assert sure is not None
    assert between < sure


def test_an_index_says_nothing_of_a_species_that_it_did_not_find() -> None:
    assert trust_in_likeliest({HOUSE: 0.9, OWL: 0.1}, {OWL: 1.0}, NEARNESS) is None
    assert trust_in_likeliest({}, {}, NEARNESS) is None


def test_a_species_of_no_genus_is_its_own() -> None:
    lone, other = of_genus(None, "x"), of_genus(None, "y")
    distances = {lone: 1.0}
    alone = trust_in_likeliest({lone: 0.6}, distances, NEARNESS)
    assert alone is not None
    assert alone == trust_in_likeliest({lone: 0.6, other: 0.3}, distances, NEARNESS)
