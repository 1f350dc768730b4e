"""The engine behind its door: real worker processes, real Hub modules, real photos."""

from __future__ import annotations

import asyncio
import csv
import io
import math
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from PIL import Image

from engine import (
    Engine,
    EngineSettings,
    Group,
    ModelUnavailable,
    PhotoRejected,
)
from engine.pipeline import Pipeline
from engine.worker import _unload_idle
from tests.hub_modules import HubModules

CHICKADEE = "Poecile atricapillus"
RED, GREEN, BLUE, GREY = "red", "lime", "blue", "grey"


def photo(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def settings(hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    """Serve the tiny birds and insects, as OpenVINO takes them, and no plants."""
    return EngineSettings(home=tmp_path_factory.mktemp("home"), models_dir=hub_modules.no_plants)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(settings: EngineSettings) -> AsyncIterator[Engine]:
    async with Engine(settings) as engine:
        yield engine


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_photo_gets_its_label(engine: Engine) -> None:
    answer = await engine.identify([photo(RED)], Group.BIRD)
    assert answer.group is Group.BIRD
    assert answer.known
    assert answer.candidates[0].taxon.scientific_name == "Haemorhous cassinii"
    assert answer.candidates[0].taxon.gbif_key == 8255548
    assert answer.verdict is not None
    assert answer.verdict.taxon == answer.candidates[0].taxon
    assert [m.name for m in answer.models] == ["birds"]


async def test_both_hub_formats_answer(engine: Engine) -> None:
    for group, name in ((Group.BIRD, "Aramus guarauna"), (Group.INSECT, "Halyomorpha halys")):
        answer = await engine.identify([photo(GREEN)], group)
        assert answer.candidates[0].taxon.scientific_name == name


async def test_probabilities_are_sorted_positive_and_sum_to_at_most_one(engine: Engine) -> None:
    answer = await engine.identify([photo("olive")], Group.INSECT, limit=25)
    probabilities = [c.probability for c in answer.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[-1] > 0
    assert sum(probabilities) <= 1


async def test_background_is_said_to_be_unknown(engine: Engine) -> None:
    answer = await engine.identify([photo(GREY)], Group.AUTO)
    assert not answer.known
    assert answer.verdict is None


async def test_several_photos_are_views_of_one_individual(engine: Engine) -> None:
    alone = {
        (await engine.identify([photo(colour)], Group.BIRD)).candidates[0].taxon
        for colour in (RED, GREEN)
    }
    both = await engine.identify([photo(RED), photo(GREEN)], Group.BIRD, limit=2)
    assert {c.taxon for c in both.candidates} == alone


async def test_more_certainty_gives_a_higher_taxon(engine: Engine) -> None:
    photos = [photo(RED), photo(RED), photo(GREEN)]
    lenient = await engine.identify(photos, Group.BIRD, certainty=0.5)
    strict = await engine.identify(photos, Group.BIRD, certainty=0.9)
    assert lenient.candidates == strict.candidates
    assert lenient.verdict is not None
    assert strict.verdict is not None
    assert lenient.verdict.taxon.scientific_name == "Haemorhous cassinii"
    assert (strict.verdict.taxon.rank, strict.verdict.taxon.scientific_name) == ("class", "Aves")
    assert strict.verdict.probability >= 0.9 > lenient.verdict.probability


async def test_auto_names_the_group_that_answered(engine: Engine) -> None:
    answer = await engine.identify([photo(BLUE)], Group.AUTO)
    assert answer.group in (Group.BIRD, Group.INSECT)
    assert answer.models[0].group is answer.group


@pytest.mark.parametrize("group", [Group.PLANT, Group.GENERIC])
async def test_a_group_without_a_network_is_reported(engine: Engine, group: Group) -> None:
    with pytest.raises(ModelUnavailable, match="bird, insect") as refusal:
        await engine.identify([photo(RED)], group)
    assert refusal.value.group is group
    problems = {m.name: m.problem for m in engine.models()}
    assert problems["birds"] is None
    assert "fieldmark models pull plants" in (problems["plants"] or "")


async def test_a_photo_that_cannot_be_read_is_left_out_and_said(engine: Engine) -> None:
    alone = await engine.identify([photo(RED)], Group.BIRD)
    beside = await engine.identify([b"<html>", photo(RED), photo(RED)[:400]], Group.BIRD)
    assert beside.candidates == alone.candidates
    assert (beside.photos, len(beside.notes)) == (1, 2)
    assert all(note.startswith("A photo is left out: ") for note in beside.notes)


async def test_photos_of_which_none_can_be_read_are_refused(engine: Engine) -> None:
    with pytest.raises(PhotoRejected, match="can't read"):
        await engine.identify([b"<html>", b"<html>"], Group.BIRD)


async def test_a_preview_comes_when_asked_for(engine: Engine) -> None:
    with_preview = await engine.identify([photo(RED)], Group.BIRD, preview=True)
    assert Image.open(io.BytesIO(with_preview.preview or b"")).format == "JPEG"
    assert (await engine.identify([photo(RED)], Group.BIRD)).preview is None


async def test_a_bomb_is_refused_under_the_memory_limit(settings: EngineSettings) -> None:
    bomb = Image.new("RGB", (6300, 6300))
    async with Engine(replace(settings, decode_memory_mb=64)) as engine:
        for kind in ("PNG", "WEBP"):
            out = io.BytesIO()
            bomb.save(out, kind, method=0)
            with pytest.raises(PhotoRejected, match="memory"):
                await engine.identify([out.getvalue()], Group.BIRD)
        answer = await engine.identify([photo(RED)], Group.BIRD)
    assert answer.known


async def test_limits_beyond_all_bounds_are_none(settings: EngineSettings) -> None:
    boundless = replace(settings, workers=1, decode_memory_mb=10**14, unload_after_s=math.inf)
    async with Engine(boundless) as engine:
        assert (await engine.identify([photo(RED)], Group.BIRD)).known


async def test_networks_that_are_to_be_kept_for_ever_are_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stopped(Exception):
        pass

    class Networks:
        def let_go(self, unasked_for_s: float) -> bool:
            assert unasked_for_s == math.inf
            raise Stopped

    naps: list[float] = []
    monkeypatch.setattr("engine.worker.sleep", naps.append)
    with pytest.raises(Stopped):
        _unload_idle(cast(Pipeline, Networks()), math.inf)
    assert naps[0] <= threading.TIMEOUT_MAX


async def test_where_home_cannot_be_written_the_networks_answer(
    settings: EngineSettings, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file")
    async with Engine(replace(settings, home=tmp_path / "home", workers=1)) as engine:
        answer = await engine.identify([photo(RED)], Group.BIRD)
    assert [model.name for model in answer.models] == ["birds"]


async def test_killed_workers_lose_no_request(engine: Engine) -> None:
    requests = [
        asyncio.create_task(engine.identify([photo(colour)], Group.BIRD))
        for colour in (RED, GREEN, BLUE) * 4
    ]
    await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    for pid in engine.worker_pids():
        os.kill(pid, signal.SIGKILL)
    answers = await asyncio.gather(*requests)
    assert len({a.candidates[0].taxon for a in answers}) == 3


async def test_networks_are_let_go_of_and_come_back_in_mid_load(settings: EngineSettings) -> None:
    """Every answer stands, though no network is kept for longer than a photo takes."""
    restless = replace(settings, workers=1, unload_after_s=0.001)
    async with Engine(restless) as engine:
        answers = await asyncio.gather(
            *(engine.identify([photo(colour)], Group.BIRD) for colour in (RED, GREEN) * 15)
        )
    named = [answer.candidates[0].taxon.scientific_name for answer in answers]
    assert named == ["Haemorhous cassinii", "Aramus guarauna"] * 15


async def test_a_module_that_openvino_refuses_is_served_by_tensorflow(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "plants_V1").symlink_to(hub_modules.plants)
    async with Engine(EngineSettings(home=tmp_path / "home", models_dir=folder)) as engine:
        runtimes = {m.name: m.runtime for m in engine.models()}
        answer = await engine.identify([photo(RED)], Group.PLANT)
    assert runtimes == {"birds": None, "insects": None, "plants": "tensorflow", "index": None}
    assert answer.candidates[0].taxon.scientific_name == "Betula lenta"


async def test_a_network_with_other_labels_is_reported(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "insects_V1").symlink_to(hub_modules.birds)
    (folder / "birds_V1").symlink_to(hub_modules.birds)
    async with Engine(EngineSettings(home=tmp_path / "home", models_dir=folder)) as engine:
        problems = {m.name: m.problem for m in engine.models()}
        answer = await engine.identify([photo(RED)], Group.AUTO)
    assert "965 numbers a photo where 1022 were expected" in (problems["insects"] or "")
    assert answer.group is Group.BIRD


async def test_without_any_network_the_engine_starts_and_says_so(tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, index=tmp_path / "no-index")
    async with Engine(settings) as engine:
        with pytest.raises(ModelUnavailable, match="fieldmark models pull"):
            await engine.identify([photo(RED)], Group.AUTO)


async def test_the_door_imports_nothing_that_sees_pixels() -> None:
    heavy = "tensorflow", "openvino", "PIL", "numpy", "sklearn", "ray"
    code = f"import engine, sys; print([m for m in {heavy} if m in sys.modules])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.strip() == b"[]"


async def test_the_real_bird_network_knows_a_chickadee_in_any_file(
    shared: Path, tmp_path: Path
) -> None:
    """Every odd file whose source says that it shows the chickadee is one."""
    odd = shared / "photos/odd"
    with (odd / "SOURCES.csv").open(encoding="utf-8") as file:
        files = [r["file"] for r in csv.DictReader(file) if CHICKADEE in r["expect"]]
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    async with Engine(settings) as engine:
        answers = await asyncio.gather(
            *(engine.identify([(odd / name).read_bytes()], Group.BIRD) for name in files)
        )
    named = [a.candidates[0].taxon.scientific_name for a in answers]
    assert len(named) > 20
    assert set(named) == {CHICKADEE}


async def test_a_second_photo_of_an_individual_corrects_the_first(
    shared: Path, tmp_path: Path
) -> None:
    """The real bird network takes one photo of a bobolink for a starling, but not two."""
    folder = shared / "photos/train/birds/Dolichonyx_oryzivorus"
    unclear, clear = ((folder / name).read_bytes() for name in ("005.jpg", "023.jpg"))
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    async with Engine(settings) as engine:
        first = await engine.identify([unclear], Group.BIRD)
        both = await engine.identify([unclear, clear], Group.BIRD)
        turned = await engine.identify([clear, unclear], Group.BIRD)
    assert first.candidates[0].taxon.scientific_name == "Sturnus vulgaris"
    assert both.candidates[0].taxon.scientific_name == "Dolichonyx oryzivorus"
    assert [c.taxon for c in turned.candidates] == [c.taxon for c in both.candidates]
    assert first.candidates[0].taxon in [c.taxon for c in both.candidates]
