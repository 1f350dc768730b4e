"""What classifiers would say that lacked a label."""

from __future__ import annotations

from unittest.mock import create_autospec

import numpy as np
import pytest

from engine import Group, Taxon
from engine.judge import ClassifierAnswer
from engine.networks.classifier import Classifier, Scores
from tools.study.material import without_label

SPECIES = [
    Taxon(scientific_name=f"Genus species{number}", rank="species", lineage=())
    for number in range(3)
]


def answer(labels: list[Taxon], species: list[float], background: float) -> ClassifierAnswer:
    classifier = create_autospec(Classifier, instance=True)
    classifier.taxa, classifier.labels = tuple(labels), frozenset(labels)
    return ClassifierAnswer.of(classifier, Scores(species=np.array(species), background=background))


def test_what_a_label_had_goes_to_the_others_by_their_odds() -> None:
    first, second, third = SPECIES
    told = {
        Group.BIRD: answer([first, second, third], [0.6, 0.1, 0.1], 0.2),
        Group.INSECT: answer([second], [0.3], 0.7),
    }
    fewer = without_label(told, first)
    assert fewer[Group.BIRD].probabilities == pytest.approx({second: 0.25, third: 0.25})
    assert fewer[Group.BIRD].scores.background == pytest.approx(0.5)
    assert fewer[Group.BIRD].scores.best == pytest.approx(0.25)
    assert fewer[Group.INSECT] is told[Group.INSECT]


def test_a_label_that_had_everything_leaves_nothing() -> None:
    fewer = without_label({Group.BIRD: answer(SPECIES[:2], [1, 0], 0)}, SPECIES[0])
    assert fewer[Group.BIRD].probabilities == {}
    assert np.isfinite(fewer[Group.BIRD].scores.species).all()
