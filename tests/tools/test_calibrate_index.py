"""An index is calibrated with photos that it does not hold, and keeps what was fitted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from engine import EngineSettings
from engine.index.species_index import SpeciesIndex
from engine.index.vote import NEARNESS_CURVE
from tests.hub_modules import HubModules, catalog_entry
from tools.calibrate_index import calibrate_index
from tools.cli import app

COLOURS = {
    "Vulpes vulpes": "orange",
    "Erithacus rubecula": "brown",
    "Abies alba": "darkgreen",
    "Apis mellifera": "gold",
}
STRANGER = ("Amanita muscaria", "magenta")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of each species to build from, six others and a stranger's twelve beside them."""
    rng = np.random.default_rng(0)
    rows = [
        (split, name, colour, number)
        for split in ("train", "kept")
        for name, colour in COLOURS.items()
        for number in range(6)
    ]
    rows += [("kept", *STRANGER, number) for number in range(12)]
    folder = tmp_path / "photos"
    folder.mkdir()
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "scientific_name", "label_set", "label_index"])
        for split, name, colour, number in rows:
            path = f"{split}-{name.replace(' ', '_')}-{number}.png"
            pixels = np.asarray(Image.new("RGB", (48, 48), colour)).astype(int)
            pixels += rng.integers(-40, 40, pixels.shape)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / path)
            writer.writerow([path, split, "other", name, "", ""])
    return folder


@pytest.fixture
def settings(hub_modules: HubModules, tmp_path: Path) -> EngineSettings:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(catalog_entry(hub_modules.colours))
    return EngineSettings(home=tmp_path / "home", catalog=catalog, threads=1)


@pytest.fixture
def index(
    photos: Path, settings: EngineSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("FIELDMARK_ENGINE__CATALOG", str(settings.catalog))
    words = ["index", "build", tmp_path / "index", "--from", "folder", photos, "--split", "train",
             "--embedder", "colours", "--projection", "pca", "--dims", "8",
             "--home", settings.home]  # fmt: skip
    built = CliRunner().invoke(app, [str(word) for word in words])
    assert built.exit_code == 0, built.output
    return tmp_path / "index"


def test_photos_it_does_not_hold_fit_its_vote(
    index: Path, photos: Path, settings: EngineSettings
) -> None:
    before = SpeciesIndex.open(index)
    done = calibrate_index(index, photos, "kept", settings)
    assert (done.inside, done.outside, done.held) == (24, 12, 0)
    after = SpeciesIndex.open(index)
    assert after.vote_settings == done.settings != before.vote_settings
    assert after.generation == before.generation + 1
    assert len(after) == len(before)
    assert done.settings.nearness_curve != NEARNESS_CURVE


def test_the_command_says_what_was_fitted_and_what_was_left_out(
    index: Path, photos: Path, settings: EngineSettings
) -> None:
    words = ["calibrate", photos, "--split", "kept", "--index", index, "--home", settings.home]
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 0, said.output
    assert "24 photos of its species and 12 of others" in said.stdout
    vote = SpeciesIndex.open(index).vote_settings
    assert f"temperature      {vote.temperature}" in said.stdout


def test_photos_that_cannot_be_used_are_left_out(
    index: Path, photos: Path, settings: EngineSettings
) -> None:
    cut, empty = photos / "kept-Apis_mellifera-0.png", photos / "kept-Apis_mellifera-1.png"
    cut.write_bytes(cut.read_bytes()[:500])
    empty.write_bytes(b"")
    words = ["calibrate", photos, "--split", "kept", "--index", index, "--home", settings.home]
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 0, said.output
    assert "22 photos of its species and 12 of others" in said.stdout
    assert f"Left out {cut.name}: This photo is damaged or cut off." in said.stderr
    assert f"Skipped 1: not a photo but an empty file, such as {empty.name}." in said.stderr


def test_a_folder_without_a_manifest_is_told_so(
    index: Path, settings: EngineSettings, tmp_path: Path
) -> None:
    words = ["calibrate", tmp_path, "--index", index, "--home", settings.home]
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 2
    assert "give a folder that has a MANIFEST.csv" in said.stderr
    assert "split" not in said.stderr


def test_its_own_photos_do_not_count(index: Path, photos: Path, settings: EngineSettings) -> None:
    before = SpeciesIndex.open(index).vote_settings
    words = ["calibrate", photos, "--split", "train", "--index", index, "--home", settings.home]
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 1
    assert "0 photos are too few" in said.stderr
    assert "Photos that the index holds do not count" in said.stderr
    assert SpeciesIndex.open(index).vote_settings == before
