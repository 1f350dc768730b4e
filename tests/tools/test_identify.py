"""``fieldmark identify`` in the terminal: tables for people, lines of JSON for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.hub_modules import HubModules
from tools.cli import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with photos that the tiny networks know, and some files they cannot."""
    for colour in ("red", "lime"):
        Image.new("RGB", (320, 240), colour).save(tmp_path / f"{colour}.png")
    (tmp_path / "page.jpg").write_text("<html></html>")
    return tmp_path


def run(hub_modules: HubModules, home: Path, *words: str | Path) -> Result:
    options = ["--models", str(hub_modules.no_plants), "--home", str(home / "home")]
    return CliRunner().invoke(app, ["identify", *map(str, words), *options])


def test_a_table_for_people(hub_modules: HubModules, folder: Path) -> None:
    result = run(hub_modules, folder, folder / "red.png", "--group", "bird")
    assert result.exit_code == 0
    assert "Cassin's Finch" in result.stdout
    assert "Haemorhous cassinii" in result.stdout
    assert "GBIF 8255548" in result.stdout


def test_an_index_that_was_named_and_cannot_be_used_is_not_done_without(
    hub_modules: HubModules, folder: Path
) -> None:
    result = run(hub_modules, folder, folder / "red.png", "--index", folder)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"There is no index in {folder}" in result.stderr


def test_a_line_of_json_for_each_photo_in_the_order_given(
    hub_modules: HubModules, folder: Path
) -> None:
    photos = [folder / "red.png", folder / "page.jpg", folder / "lime.png", folder / "none.png"]
    result = run(hub_modules, folder, *photos, "--group", "insect", "--json", "--limit", "2")
    assert result.exit_code == 1
    red, page, lime, none = (json.loads(line) for line in result.stdout.splitlines())
    assert set(red) >= {"path", "group", "verdict", "known", "candidates", "models", "timings_ms"}
    assert red["path"] == str(folder / "red.png")
    assert red["group"] == "insect"
    assert red["known"] is True
    assert red["verdict"]["scientific_name"] == "Nicrophorus tomentosus"
    assert set(red["candidates"][0]) == {
        "scientific_name",
        "rank",
        "vernacular_name",
        "gbif_key",
        "probability",
    }
    assert len(lime["candidates"]) <= 2
    assert lime["candidates"][0]["scientific_name"] == "Halyomorpha halys"
    assert page == {"path": str(folder / "page.jpg"), "error": page["error"]}
    assert "can't read" in page["error"]
    assert none["error"] == "There is no such file."


def test_a_photo_may_have_a_name_that_is_no_text(hub_modules: HubModules, folder: Path) -> None:
    path = folder / os.fsdecode(b"m\xe9sange.png")
    (folder / "red.png").rename(path)
    options = ["--group", "bird", "--models", str(hub_modules.no_plants), "--home", str(folder)]
    for form in ([], ["--json"]):
        words = ["-c", "from tools.cli import main; main()", "identify", str(path), *form, *options]
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert b"m\xe9sange.png" in done.stdout


@pytest.mark.parametrize(
    "words", [(), ("x.png", "--group", "dragon"), ("x.png", "--limit", "0"), ("x.png", "--nope")]
)
def test_wrong_usage_is_status_2(
    hub_modules: HubModules, folder: Path, words: tuple[str, ...]
) -> None:
    assert run(hub_modules, folder, *words).exit_code == 2


def test_an_unknown_runtime_is_one_sentence(hub_modules: HubModules, folder: Path) -> None:
    result = run(hub_modules, folder, folder / "red.png", "--runtime", "abacus")
    assert result.exit_code == 2
    assert "choose one of auto, openvino, tensorflow" in result.stderr


def test_a_group_without_a_network_fails_that_photo(hub_modules: HubModules, folder: Path) -> None:
    result = run(hub_modules, folder, folder / "red.png", "--group", "plant", "--json")
    assert result.exit_code == 1
    assert "no model for the group plant" in json.loads(result.stdout)["error"]
