"""What the nearest reference photos say together: one probability per species.

Half of the say goes to the neighbours, each weighted by ``exp(cosine / 0.05)``, and half to
every species' *prototype*, the mean direction of all its photos, weighted in the same way.
Neighbours see that a species has several looks; prototypes see past a stray photo and leave
no species without a probability. Cross-validation chose the numbers (``fieldmark study vote``,
docs/models.md); the temperature and the threshold are fitted to each index.

All of it is a few lines of numpy, well under a millisecond for 10,000 species.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.index.projection import TooFewPhotos
from engine.known import KnownCurve

MOST_CANDIDATES = 100
LEAST_PROBABILITY = 1e-4
KNOWN_KEPT = 0.95
FEWEST_PHOTOS = 10

NEARNESS_CURVE = KnownCurve(middle=-1.6, slope=2.2)
"""Fitted to the joined features of docs/models.md; nearness means much the same in any index, so
one that was made before it was asked for has this."""

_SAME = 1e-6
_NEARLY_NONE = 1e-300
_LOG_TEMPERATURES = (-2.0, 2.0)

Floats = NDArray[np.float32]
Integers = NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteSettings:
    """The numbers of a vote.

    ``neighbours`` is how many rows to search for. ``kernel`` is the difference of cosines
    that makes a weight ``e`` times smaller. ``prototype_share`` of the say is the
    prototypes'. A neighbour's weight is divided by the number of its species' photos to the
    power of ``count_power``, so that a species with few photos is heard beside one with
    many. ``temperature`` divides the log-probabilities, so that they are calibrated.
    ``doubt`` is how much an undecided vote counts against a photo being of a known species,
    and ``known_threshold`` the score below which it is not, where nothing but the index is
    asked. ``nearness_curve`` says how likely a species is one that is known
    (``engine.known.nearness``).
    """

    neighbours: int = 50
    kernel: float = 0.05
    prototype_share: float = 0.5
    count_power: float = 0.5
    temperature: float = 0.9
    doubt: float = 0.1
    known_threshold: float = 0.2
    nearness_curve: KnownCurve = NEARNESS_CURVE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What an index found for one individual, ``n`` views of it.

    ``similarities`` (cosines), ``taxa`` and ``rows`` are ``(n, k)``, the nearest rows of each
    view, with -1 in ``taxa`` where there are fewer than ``k``. ``prototype_similarities`` is
    ``(n, m)``, the cosine to each of the index's ``m`` prototypes, ``photos_of_taxon``
    ``(m,)`` how many photos each has, and ``usual_angles`` ``(m,)`` how far off another photo
    of each lies (``engine.index.spread``). ``distinctness`` ``(n,)`` says how much there is to see
    in each view (``engine.index.projection``); None, where nobody measured it, is as much as usual.
    """

    similarities: Floats
    taxa: Integers
    rows: Integers
    prototype_similarities: Floats
    photos_of_taxon: Integers
    usual_angles: Floats
    distinctness: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vote:
    """What the index makes of one individual.

    ``taxa`` are positions in the index's list, likeliest first, and ``probabilities`` theirs,
    in (0, 1]; what they lack to 1 is for something else. ``distances`` say of each how far off
    it lies, where 1 is as far as its own photos do, the farther the more there is to see: where
    there is little, all angles are wide. ``known_score`` is higher the surer
    the index knows the species, ``-inf`` for an empty index, and ``known`` whether it reaches
    the threshold. ``rows`` are the neighbours that were heard, heaviest first, and ``weights``
    their shares, which sum to 1.
    """

    taxa: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    distances: NDArray[np.float64]
    known_score: float
    known: bool
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Say:
    """A vote before its temperature: ``shares`` of the best ``taxa``, best first."""

    taxa: NDArray[np.int64]
    shares: NDArray[np.float64]
    known_score: float
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]


def vote(
    evidence: Evidence, settings: VoteSettings, *, among: NDArray[np.bool_] | None = None
) -> Vote:
    """Make one probability per species of what an index found.

    Every view counts the same. ``among`` is ``(m,)``, which of the taxa are asked for; None
    is for all. The same photo twice among the neighbours counts once. Species that are
    equally likely come in the order of the index.
    """
    say = _count(evidence, settings, among)
    probabilities = _temper(say.shares, settings.temperature)
    shown = probabilities >= LEAST_PROBABILITY
    return Vote(
        taxa=say.taxa[shown],
        probabilities=probabilities[shown],
        distances=_distances(evidence, say.taxa[shown]),
        known_score=say.known_score,
        known=say.known_score >= settings.known_threshold,
        rows=say.rows,
        weights=say.weights,
    )


def fit_vote(
    evidence: Sequence[Evidence],
    truths: Sequence[int],
    settings: VoteSettings | None = None,
    *,
    kept: float = KNOWN_KEPT,
) -> VoteSettings:
    """Fit temperature and threshold to photos that the index does not hold.

    ``truths`` are the species of each photo, as positions in the index's list; photos with
    -1, of species that the index does not hold, are left out. The temperature (Guo et al.
    2017, arXiv:1706.04599) maximises the likelihood of each first species being right or
    wrong: with references this few and some of them mislabelled, the likelihood of the truth
    itself makes first species 3 to 7 points less sure than they are right. The threshold
    keeps ``kept`` of the photos.

    Raises:
        TooFewPhotos: fewer than ``FEWEST_PHOTOS`` photos of species that the index holds.
    """
    from scipy.optimize import minimize_scalar

    settings = settings or VoteSettings()
    inside = [(e, truth) for e, truth in zip(evidence, truths, strict=True) if truth >= 0]
    if len(inside) < FEWEST_PHOTOS:
        raise TooFewPhotos(f"{len(inside)} photos are too few: it takes {FEWEST_PHOTOS}.")
    says = [_count(e, settings, None) for e, _ in inside]
    right = np.array([s.taxa[0] == truth for s, (_, truth) in zip(says, inside, strict=True)])

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        first = np.array([_temper(say.shares, temperature)[0] for say in says])
        likely = np.clip(np.where(right, first, 1 - first), 1e-6, 1)
        return -float(np.log(likely).mean())

    best = minimize_scalar(
        loss, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-3}
    )
    scores = np.array([say.known_score for say in says])
    return replace(
        settings,
        temperature=round(math.exp(best.x), 3),
        known_threshold=round(float(np.quantile(scores, 1 - kept)), 4),
    )


def _distances(evidence: Evidence, taxa: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(taxa):
        return np.empty(0)
    cosines = np.asarray(evidence.prototype_similarities[:, taxa], np.float64).mean(axis=0)
    angles = np.arccos(np.clip(cosines, -1, 1)) / evidence.usual_angles[taxa]
    distinct = 1.0 if evidence.distinctness is None else float(evidence.distinctness.mean())
    return np.asarray(distinct * angles, np.float64)


def _count(evidence: Evidence, settings: VoteSettings, among: NDArray[np.bool_] | None) -> _Say:
    counts = np.maximum(np.asarray(evidence.photos_of_taxon, np.float64), 1)
    allowed = np.ones(len(counts), bool) if among is None else np.asarray(among, bool)
    if not allowed.any() or not len(evidence.similarities):
        return _nothing()
    shares = np.zeros(len(counts))
    heard: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for view in range(len(evidence.similarities)):
        similarities, taxa, rows = _distinct(evidence, view, allowed)
        weights = np.exp(_below_best(similarities) / settings.kernel)
        weights /= counts[taxa] ** settings.count_power
        prototypes = np.where(allowed, evidence.prototype_similarities[view], -np.inf)
        closeness = np.exp(_below_best(prototypes) / settings.kernel)
        share = settings.prototype_share
        if len(weights):
            weights /= weights.sum()
            shares += (1 - share) * np.bincount(taxa, weights, len(counts))
        else:
            share = 1.0
        shares += share * closeness / closeness.sum()
        heard.append((rows, weights))
    shares /= len(evidence.similarities)
    taxa = _best(shares)
    rows, weights = _join(heard)
    likeness = float(evidence.prototype_similarities[:, taxa[0]].mean())
    return _Say(
        taxa=taxa,
        shares=shares[taxa],
        known_score=likeness + settings.doubt * math.log(shares[taxa[0]]),
        rows=rows,
        weights=weights,
    )


def _nothing() -> _Say:
    return _Say(
        taxa=np.empty(0, np.int64),
        shares=np.empty(0),
        known_score=-math.inf,
        rows=np.empty(0, np.int64),
        weights=np.empty(0),
    )


def _distinct(
    evidence: Evidence, view: int, allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return one view's neighbours that count, in an order that does not hang on theirs.

    Two rows of one species that are equally far from the photo are the same photo: the
    search gives no vectors to compare, and different photos hardly ever agree to 1e-6.
    """
    taxa = np.asarray(evidence.taxa[view], np.int64)
    counts = taxa >= 0
    counts[counts] = allowed[taxa[counts]]
    taxa = taxa[counts]
    rows = np.asarray(evidence.rows[view], np.int64)[counts]
    similarities = np.asarray(evidence.similarities[view], np.float64)[counts]
    order = np.lexsort((rows, -similarities, taxa))
    taxa, rows, similarities = taxa[order], rows[order], similarities[order]
    first = np.ones(len(taxa), bool)
    first[1:] = (np.diff(taxa) != 0) | (np.abs(np.diff(similarities)) > _SAME)
    return similarities[first], taxa[first], rows[first]


def _below_best(values: NDArray[np.floating]) -> NDArray[np.float64]:
    exact = np.asarray(values, np.float64)
    return np.asarray(exact - exact.max(initial=-np.inf), np.float64)


def _best(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the best taxa with any share, equal ones in the order of the index."""
    taxa = np.flatnonzero(shares > 0)
    if len(taxa) > MOST_CANDIDATES:
        least = np.partition(shares, -MOST_CANDIDATES)[-MOST_CANDIDATES]
        taxa = np.flatnonzero(shares >= least)
    return taxa[np.argsort(-shares[taxa], kind="stable")][:MOST_CANDIDATES]


def _join(
    heard: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Add up what each row weighed in every view."""
    rows, places = np.unique(np.concatenate([r for r, _ in heard]), return_inverse=True)
    weighed = np.concatenate([w for _, w in heard])
    totals = np.bincount(places, weighed, len(rows)) / max(weighed.sum(), _NEARLY_NONE)
    order = np.argsort(-totals, kind="stable")
    return np.asarray(rows[order], np.int64), np.asarray(totals[order], np.float64)


def _temper(shares: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Rescale shares by a temperature; what they lack to 1 is rescaled with them."""
    if not len(shares):
        return shares
    rest = max(1 - shares.sum(), 0.0)
    powers = shares ** (1 / temperature)
    return np.asarray(powers / (powers.sum() + rest ** (1 / temperature)), np.float64)
