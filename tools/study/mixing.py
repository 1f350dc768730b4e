"""``fieldmark study mixing``: the comparisons behind ``engine.mixing``.

How much a classifier's word should count against the index's, and how far their pool must be
sharpened to mean what it says. The index is cross-validated within one split: no photo is in the
index it is asked of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine import Group, Taxon
from engine.index.vote import VoteSettings, fit_vote, vote
from engine.judge import ClassifierAnswer
from engine.mixing import mix, of_group
from engine.taxonomy.groups import group_of
from tools.crossvalidation import ProjectionChoice, out_of_fold
from tools.engine_options import (
    EmbedderOption,
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
)
from tools.scoring import expected_calibration_error
from tools.sources import SourcePhoto
from tools.study.material import StudyMaterial, enough_photos

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
POWERS = (1.0, 1.3, 1.6, 2.0)

Probabilities = dict[Taxon, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One photo: what it shows, and what each model says of it."""

    truth: Taxon
    networks: dict[Group, ClassifierAnswer]
    index: Probabilities

    @property
    def group(self) -> Group:
        """The group of what it shows."""
        return group_of(self.truth)

    def classified(self) -> Probabilities:
        """What the network of its group says."""
        return self.networks[self.group].probabilities

    def mixed(self, **options: float) -> Probabilities:
        """What the network of its group and the index say together."""
        labels = self.networks[self.group].classifier.labels
        return mix(self.classified(), of_group(self.index, self.group), labels, **options)

    def first_of(self, probabilities: Probabilities) -> tuple[float, bool]:
        """Return the greatest probability, and whether it is the truth's."""
        if not probabilities:
            return 0.0, False
        best = max(probabilities, key=lambda taxon: probabilities[taxon])
        return probabilities[best], best == self.truth


def study_mixing(
    photos: PhotosArgument,
    embedder: EmbedderOption,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare shares of classifier and index."""
    material = StudyMaterial.open(photos, split, embedder, engine_settings(models, home))
    features, answers = material.ask()
    with enough_photos():
        asked = _ask_index(material.photos, features, answers)
    classifiers = list(material.classifiers)
    console = Console()
    console.print(_compare_shares(asked, classifiers))
    console.print(_compare_powers(asked, classifiers))


def _ask_index(
    labelled: Sequence[SourcePhoto],
    features: NDArray[np.float32],
    answers: Sequence[dict[Group, ClassifierAnswer]],
) -> list[Asked]:
    """Cross-validate the index; leave out the only photos of a species."""
    species = list(dict.fromkeys(photo.taxon for photo in labelled))
    place = {taxon: number for number, taxon in enumerate(species)}
    labels = np.array([place[photo.taxon] for photo in labelled], np.int64)
    folds = out_of_fold(features, labels, ProjectionChoice(), neighbours=VoteSettings().neighbours)
    found = {
        int(position): evidence
        for positions, evidences in folds
        for position, evidence in zip(positions, evidences, strict=True)
    }
    fitted = fit_vote(list(found.values()), [int(labels[position]) for position in found])
    asked = []
    for position, evidence in found.items():
        said = vote(evidence, fitted)
        named = [species[number] for number in said.taxa]
        asked.append(
            Asked(
                truth=labelled[position].taxon,
                networks=answers[position],
                index=dict(zip(named, said.probabilities.tolist(), strict=True)),
            )
        )
    return asked


def _compare_shares(asked: Sequence[Asked], groups: Sequence[Group]) -> Table:
    table = Table("top-1", *(group.value for group in groups))
    ways: dict[str, Callable[[Asked], Probabilities]] = {
        "classifier alone": Asked.classified,
        "index alone": lambda a: of_group(a.index, a.group),
    }
    ways |= {f"classifier's share {share}": partial(Asked.mixed, share=share) for share in SHARES}
    for name, way in ways.items():
        row = []
        for group in groups:
            right = [a.first_of(way(a))[1] for a in asked if a.group is group]
            row.append(f"{np.mean(right):.3f}" if right else "-")
        table.add_row(name, *row)
    return table


def _compare_powers(asked: Sequence[Asked], groups: Sequence[Group]) -> Table:
    table = Table("calibration error", *(group.value for group in groups))
    for power in POWERS:
        row = []
        for group in groups:
            outcomes = [a.first_of(a.mixed(sharpness=power)) for a in asked if a.group is group]
            row.append(f"{expected_calibration_error(outcomes):.3f}" if outcomes else "-")
        table.add_row(f"sharpened by {power}", *row)
    return table
