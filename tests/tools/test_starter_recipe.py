"""The recipe of the starter: what it is made from, that it goes on, that the export is it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from engine import EngineSettings, TaxonTable
from tools.starter.app import starter_app
from tools.starter.material import HELD_OUT_EVERY, UNLABELLED, Material, gather_material
from tools.starter.training import Schedule, Trainer
from tools.starter.views import SIDE, make_views, view_of

SCRIPT = Path(__file__).with_name("train_student.py")
SPECIES = {"Parus major": 16, "Turdus merula": 9, "Apis mellifera": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest with three species to train on and one that must never be read."""
    rng = np.random.default_rng(0)
    photos = tmp_path / "photos"
    rows = [("train", name, number) for name, many in SPECIES.items() for number in range(many)]
    rows.append(("test", "Athene noctua", 0))
    for place in (photos, tmp_path / "transfer"):
        place.mkdir()
    with (photos / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "scientific_name", "label_set", "label_index"])
        for split, name, number in rows:
            path = f"{name.replace(' ', '_')}-{number:02}.jpg"
            write_photo(photos / path, rng)
            writer.writerow([path, split, "birds", name, "", ""])
    for number in range(3):
        write_photo(tmp_path / "transfer" / f"plants-{number:05}.jpg", rng)
    return tmp_path


def write_photo(path: Path, rng: np.random.Generator) -> None:
    Image.fromarray(rng.integers(0, 255, (80, 120, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def material(folder: Path) -> Material:
    return gather_material(folder / "photos", folder / "transfer", TaxonTable.load())


def test_only_train_is_read_and_an_eighth_of_it_held_out(material: Material) -> None:
    assert material.names == tuple(sorted(SPECIES))
    assert not any("Athene" in path.name for path in material.paths)
    assert Counter(material.species) == {0: 3, 1: 16, 2: 9, UNLABELLED: 3}
    held = [s for s, held in zip(material.species, material.held_out, strict=True) if held]
    assert Counter(held) == {1: 16 // HELD_OUT_EVERY, 2: 2}
    assert material.groups[-1] == "plants"


@given(st.integers(32, 500), st.integers(32, 500), st.integers(0, 9_999), st.integers(0, 20))
def test_a_view_is_a_part_of_the_photo_and_always_the_same(
    width: int, height: int, photo: int, view: int
) -> None:
    columns, rows = np.meshgrid(np.arange(width) % 251, np.arange(height) % 241)
    pixels = np.stack([columns, rows, columns], axis=2).astype(np.uint8)
    crop = np.asarray(view_of(pixels, photo, view))
    again = np.asarray(view_of(pixels, photo, view))
    np.testing.assert_array_equal(crop, again)
    assert crop.shape[0] * crop.shape[1] > 0.25 * width * height
    if view == 0:
        np.testing.assert_array_equal(crop, pixels)


def test_the_schedule_warms_up_holds_and_ends_at_nothing() -> None:
    schedule = Schedule(epochs=20, photos=6_400)
    rates = [schedule.rate(step) for step in range(schedule.steps)]
    assert schedule.steps == 2_000
    assert rates[0] < rates[100] < rates[300] == rates[1_200] == max(rates)
    assert rates[-1] < 0.01 * max(rates)
    assert rates[300:] == sorted(rates[300:], reverse=True)
    sides = [schedule.side(step) for step in range(schedule.steps)]
    assert sides == sorted(sides)
    assert sides[-1] == SIDE


def test_views_are_added_to_and_never_made_again(
    shared: Path, folder: Path, material: Material
) -> None:
    settings = EngineSettings(home=folder / "home", models_dir=shared / "models")
    told: list[tuple[int, int]] = []
    work = folder / "work"
    first = make_views(work, material, 1, settings, lambda *done: told.append(done))
    kept = first.pixels.copy(), first.features.copy()
    assert told[-1] == (31, 31)
    told.clear()
    more = make_views(work, material, 2, settings, lambda *done: told.append(done))
    assert told == [(62, 62)]
    np.testing.assert_array_equal(more.pixels[:31], kept[0])
    np.testing.assert_array_equal(more.features[:31], kept[1])
    lengths = np.linalg.norm(more.features.reshape(62, 3, 1280).astype(np.float32), axis=2)
    np.testing.assert_allclose(lengths, 1, atol=1e-2)
    np.testing.assert_allclose(more.birds.astype(np.float32).sum(axis=1), 1, atol=2e-2)


def test_views_of_other_photos_are_refused(shared: Path, folder: Path, material: Material) -> None:
    settings = EngineSettings(home=folder / "home", models_dir=shared / "models")
    make_views(folder / "work", material, 1, settings, lambda *_: None)
    (folder / "transfer" / "plants-00001.jpg").unlink()
    other = gather_material(folder / "photos", folder / "transfer", TaxonTable.load())
    with pytest.raises(ValueError, match="other photos"):
        make_views(folder / "work", other, 1, settings, lambda *_: None)


@pytest.mark.timeout(170)
def test_training_goes_on_where_it_stopped_and_the_export_says_what_the_student_says(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["epochs"] == [1, 2]
    assert found["losses_finite"]
    assert min(found["cosines"]) > 0.99


def test_an_export_replaces_nothing_but_a_starter_and_wants_a_trained_student(folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "letter.txt").write_text("dear")
    words = ["export", str(folder / "work"), "--to", str(folder / "home")]
    words += ["--photos", str(folder / "photos"), "--transfer", str(folder / "transfer")]
    untrained = CliRunner().invoke(starter_app, words)
    assert untrained.exit_code == 2
    assert "run `fieldmark starter train` first" in untrained.stderr
    (folder / "work" / "checkpoints").mkdir(parents=True)
    refused = CliRunner().invoke(starter_app, words)
    assert refused.exit_code == 2
    assert "holds more than a starter" in refused.stderr
    assert (folder / "home" / "letter.txt").read_text() == "dear"


def test_too_few_photos_are_not_trained_on(folder: Path, material: Material) -> None:
    unseen: Any = None  # neither views nor targets are looked at
    with pytest.raises(ValueError, match="photos are too few to train on: it takes at least 64"):
        Trainer(folder / "work", material, unseen, unseen)


def test_a_photo_that_is_gone_is_one_sentence(shared: Path, folder: Path) -> None:
    (folder / "transfer" / "plants-00000.jpg").unlink()
    (folder / "transfer" / "plants-00000.jpg").symlink_to("nowhere")
    words = ["train", str(folder / "work"), "--models", str(shared / "models")]
    words += ["--photos", str(folder / "photos"), "--transfer", str(folder / "transfer")]
    result = CliRunner().invoke(starter_app, [*words, "--home", str(folder / "home")])
    assert result.exit_code == 1
    assert result.stderr.endswith("plants-00000.jpg cannot be used: No such file or directory.\n")
