"""How well answers fit their truths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from engine import Identification
from tools.manifest import LabelledPhoto

ECE_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A photo with the engine's answer."""

    photo: LabelledPhoto
    answer: Identification

    @property
    def rank(self) -> int | None:
        """The place of the truth among the candidates, from 0; None where it is not there."""
        for place, candidate in enumerate(self.answer.candidates):
            if self.photo.shows(candidate.taxon):
                return place
        return None

    @property
    def confidence(self) -> float:
        """The probability of the first candidate."""
        return self.answer.candidates[0].probability if self.answer.candidates else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Of photos whose species is among the labels of a network that is here.

    ``standard_error`` is that of ``top1``, ``sqrt(p (1 - p) / n)``. ``ece`` is the expected
    calibration error in 15 equal bins (Guo et al. 2017, arXiv:1706.04599).
    """

    photos: int
    top1: float
    top5: float
    standard_error: float
    ece: float
    said_unknown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Of photos that show nothing any network here has a label for."""

    photos: int
    said_unknown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far off the first probability is over all photos, as ``Accuracy`` measures it.

    Of the ``unknown_species`` among them any name is wrong.
    """

    photos: int
    unknown_species: int
    ece: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often ``taxon`` was taken for ``taken_for``."""

    taxon: str
    taken_for: str
    photos: int


def accuracy(answered: Sequence[Answered]) -> Accuracy:
    """Score at least one photo of known species."""
    n = len(answered)
    ranks = [a.rank for a in answered]
    top1 = sum(rank == 0 for rank in ranks) / n
    return Accuracy(
        photos=n,
        top1=top1,
        top5=sum(rank is not None and rank < 5 for rank in ranks) / n,
        standard_error=sqrt(top1 * (1 - top1) / n),
        ece=expected_calibration_error([(a.confidence, a.rank == 0) for a in answered]),
        said_unknown=sum(not a.answer.known for a in answered) / n,
    )


def outside(answered: Sequence[Answered]) -> Outside:
    """Score at least one photo of what no network here knows."""
    return Outside(
        photos=len(answered),
        said_unknown=sum(not a.answer.known for a in answered) / len(answered),
    )


def calibration(known: Sequence[Answered], unknown: Sequence[Answered]) -> Calibration:
    """Score at least one photo, of known species or of anything else."""
    outcomes = [(a.confidence, a.rank == 0) for a in known]
    outcomes += [(a.confidence, False) for a in unknown]
    return Calibration(
        photos=len(outcomes),
        unknown_species=len(unknown),
        ece=expected_calibration_error(outcomes),
    )


def known_area(known: Sequence[Answered], others: Sequence[Answered]) -> float | None:
    """Return the area under the ROC curve of ``known_score``; None without one of the two.

    It is the share of pairs of a photo of a known species and another one in which the
    former has the greater score.
    """
    # Costs a second, which `fieldmark --help` need not pay.
    from sklearn.metrics import roc_auc_score

    if not known or not others:
        return None
    truths = [True] * len(known) + [False] * len(others)
    scores = [a.answer.known_score for a in (*known, *others)]
    return round(float(roc_auc_score(truths, scores)), 4)


def expected_calibration_error(
    outcomes: Sequence[tuple[float, bool]], weights: Sequence[float] | None = None
) -> float:
    """Return the mean distance between confidence and share of right answers, over bins.

    ``weights`` say how much each outcome counts, all the same by default.
    """
    if weights is None:
        weights = [1.0] * len(outcomes)
    too_sure = [0.0] * ECE_BINS
    for (confidence, right), weight in zip(outcomes, weights, strict=True):
        too_sure[min(int(confidence * ECE_BINS), ECE_BINS - 1)] += weight * (confidence - right)
    return sum(map(abs, too_sure)) / sum(weights)


def confusions(answered: Sequence[Answered], most: int = 10) -> list[Confusion]:
    """List the species most often taken for another one, worst first."""
    counts = Counter(
        (a.photo.scientific_name, a.answer.candidates[0].taxon.scientific_name)
        for a in answered
        if a.answer.candidates and a.rank != 0
    )
    return [
        Confusion(taxon=taxon, taken_for=taken_for, photos=photos)
        for (taxon, taken_for), photos in counts.most_common(most)
    ]


def computed_by(answered: Sequence[Answered]) -> dict[str, str]:
    """Return the runtime of each model that had a say in the answers, by its name."""
    models = (model for one in answered for model in one.answer.models)
    return {model.name: str(model.runtime) for model in models}


def agreement(first: Sequence[Answered], second: Sequence[Answered]) -> dict[str, Any]:
    """Compare two engines' answers to the photos that both answered."""
    seconds = {b.photo.path: b for b in second}
    pairs = [(a, seconds[a.photo.path]) for a in first if a.photo.path in seconds]
    tops = [
        (a.answer.candidates[:1], b.answer.candidates[:1])
        for a, b in pairs
        if a.answer.candidates or b.answer.candidates
    ]
    same = sum([c.taxon for c in x] == [c.taxon for c in y] for x, y in tops)
    differences = (abs(a.confidence - b.confidence) for a, b in pairs)
    return {
        "photos": len(tops),
        "top1_agreement": same / len(tops) if tops else 1.0,
        "greatest_difference": max(differences, default=0.0),
    }


def as_json(result: Accuracy | Outside | Calibration | Confusion) -> dict[str, Any]:
    """Return a result with its numbers rounded to four places."""
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(result).items()}
