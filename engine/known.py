"""How likely it is that a photo shows something that is known, as one probability.

A classifier has its likeliest species. An index is asked of the likeliest species of all that
was said: how far off it lies, against how far its own photos do and by how much there is to see
(``engine.index.vote``), and how probable its genus is.
A logistic curve (Platt 1999) makes a probability of either, fitted with known photos and others
counting the same. What either knows is known, so the two are joined as independent causes are,
by a noisy or (Pearl 1988). Measured in docs/models.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Taxon

KNOWN_FROM = 0.4
"""Classifier and index together know a photo from here on: it keeps nine in ten photos of known
species and tells six in ten of others (``train``, cross-validated; docs/models.md)."""

GENUS_WEIGHT = 0.15
"""How much farther off a species may lie for each unit of log-odds of its genus. A photo of a
species that is known mostly leaves no doubt of the genus; on others opinions part."""

STRANGERS = 1 / 6
"""So many photos are taken to show what nothing at hand knows. How many do depends on who posts;
taken for one in six, probabilities are off by little if it is none or one in five (docs/models.md).
"""

LEAST_TRUST = 1e-3
"""Nothing is trusted less: however odd it looks, it may be a species that is known."""

_STEEPEST = 50.0
_FLATTEST = 1e-3
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


def expected_trust(even: float, strangers: float = STRANGERS) -> float:
    """Return how likely something is known where so many photos are of ``strangers``, by Bayes.

    ``even`` is how likely it would be if every second one were, as curves are fitted.
    """
    known = even * (1 - strangers)
    return max(LEAST_TRUST, known / (known + (1 - even) * strangers))


def log_odds(probability: float) -> float:
    """Return a classifier's best probability as a score; certainty is finite."""
    bounded = min(max(probability, _NEAR_SURE), 1 - _NEAR_SURE)
    return math.log(bounded / (1 - bounded))


def nearness(taxon: Taxon, distance: float, probabilities: Mapping[Taxon, float]) -> float:
    """Return the score of a species that lies ``distance`` off.

    That is measured by ``engine.index.vote``. ``probabilities`` are those of every species, of
    which those of its genus count.
    """
    genus = taxon.ancestor("genus")
    alike = (p for other, p in probabilities.items() if other.ancestor("genus") == genus)
    share = probabilities[taxon] if genus is None else sum(alike)
    return GENUS_WEIGHT * log_odds(share) - distance


def trust_in_likeliest(
    probabilities: Mapping[Taxon, float], distances: Mapping[Taxon, float], curve: KnownCurve
) -> float | None:
    """Return how likely the likeliest species is one that is known, in [0, 1].

    ``distances`` are those of the taxa that the index found; None is for any other.
    """
    likeliest = max(probabilities, key=lambda taxon: probabilities[taxon], default=None)
    if likeliest is None or likeliest not in distances:
        return None
    return curve(nearness(likeliest, distances[likeliest], probabilities))


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
    scores = np.concatenate([known, others])
    centre, spread = float(scores.mean()), max(float(scores.std()), _NEAR_SURE)

    def loss(parameters: NDArray[np.float64]) -> float:
        height, slope = parameters
        missed = np.logaddexp(0, -height - slope * (known - centre) / spread).mean()
        let_through = np.logaddexp(0, height + slope * (others - centre) / spread).mean()
        return float(missed + let_through)

    slopes = (_FLATTEST * spread, _STEEPEST * spread)
    best = minimize(loss, [0.0, slopes[1] / 2], method="L-BFGS-B", bounds=[(None, None), slopes])
    height, slope = map(float, best.x)
    return KnownCurve(
        middle=round(centre - spread * height / slope, 4), slope=round(slope / spread, 3)
    )
