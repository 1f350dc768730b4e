"""How likely something is known: the curve, the join of two, and the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.known import KnownCurve, either, fit_curve, log_odds

CURVE = KnownCurve(middle=0.6, slope=8.0)


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
