"""What is known is told from what is not, on made-up features that make it plain."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import create_autospec

import numpy as np
import pytest
from typer import Exit

from engine import Ancestor, Group, Taxon
from engine.catalog import ModelEntry
from engine.judge import ClassifierAnswer
from engine.networks.classifier import Classifier, Scores
from tools.crossvalidation import SPECIES_FOLDS, ProjectionChoice, species_out_of_fold
from tools.study.known import judge_folds
from tools.study.known_tables import Judged
from tools.study.material import enough_photos

SPECIES = [
    Taxon(
        scientific_name=f"Species {number}",
        rank="species",
        lineage=(Ancestor("kingdom", "Animalia"), Ancestor("class", "Mammalia")),
    )
    for number in range(20)
]
PHOTOS = 10
BIRDS = (Ancestor("kingdom", "Animalia"), Ancestor("class", "Aves"))


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 60))
    shown = [taxon for taxon in SPECIES for _ in range(PHOTOS)]
    features = np.repeat(centres, PHOTOS, axis=0) + 0.3 * rng.normal(size=(200, 60))
    strangers = 3 * rng.normal(size=(15, 60))
    everything = np.vstack([features, strangers]).astype(np.float32)
    return judge_folds(shown, everything, [{} for _ in everything])


def test_every_species_is_left_out_once_and_every_stranger_is_seen_in_each_fold(
    judged: list[Judged],
) -> None:
    outside = [photo.taxon for photo in judged if photo.taxon and not photo.indexed]
    assert len(outside) == len(SPECIES) * PHOTOS
    assert set(outside) == set(SPECIES)
    assert sum(photo.taxon is None for photo in judged) == SPECIES_FOLDS * 15
    assert not any(photo.labelled for photo in judged)


def test_too_few_photos_end_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    features = np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32)
    shown = [taxon for taxon in SPECIES for _ in range(2)]
    with pytest.raises(Exit) as ended, enough_photos():
        judge_folds(shown, features, [{} for _ in features])
    assert ended.value.exit_code == 1
    assert "are too few: it takes 10" in capsys.readouterr().err


def test_species_that_the_index_holds_are_known_and_others_are_not(judged: list[Judged]) -> None:
    def mean(indexed: bool) -> float:
        scores = [p.together for p in judged if p.taxon is not None and p.indexed is indexed]
        return float(np.mean(scores))

    assert mean(indexed=True) > 0.8
    assert mean(indexed=False) < 0.2
    named = [photo.named(0.72) for photo in judged if photo.indexed]
    assert np.mean(named) > 0.7
    assert not any(photo.named(0.72) and not photo.named(0.5) for photo in judged)


def test_species_with_a_label_are_asked_for_again_without_it() -> None:
    rng = np.random.default_rng(0)
    birds = [replace(taxon, lineage=BIRDS) for taxon in SPECIES]
    shown = [taxon for taxon in birds for _ in range(PHOTOS)]
    features = np.repeat(rng.normal(size=(20, 60)), PHOTOS, axis=0) + 0.3 * rng.normal(
        size=(200, 60)
    )
    # The network is sure of every other species and has no label for the rest.
    labels = birds[::2]
    classifier = create_autospec(Classifier, instance=True)
    classifier.taxa, classifier.labels = tuple(labels), frozenset(labels)
    classifier.entry = create_autospec(ModelEntry, instance=True, known_middle=0.5, known_slope=1.0)
    answers = []
    for taxon in shown:
        species = np.full(10, 0.01)
        if taxon in labels:
            species[labels.index(taxon)] = 0.9
        scores = Scores(species=species, background=1 - float(species.sum()))
        answers.append({Group.BIRD: ClassifierAnswer.of(classifier, scores)})
    judged = judge_folds(shown, features.astype(np.float32), answers)
    outside = [photo for photo in judged if not photo.indexed]
    labelled = [photo for photo in outside if photo.labelled]
    again = [photo for photo in outside if photo.unlabelled]
    assert [photo.taxon for photo in again] == [photo.taxon for photo in labelled]
    assert len(labelled) == 10 * PHOTOS
    assert not any(photo.labelled for photo in again)
    assert np.mean([photo.classifier for photo in labelled]) > 0.8
    assert np.mean([photo.classifier for photo in again]) < 0.2


def test_evidence_says_of_each_photo_how_much_there_was_to_see() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(size=(40, 30)).astype(np.float32)
    # The first photo of each species shows something that outdoes all else.
    features[::4, 0] = 99
    labels = np.arange(40) // 4
    strangers = np.ones((1, 30), np.float32)
    folds = species_out_of_fold(
        features, labels, ProjectionChoice(), neighbours=5, strangers=strangers
    )
    for inside, outside, found in folds:
        distinct = np.array([evidence.distinctness for evidence in found])[:, 0]
        first = np.array([*inside, *outside]) % 4 == 0
        assert first.any()
        assert distinct[:-1][first].min() > distinct[:-1][~first].max()
        assert distinct[-1] < distinct[:-1].min()
