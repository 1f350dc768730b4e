"""``fieldmark study precision`` on a real embedder, and what it counts as alike."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from engine.precision import Precision
from tests.hub_modules import HubModules, catalog_entry
from tools.cli import app
from tools.crossvalidation import deal_by_folds
from tools.study.material import Embedded
from tools.study.precision import first_species

SPECIES, EACH = 6, 6


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of six colours, a split to make an index of and one to ask it about."""
    rng = np.random.default_rng(1)
    colours = rng.uniform(40, 215, (SPECIES, 3))
    with (tmp_path / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "scientific_name", "label_set", "label_index"])
        for split, count in (("train", EACH), ("test", 2)):
            for species in range(SPECIES):
                for number in range(count):
                    pixels = np.clip(colours[species] + rng.normal(0, 8, 3), 0, 255)
                    path = f"{split}-{species}-{number}.png"
                    colour = tuple(pixels.astype(int).tolist())
                    Image.new("RGB", (32, 32), colour).save(tmp_path / path)
                    group = "birds" if species % 2 else "insects"
                    writer.writerow([path, split, group, f"Species {species}", "", ""])
        Image.new("RGB", (32, 32), "black").save(tmp_path / "stranger.png")
        for split in ("test", "strangers"):
            writer.writerow(["stranger.png", split, "fungi", "Species not in train", "", ""])
    return tmp_path


def study(
    hub_modules: HubModules, photos: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> Result:
    catalog = photos / "catalog.toml"
    catalog.write_text(catalog_entry(hub_modules.colours))
    monkeypatch.setenv("FIELDMARK_ENGINE__CATALOG", str(catalog))
    return CliRunner().invoke(
        app,
        ["study", "precision", str(photos), *words, "--home", str(photos / "home")],
        env={"COLUMNS": "200"},
    )


@pytest.mark.parametrize("asked", [(), ("--ask", "test")])
def test_every_way_is_compared_and_the_catalogs_line_is_said(
    hub_modules: HubModules, photos: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    result = study(hub_modules, photos, monkeypatch, "--embedder", "colours", *asked)
    assert result.exit_code == 0, result.output
    rows = {
        cells[0].strip(): [float(cell) for cell in cells[1:]]
        for line in result.stdout.splitlines()
        if len(cells := line.strip("│").split("│")) == 5
    }
    # Birds, insects, all, and the share that is right; the stranger is asked about by nobody.
    assert rows["f32, f32"][:3] == [1.0, 1.0, 1.0]
    assert rows["f32, f32"][3] > 0.5
    assert {"f32, bf16", "bf16, f32", "bf16, bf16"} < set(rows)
    said = re.search(r"bf16_agreement = (\d\.\d+)", result.stdout)
    assert said is not None
    assert float(said[1]) == pytest.approx(rows["bf16, bf16"][2], abs=1e-3)


def test_an_answer_that_bf16_changes_is_not_alike() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 6)
    features = (np.eye(4)[labels] + 0.1 * rng.random((24, 4))).astype(np.float32)
    blurred = features.copy()
    blurred[[0, 6]] = features[[6, 0]]  # at bf16 each of the two looks like the other's species
    groups = np.full(24, "birds")
    embedded: dict[Precision, Embedded] = {
        "f32": Embedded(features=features, labels=labels, groups=groups),
        "bf16": Embedded(features=blurred, labels=labels, groups=groups),
    }
    deals = deal_by_folds(labels)
    asked = np.concatenate([photos for _, photos in deals])
    firsts = first_species(embedded, deals)
    assert sorted(asked.tolist()) == list(range(24))
    changed = asked[firsts["f32", "f32"] != firsts["f32", "bf16"]]
    assert sorted(changed.tolist()) == [0, 6]


def test_what_cannot_be_compared_is_refused_in_words(
    hub_modules: HubModules, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--embedder", "colours"]
    result = study(hub_modules, photos, monkeypatch, *words, "--ask", "strangers")
    assert result.exit_code == 2
    assert "No photo of 'strangers' shows a species" in result.stderr
    (photos / "MANIFEST.csv").unlink()
    result = study(hub_modules, photos, monkeypatch, *words)
    assert result.exit_code == 2
    assert "MANIFEST.csv" in result.stderr
