"""What the demo is taught goes with it; what it downloads and measures stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Engine, EngineSettings
from engine.index.species_index import SpeciesIndex, verify_index
from engine.starter import starter_index
from tests.engine.small_index import create, references, species, units
from tools.demo import say_models, taught_apart


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("named", [True, False])
def test_an_index_of_the_machine_is_not_taught_by_the_demo(
    tmp_path: Path, folder: Path, named: bool
) -> None:
    home = tmp_path / "home"
    place = tmp_path / "elsewhere" if named else home / "index"
    writer = create(place)
    for letter in "ab":
        writer.add(units(2, seed=ord(letter)), references(letter, [0, 1]))
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    settings = taught_apart(EngineSettings(home=home, index=place if named else None), folder)
    assert settings.index_folder.is_relative_to(folder)
    demo = type(writer)(settings.index_folder)
    assert demo.forget("a0")
    assert demo.add(units(1, seed=9), references("new", [7])).rows == 1
    assert demo.compact() == 4
    assert species(7) in verify_index(settings.index_folder).taxa
    assert {path: path.read_bytes() for path in before} == before
    assert len(SpeciesIndex.open(place)) == 4


def test_an_index_whose_building_was_begun_only_is_none(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "home" / "index" / "work").mkdir(parents=True)
    settings = taught_apart(EngineSettings(home=tmp_path / "home"), folder)
    assert settings.index is None


def test_the_starter_is_taught_in_a_copy_of_the_demos_own(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    settings = taught_apart(EngineSettings(home=home), folder)
    assert starter_index(settings).is_relative_to(folder)
    assert settings.index is None
    assert not (home / "starter").exists()


def test_what_is_measured_stays_in_the_home(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    (home / "models" / "birds").mkdir(parents=True)
    settings = taught_apart(EngineSettings(home=home), folder)
    (settings.home / "compiled" / "birds").mkdir()
    assert (home / "compiled" / "birds").is_dir()
    assert (settings.home / "models" / "birds").is_dir()


def test_a_home_that_cannot_be_written_is_done_without(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = taught_apart(EngineSettings(home=tmp_path / "file" / "home"), folder)
    assert list(settings.home.iterdir()) == []


async def test_folders_are_printed_as_they_are_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "models [old" / "]"
    odd.mkdir(parents=True)
    async with Engine(EngineSettings(home=tmp_path / "home", models_dir=odd)) as engine:
        say_models(engine)
    assert f"The birds model is not on this machine in {odd} or " in capsys.readouterr().out
