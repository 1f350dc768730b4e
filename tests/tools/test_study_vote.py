"""``fieldmark study vote``, and the cross-validation that it and index fits are made of."""

from __future__ import annotations

import csv
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from engine.batch import Batch
from engine.embedder import Embedder
from engine.index.projection import TooFewPhotos
from engine.index.vote import VoteSettings, vote
from tools.crossvalidation import (
    FOLDS,
    Gallery,
    ProjectionChoice,
    fit_by_folds,
    out_of_fold,
    photo_folds,
    species_folds,
)
from tools.study import vote as study_module
from tools.study.vote import PROJECTIONS, VOTES, study_vote

SPECIES, EACH, WIDTH = 10, 9, 12
Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


@pytest.fixture
def photos() -> tuple[Vectors, Labels]:
    rng = np.random.default_rng(0)
    labels = np.append(np.repeat(np.arange(SPECIES), EACH), SPECIES)  # the last has one photo
    centres = rng.normal(0, 1, (SPECIES + 1, WIDTH))
    features = centres[labels] + rng.normal(0, 0.5, (len(labels), WIDTH))
    return features.astype(np.float32), labels


def test_photos_of_a_species_are_dealt_evenly(photos: tuple[Vectors, Labels]) -> None:
    _, labels = photos
    fold = photo_folds(labels)
    for label in range(SPECIES):
        counts = np.bincount(fold[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert fold[labels == SPECIES].tolist() == [-1]


def test_a_species_stays_in_one_fold(photos: tuple[Vectors, Labels]) -> None:
    _, labels = photos
    fold = species_folds(labels)
    assert set(fold.tolist()) == set(range(FOLDS))
    for label in np.unique(labels):
        assert len(set(fold[labels == label].tolist())) == 1


def test_no_photo_is_asked_for_in_an_index_that_holds_it(photos: tuple[Vectors, Labels]) -> None:
    features, labels = photos
    asked_for: list[int] = []
    for asked, found in out_of_fold(features, labels, ProjectionChoice(dims=6), neighbours=200):
        asked_for += asked.tolist()
        for evidence in found:
            # All rows are found, and they are those of the other folds.
            assert evidence.rows.shape[1] == len(labels) - len(asked)
            assert evidence.photos_of_taxon.sum() == len(labels) - len(asked)
    assert sorted(asked_for) == list(range(len(labels) - 1))


def test_a_species_without_a_photo_is_never_likely() -> None:
    vectors = np.eye(3, dtype=np.float32)
    gallery = Gallery(vectors=vectors, labels=np.array([0, 0, 2]), species=4)
    (evidence,) = gallery.evidence(vectors[2:], 3)
    said = vote(evidence, VoteSettings())
    assert said.taxa[0] == 2
    assert not {1, 3} & set(said.taxa.tolist())


def test_a_fit_by_folds_takes_any_labels(photos: tuple[Vectors, Labels]) -> None:
    features, labels = photos
    fitted = fit_by_folds(features, labels, ProjectionChoice(dims=6))
    assert fitted == fit_by_folds(features, labels * 1000 - 7, ProjectionChoice(dims=6))
    assert fitted.temperature != VoteSettings().temperature
    assert fitted.known_threshold != VoteSettings().known_threshold


def test_a_fit_needs_species_with_several_photos(photos: tuple[Vectors, Labels]) -> None:
    features, _ = photos
    with pytest.raises(TooFewPhotos, match="No species has two photos"):
        fit_by_folds(features, np.arange(len(features)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    with (tmp_path / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "scientific_name", "label_set", "label_index"])
        for species in range(8):
            colour = rng.uniform(40, 215, 3)
            for number in range(9):
                pixels = np.clip(colour + rng.normal(0, 8, 3), 0, 255).astype(np.uint8)
                path = f"{species}-{number}.png"
                Image.new("RGB", (32, 32), tuple(pixels.tolist())).save(tmp_path / path)
                group = "birds" if species % 2 else "insects"
                writer.writerow([path, "train", group, f"Species {species}", "", ""])
    return tmp_path


def test_the_study_compares_every_projection_and_vote(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(batch: Batch) -> Vectors:
        colours = np.stack([photo.pixels.mean(axis=(0, 1)) for photo in batch.photos])
        return np.hstack([colours, 255 - colours, np.roll(colours, 1, 1) ** 2 / 255]).astype(
            np.float32
        )

    embedder = create_autospec(Embedder, instance=True)
    embedder.embed.side_effect = embed
    monkeypatch.setattr(study_module, "open_embedder", lambda name, settings: embedder)
    app = typer.Typer()
    app.command()(study_vote)
    words = [str(folder), "--embedder", "colours"]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    rows = {
        cells[0].strip(): [cell.strip() for cell in cells[1:]]
        for line in result.stdout.splitlines()
        if len(cells := line.strip("│").split("│")) > 1
    }
    assert set(PROJECTIONS) | set(VOTES) <= set(rows)
    birds, insects, both, top5 = (float(cell) for cell in rows["lda 256 (default)"])
    assert both == pytest.approx((birds + insects) / 2, abs=1e-3)
    assert 0.3 < both <= top5 <= 1
    assert 0 <= float(rows["ECE"][0]) < 0.5


def test_a_folder_without_a_manifest_is_refused_in_words(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(study_vote)
    result = CliRunner().invoke(app, [str(tmp_path), "--embedder", "birds"])
    assert result.exit_code == 2
    assert "MANIFEST.csv" in result.stderr
