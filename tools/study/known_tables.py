"""What ``fieldmark study known`` judged, and the tables it is set out in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from engine import Group, Taxon
from engine.known import KNOWN_FROM, STRANGERS, either, expected_trust
from engine.rollup import CERTAINTY
from engine.taxonomy.groups import group_of
from tools.scoring import expected_calibration_error

OTHERS = "no organism"
_ASSUMED = (0.0, 1 / 10, STRANGERS, 1 / 5, 1 / 4, 1 / 3, 1 / 2)
_MET = (0.0, 1 / 10, 1 / 5, 1 / 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One photo: what it shows, and how likely index and classifier find it known.

    ``indexed`` and ``labelled`` say whether the index held its species and whether a
    classifier has a label for it, ``unlabelled`` whether that was taken away.
    ``taxon`` is None for a photo that shows no organism. ``index`` is how likely the index finds
    the likeliest species one that it holds, None where it has nothing to say of that. ``best`` is
    the greatest probability that both together give to a species if they know it, and ``right``
    whether that is the one.
    """

    taxon: Taxon | None
    indexed: bool
    labelled: bool
    unlabelled: bool
    index: float | None
    classifier: float
    best: float
    right: bool

    @property
    def together(self) -> float:
        """How likely it is that one of the two knows it."""
        return either(self.index or 0.0, self.classifier)

    @property
    def trust(self) -> float:
        """How likely its likeliest species is one that is known, as ``engine.judge`` decides.

        That is, if every second photo were of one that is not.
        """
        return self.together if self.index is None else self.index

    def probability(self, strangers: float) -> float:
        """How probable its likeliest species is, if so many photos are of ``strangers``."""
        return self.best * (expected_trust(self.trust, strangers) if strangers else 1.0)

    def named(self, strangers: float) -> bool:
        """Tell whether the verdict is a species, as ``engine.rollup`` decides."""
        return self.together >= KNOWN_FROM and self.probability(strangers) >= CERTAINTY

    @property
    def group(self) -> str:
        """The group of what it shows."""
        return OTHERS if self.taxon is None else group_of(self.taxon).value


_WAYS: dict[str, Callable[[Judged], float]] = {
    "the index alone": lambda photo: photo.index or 0.0,
    "the classifier alone": lambda photo: photo.classifier,
    "either": lambda photo: photo.together,
    "trust in the species": lambda photo: photo.trust,
}


def areas(judged: Sequence[Judged]) -> Table:
    """Set out how well each score parts known species from those of the same group, and all."""
    from sklearn.metrics import roc_auc_score

    groups = [group.value for group in Group if group is not Group.AUTO]
    table = Table("AUROC of known", *groups, "all species", OTHERS)
    known = [photo for photo in judged if photo.indexed or photo.labelled]
    rest = [photo for photo in judged if not (photo.indexed or photo.labelled)]
    parts = [
        ([p for p in known if p.group == g], [p for p in rest if p.group == g]) for g in groups
    ]
    parts.append((known, [photo for photo in rest if photo.taxon is not None]))
    parts.append((known, [photo for photo in rest if photo.taxon is None]))
    for name, way in _WAYS.items():
        row = []
        for inside, outside in parts:
            truth = [True] * len(inside) + [False] * len(outside)
            scores = [way(photo) for photo in (*inside, *outside)]
            row.append(f"{roc_auc_score(truth, scores):.3f}" if inside and outside else "-")
        table.add_row(name, *row)
    return table


def rates(judged: Sequence[Judged]) -> Table:
    """Set out how many of each kind are called known, at several thresholds."""
    kinds = _kinds(judged)
    table = Table("called known, from", *kinds)
    for threshold in (0.3, KNOWN_FROM, 0.5, 0.6):
        cells = (_share([p.together >= threshold for p in part]) for part in kinds.values())
        table.add_row(f"{threshold}{' (default)' * (threshold == KNOWN_FROM)}", *cells)
    return table


def verdicts(judged: Sequence[Judged]) -> Table:
    """Set out how many of each kind are given a species, at several shares of strangers.

    And in brackets how many of those are given the right one.
    """
    kinds = _kinds(judged)
    table = Table("given a species, strangers", *kinds)
    for strangers in _ASSUMED:
        given = [[p for p in part if p.named(strangers)] for part in kinds.values()]
        cells = (
            f"{len(some) / max(len(part), 1):.3f} ({_share([p.right for p in some])})"
            for some, part in zip(given, kinds.values(), strict=True)
        )
        table.add_row(_name_share(strangers), *cells)
    return table


def errors(judged: Sequence[Judged]) -> Table:
    """Set out how far off probabilities are, by the shares of strangers assumed and met."""
    kinds = _kinds(judged)
    known, strange = kinds["species indexed"], kinds["any species, had it no label"]
    table = Table("error, strangers assumed", *(f"{met:.0%} met" for met in _MET))
    for assumed in _ASSUMED:
        outcomes = [(p.probability(assumed), p.right) for p in known]
        outcomes += [(p.probability(assumed), False) for p in strange]
        cells = []
        for met in _MET:
            weights = [(1 - met) / len(known)] * len(known) + [met / len(strange)] * len(strange)
            cells.append(f"{expected_calibration_error(outcomes, weights):.3f}")
        table.add_row(_name_share(assumed), *cells)
    return table


def _name_share(strangers: float) -> str:
    return f"{strangers:.0%}{' (default)' * (strangers == STRANGERS)}"


def _kinds(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    others = [p for p in judged if p.taxon and not p.indexed and not p.labelled]
    return {
        "species indexed": [p for p in judged if p.indexed],
        "species with a label only": [p for p in judged if p.labelled and not p.indexed],
        "other species": [p for p in others if not p.unlabelled],
        "any species, had it no label": others,
        OTHERS: [p for p in judged if p.taxon is None],
    }


def _share(values: Sequence[bool]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"
