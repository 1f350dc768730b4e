"""How likely it is that a photo shows something that is known, as one probability.

A classifier has its likeliest species, the index how near its best species lies. A logistic
curve (Platt 1999) makes a probability of either, fitted with known photos and others counting
the same. What either knows is known, so the two are joined as independent causes are, by a
noisy or (Pearl 1988). Measured in docs/models.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KNOWN_FROM = 0.4
"""Classifier and index together know a photo from here on: it keeps nine in ten photos of known
species and tells six in ten of others (``train``, cross-validated; docs/models.md)."""

_STEEPEST = 50.0
_NEAR_SURE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCurve:
    """A logistic curve: 0.5 at a score of ``middle``, steeper the greater ``slope`` is."""

    middle: float
    slope: float

    def __call__(self, score: float) -> float:
        """Return the probability, in [0, 1], that something with this ``score`` is known."""
        return 0.5 * (1 + math.tanh(self.slope * (score - self.middle) / 2))


def either(first: float, second: float) -> float:
    """Return the probability that one of two knows it, or both."""
    return 1 - (1 - first) * (1 - second)


def log_odds(probability: float) -> float:
    """Return a classifier's best probability as a score; certainty is finite."""
    bounded = min(max(probability, _NEAR_SURE), 1 - _NEAR_SURE)
    return math.log(bounded / (1 - bounded))


def fit_curve(known: NDArray[np.float64], others: NDArray[np.float64]) -> KnownCurve:
    """Fit a curve to the scores ``(n,)`` of known photos and ``(m,)`` of others.

    Both kinds count the same, however many there are: how often members post something
    unknown is not to be had from how many such photos there were to fit on.

    Raises:
        ValueError: there are none of one kind.
    """
    from scipy.optimize import minimize

    if not len(known) or not len(others):
        raise ValueError("A curve is fitted to known photos and to others: one kind is missing.")

    def loss(parameters: NDArray[np.float64]) -> float:
        middle, log_slope = parameters
        slope = math.exp(log_slope)
        missed = np.logaddexp(0, -slope * (known - middle)).mean()
        let_through = np.logaddexp(0, slope * (others - middle)).mean()
        return float(missed + let_through)

    spread = max(float(np.concatenate([known, others]).std()), _NEAR_SURE)
    start = np.array([(known.mean() + others.mean()) / 2, -math.log(spread)])
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    return KnownCurve(
        middle=round(float(best.x[0]), 4),
        slope=round(min(math.exp(float(best.x[1])), _STEEPEST), 3),
    )
