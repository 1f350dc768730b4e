"""An index of a single group does not take the other groups' photos, on made-up features."""

from __future__ import annotations

from unittest.mock import Mock, create_autospec

import numpy as np
import pytest
from typer.testing import CliRunner

from engine import Ancestor, Group, Taxon
from engine.catalog import ModelEntry
from engine.judge import ClassifierAnswer
from engine.networks.classifier import Classifier, Scores
from tools.cli import app
from tools.study.material import StudyMaterial
from tools.study.route import KINDS, Shown, indexes_of, show

PHOTOS = 10


def species(number: int, rank: str, ancestor: str) -> Taxon:
    lineage = (Ancestor("kingdom", "Animalia"), Ancestor(rank, ancestor))
    return Taxon(scientific_name=f"{ancestor} {number}", rank="species", lineage=lineage)


MAMMALS = [species(number, "class", "Mammalia") for number in range(20)]
BIRDS = [species(number, "class", "Aves") for number in range(10)]


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    rng = np.random.default_rng(0)
    taxa = [taxon for taxon in (*MAMMALS, *BIRDS) for _ in range(PHOTOS)]
    centres = np.repeat(rng.normal(size=(30, 60)), PHOTOS, axis=0)
    features = (centres + 0.3 * rng.normal(size=centres.shape)).astype(np.float32)
    classifier = create_autospec(Classifier, instance=True)
    # The network has no label for the last of the birds, and finds something in every photo.
    classifier.taxa, classifier.labels = tuple(BIRDS[:9]), frozenset(BIRDS[:9])
    classifier.entry = create_autospec(ModelEntry, instance=True, known_middle=0.5, known_slope=1.0)
    answers = []
    for taxon in taxa:
        probabilities = np.full(9, 0.03)
        if taxon in BIRDS[:9]:
            probabilities[BIRDS.index(taxon)] = 0.7
        scores = Scores(species=probabilities, background=1 - float(probabilities.sum()))
        answers.append({Group.BIRD: ClassifierAnswer.of(classifier, scores)})
    return list(show(MAMMALS, taxa, features, answers))


def test_photos_are_of_held_species_of_labels_and_of_others(shown: list[Shown]) -> None:
    assert {one.kind for one in shown} == set(KINDS)
    held = [one for one in shown if one.kind == KINDS[0]]
    assert len(held) == len(MAMMALS) * PHOTOS
    assert {one.group for one in held} == {Group.GENERIC}


def test_what_the_index_lacks_is_left_to_the_network(shown: list[Shown]) -> None:
    held, labelled = ([one for one in shown if one.kind == kind] for kind in KINDS[:2])
    assert np.mean([one.routed() is Group.GENERIC for one in held]) > 0.9
    assert np.mean([one.routed() is Group.BIRD for one in labelled]) > 0.9
    assert not any(one.by_mean() is Group.BIRD for one in labelled)
    assert not any(one.by_index() is Group.BIRD for one in labelled)
    assert all(one.by_networks() is Group.BIRD for one in shown)
    assert all(one.right[Group.BIRD] for one in labelled)


def test_what_there_are_too_few_photos_for_is_left_out() -> None:
    taxa = [taxon for taxon in BIRDS for _ in range(2)]
    indexes = indexes_of(taxa)
    assert set(indexes) == {"8 birds", "60 birds", "ten of all", "half of all", "all"}
    assert min(len(held) for held in indexes.values()) > 1


def test_an_index_that_cannot_be_fitted_is_told_and_the_study_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    material = create_autospec(StudyMaterial, instance=True)
    material.photos = [Mock(taxon=bird) for bird in BIRDS[:2] for _ in range(6)]
    features = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    material.ask.return_value = features, [{}] * 12
    monkeypatch.setattr(StudyMaterial, "open", lambda *_: material)
    result = CliRunner().invoke(app, ["study", "route", "photos", "--embedder", "any"])
    assert result.exit_code == 0, result.output
    assert "8 birds (2 species): An LDA is fitted to two or more species" in result.output
    assert "all (2 species): An LDA" in result.output
    assert "insects" not in result.output


def test_indexes_are_of_some_species_and_of_all() -> None:
    taxa = [taxon for taxon in (*MAMMALS, *BIRDS) for _ in range(2)]
    indexes = indexes_of(taxa)
    assert set(indexes["8 birds"]) < set(BIRDS)
    assert len(indexes["8 birds"]) == 8
    assert indexes["all"] == [*MAMMALS, *BIRDS]
    assert all(len(set(held)) == len(held) for held in indexes.values())
