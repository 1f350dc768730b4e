"""An index that comes, goes or is replaced while workers run costs no photo its answer."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, EngineSettings, Group
from engine.answering import answer
from engine.index.folder import MANIFEST
from engine.index.segment_builder import write_segment
from engine.index.writer import IndexWriter
from engine.pipeline import Pipeline
from engine.starter import STARTER
from engine.workers.backend import LEAVING
from engine.workers.channel import Message
from engine.workers.encoding import encode_lesson
from tests.engine.colour_index import CREDIT, LOOKS, make, picture, taxon
from tests.engine.small_index import create
from tests.hub_modules import HubModules

FOX = picture(LOOKS["Vulpes vulpes"], 99)


@pytest.fixture(scope="module")
def made(hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    folder = tmp_path_factory.mktemp("made")
    return replace(make(folder, hub_modules), models_dir=hub_modules.no_plants, workers=1)


@pytest.fixture
def settings(made: EngineSettings, tmp_path: Path) -> EngineSettings:
    """An index in its usual place, of which a test may do away with what it likes."""
    shutil.copytree(made.index_folder, tmp_path / "home" / "index")
    return replace(made, home=tmp_path / "home", index=None)


def ask(pipeline: Pipeline, group: Group) -> Message:
    body = {"group": group.value, "limit": 5, "preview": False, "certainty": 0.85}
    return answer(pipeline, Message(body, (FOX,)))


def models(said: Message) -> list[str]:
    return [model["name"] for model in said.body["identification"]["models"]]


def test_a_worker_whose_index_vanished_leaves_and_the_next_answers_without(
    settings: EngineSettings,
) -> None:
    pipeline = Pipeline(settings)
    assert "index" in models(ask(pipeline, Group.AUTO))
    (settings.index_folder / MANIFEST).unlink()
    for group in (Group.AUTO, Group.BIRD):
        assert LEAVING in ask(pipeline, group).body
    fresh = Pipeline(settings)
    assert models(ask(fresh, Group.BIRD)) == ["birds"]
    assert "There is no index yet" in ask(fresh, Group.GENERIC).body["error"]["sentence"]


def test_an_index_that_may_not_be_looked_at_is_logged_and_left(
    settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> None:
    # A name that is too long is refused like a folder that may not be read, which none is for root.
    shutil.rmtree(settings.index_folder)
    settings.index_folder.symlink_to("x" * 300)
    assert models(ask(Pipeline(settings), Group.AUTO)) == ["birds"]
    assert "manifest.json cannot be read: File name too long" in caplog.text


@pytest.mark.parametrize("damage", ["cut off", "another network's"])
def test_an_index_that_cannot_be_used_any_more_is_left_and_logged(
    settings: EngineSettings, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    pipeline = Pipeline(settings)
    ask(pipeline, Group.AUTO)
    if damage == "cut off":
        (settings.index_folder / MANIFEST).write_text("{")
    else:
        shutil.rmtree(settings.index_folder)
        create(settings.index_folder)
    assert LEAVING in ask(pipeline, Group.AUTO).body
    with caplog.at_level(logging.WARNING):
        fresh = Pipeline(settings)
    assert "The index is not used" in caplog.text
    said = [ask(fresh, group).body for group in (Group.BIRD, Group.GENERIC, Group.GENERIC)]
    assert "identification" in said[0]
    alone = Pipeline(replace(settings, models_dir=None))
    said += [ask(alone, group).body for group in (Group.AUTO, Group.BIRD, Group.GENERIC)]
    assert all("finds the reason in my log" in why["error"]["sentence"] for why in said[1:])
    assert str(settings.home) not in str(said)


def test_an_index_that_comes_later_is_opened_by_the_next_worker(settings: EngineSettings) -> None:
    away = settings.index_folder.rename(settings.home / "away")
    pipeline = Pipeline(settings)
    assert models(ask(pipeline, Group.BIRD)) == ["birds"]
    away.rename(settings.index_folder)
    assert LEAVING in ask(pipeline, Group.GENERIC).body
    fresh = Pipeline(settings)
    assert models(ask(fresh, Group.GENERIC)) == ["index"]


def test_the_starter_makes_way_for_an_index_once_it_is_whole(settings: EngineSettings) -> None:
    alone = replace(settings, models_dir=None)
    manifest = (settings.index_folder / MANIFEST).rename(settings.home / "kept")
    pipeline = Pipeline(alone)
    for _ in range(2):
        assert models(ask(pipeline, Group.GENERIC)) == [STARTER]
    manifest.rename(settings.index_folder / MANIFEST)
    assert LEAVING in ask(pipeline, Group.GENERIC).body
    assert models(ask(Pipeline(alone), Group.GENERIC)) == ["index"]


def test_the_starter_answers_until_the_first_photos_of_an_index_are_in_it(
    settings: EngineSettings, hub_modules: HubModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = replace(settings, models_dir=None)
    shutil.rmtree(settings.index_folder)
    pipeline = Pipeline(alone)
    meanwhile: list[list[str]] = []

    def write(*arguments: Any, **options: Any) -> object:
        meanwhile.extend(models(ask(one, Group.GENERIC)) for one in (pipeline, Pipeline(alone)))
        return write_segment(*arguments, **options)

    monkeypatch.setattr("engine.index.change.write_segment", write)
    make(settings.home, hub_modules)
    assert meanwhile == [[STARTER], [STARTER]]
    assert LEAVING in ask(pipeline, Group.GENERIC).body
    assert models(ask(Pipeline(alone), Group.GENERIC)) == ["index"]


def test_why_nothing_is_learnt_names_no_folder(
    settings: EngineSettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    pipeline = Pipeline(settings)
    monkeypatch.setattr("engine.index.change.write_manifest", full)
    photo = picture(LOOKS["Vulpes vulpes"], 777)
    lesson = encode_lesson(photo, taxon("Vulpes vulpes"), CREDIT, "new")
    with caplog.at_level(logging.WARNING):
        said = answer(pipeline, lesson).body["error"]
    assert "could not be changed" in said["sentence"]
    assert str(settings.home) not in said["sentence"]
    assert "No space left" in caplog.text


def test_an_index_without_photos_is_not_asked_but_can_be_taught(settings: EngineSettings) -> None:
    alone = replace(settings, models_dir=settings.home)
    beside, only = Pipeline(settings), Pipeline(alone)
    for name in LOOKS:
        IndexWriter(settings.index_folder).remove(taxon(name))
    assert models(ask(beside, Group.AUTO)) == ["birds"]
    for group in (Group.AUTO, Group.BIRD, Group.GENERIC):
        assert "holds no photos" in ask(only, group).body["error"]["sentence"]
    assert "holds no photos" in (Pipeline(settings).models[-1].problem or "")
    lesson = encode_lesson(FOX, taxon("Vulpes vulpes"), CREDIT, "new")
    assert answer(only, lesson).body["learnt"]["photos"] == 1
    assert models(ask(only, Group.AUTO)) == models(ask(only, Group.GENERIC)) == ["index"]


async def test_a_photo_is_answered_whatever_becomes_of_the_index(settings: EngineSettings) -> None:
    async with Engine(settings) as engine:
        with_index = await engine.identify([FOX], Group.AUTO)
        shutil.rmtree(settings.index_folder)
        without = await engine.identify([FOX], Group.AUTO)
    assert "index" in {model.name for model in with_index.models}
    assert "index" not in {model.name for model in without.models}
