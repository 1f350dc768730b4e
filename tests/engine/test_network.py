"""Networks are opened once, ahead where that saves time, and let go while nobody asks them."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.answering import answer
from engine.catalog import ModelEntry, load_catalog
from engine.contracts import NetworkLost
from engine.index.folder import MANIFEST
from engine.network import Networks, ResidentNetwork, begin_networks
from engine.networks.hub import HubError, locate
from engine.networks.runtime import Images, NetworkUnreadable, Outputs
from engine.pipeline import Pipeline
from engine.precision import Precision
from engine.settings import EngineSettings
from engine.starter import STARTER
from engine.workers.backend import EXHAUSTED, LEAVING
from engine.workers.channel import Message
from tests.hub_modules import HubModules

PHOTO = np.full((1, 192, 192, 3), 128, np.uint8)


class Clock:
    """Shows the seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def starter() -> ModelEntry:
    return load_catalog()[STARTER]


def features(answers: Outputs) -> NDArray[np.float32]:
    (only,) = answers.values()
    return only


def test_a_network_is_let_go_and_comes_back_with_the_same_answers(
    tmp_path: Path, clock: Clock, starter: ModelEntry
) -> None:
    networks = Networks(EngineSettings(home=tmp_path), clock=clock)
    networks.begin([starter])
    _, network = networks.open(starter)
    assert networks.open(starter)[1] is network
    before = features(network(PHOTO))
    clock.now = 59
    assert not networks.let_go(60)
    clock.now = 60
    assert networks.let_go(60)
    assert not networks.let_go(60)
    np.testing.assert_array_equal(features(network(PHOTO)), before)
    clock.now = 119
    assert not networks.let_go(60)
    clock.now = 120
    assert networks.let_go(60)


def test_what_cannot_be_opened_ahead_is_told_to_who_asks_for_it(
    tmp_path: Path, clock: Clock, starter: ModelEntry
) -> None:
    networks = Networks(EngineSettings(home=tmp_path), clock=clock)
    birds = load_catalog()["birds"]
    networks.begin([birds, starter])
    with pytest.raises(HubError, match="fieldmark models pull birds"):
        networks.open(birds)
    assert features(networks.open(starter)[1](PHOTO)).shape == (1, 512)
    clock.now = 60
    assert networks.let_go(60)


def test_a_network_that_was_deleted_while_it_was_let_go_is_missed(
    tmp_path: Path, clock: Clock, starter: ModelEntry
) -> None:
    settings = EngineSettings(home=tmp_path)
    moved = shutil.copytree(Path(str(starter.local_folder)), tmp_path / "model")
    networks = Networks(settings, clock=clock)
    _, network = networks.open(replace(starter, handle=str(moved)))
    clock.now = 60
    assert networks.let_go(60)
    shutil.rmtree(moved)
    with pytest.raises(NetworkLost, match="starter"):
        network(PHOTO)


def test_a_network_that_was_replaced_while_it_was_let_go_is_refused(
    tmp_path: Path, clock: Clock, starter: ModelEntry
) -> None:
    settings = EngineSettings(home=tmp_path / "home")
    entry = replace(starter, handle=str(tmp_path / "model"), checksum=None)
    shutil.copytree(Path(str(starter.local_folder)), tmp_path / "model")
    networks = Networks(settings, clock=clock)
    _, network = networks.open(entry)
    clock.now = 60
    assert networks.let_go(60)
    (tmp_path / "model" / "assets").mkdir(exist_ok=True)
    (tmp_path / "model" / "assets" / "more.txt").write_text("of another version")
    locate(entry, settings, trust=True)  # as `fieldmark models pull --force` does
    with pytest.raises(NetworkLost, match="was replaced while it was not in use"):
        network(PHOTO)


def test_a_worker_whose_network_was_deleted_leaves_instead_of_answering(
    hub_modules: HubModules, tmp_path: Path, clock: Clock
) -> None:
    models = tmp_path / "models"
    shutil.copytree(hub_modules.folder / "birds_V1", models / "birds_V1")
    settings = EngineSettings(home=tmp_path / "home", models_dir=models, threads=1)
    pipeline = Pipeline(settings, Networks(settings, clock=clock))
    photo = io.BytesIO()
    Image.new("RGB", (64, 64)).save(photo, "JPEG")
    body = {"group": "bird", "limit": 5, "preview": False, "certainty": 0.85}
    request = Message(body, (photo.getvalue(),))
    assert "identification" in answer(pipeline, request).body
    clock.now = 60
    assert pipeline.let_go(60)
    shutil.rmtree(models / "birds_V1")
    assert "birds" in answer(pipeline, request).body[LEAVING]


@pytest.mark.parametrize(
    "error",
    [
        NetworkUnreadable("OpenVINO cannot take birds: MemoryError."),
        MemoryError(),
        ImportError("MemoryError"),
    ],
    ids=["unreadable", "no memory", "no library"],
)
def test_a_network_that_cannot_be_opened_again_is_lost_whatever_the_reason(
    clock: Clock, error: Exception
) -> None:
    class Blank:
        description = "openvino f32"

        def __call__(self, images: Images) -> Outputs:
            return {"default": images.astype(np.float32)}

    def refuse() -> Blank:
        raise error

    network = ResidentNetwork(Blank(), refuse, clock)
    clock.now = 1
    assert network.let_go(1)
    with pytest.raises(NetworkLost, match="MemoryError"):
        network(PHOTO)


def test_a_network_is_opened_again_in_its_own_runtime(
    tmp_path: Path, clock: Clock, starter: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = Networks(EngineSettings(home=tmp_path), clock=clock)
    _, network = networks.open(starter)
    clock.now = 60
    assert networks.let_go(60)
    tried = []

    def exhausted(_: Path, *, runtime: str, **__: object) -> None:
        tried.append(runtime)
        raise NetworkUnreadable("Failed to allocate.")

    monkeypatch.setattr("engine.network.open_network", exhausted)
    with pytest.raises(NetworkLost, match="allocate"):
        network(PHOTO)
    assert tried == ["openvino"]


def test_a_worker_that_runs_out_of_memory_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(EngineSettings(home=tmp_path, threads=1))

    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("engine.generic.GenericClassifier.classify", exhausted)
    photo = io.BytesIO()
    Image.new("RGB", (64, 64)).save(photo, "JPEG")
    body = {"group": "auto", "limit": 5, "preview": False, "certainty": 0.85}
    assert EXHAUSTED in answer(pipeline, Message(body, (photo.getvalue(),))).body


@pytest.mark.parametrize(("asked", "made_at"), [("auto", "f32"), ("auto", "bf16"), ("f32", "bf16")])
def test_left_open_the_precision_is_the_indexs(
    tmp_path: Path, starter: ModelEntry, asked: str, made_at: Precision
) -> None:
    settings = EngineSettings(home=tmp_path, precision=asked)  # type: ignore[arg-type]
    networks = Networks(settings, made_at={STARTER: made_at})
    networks.begin([starter])
    expected = made_at if asked == "auto" else asked
    assert networks.open(starter)[1].description == f"openvino {expected}"


@pytest.mark.parametrize("made_at", ["f32", "bf16"])
def test_what_classifies_is_opened_ahead_at_the_precision_of_the_index(
    tmp_path: Path, hub_modules: HubModules, made_at: Precision
) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=hub_modules.no_plants)
    settings.index_folder.mkdir()
    manifest = settings.index_folder / MANIFEST
    manifest.write_text(json.dumps({"embedder": f"birds@0123456789ab/224/{made_at}"}))
    _, network = begin_networks(settings).open(load_catalog()["birds"])
    assert network.description == f"openvino {made_at}"


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"embedder": 1}'])
def test_a_damaged_manifest_does_not_keep_networks_from_opening(
    tmp_path: Path, hub_modules: HubModules, manifest: str
) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=hub_modules.no_plants)
    settings.index_folder.mkdir()
    (settings.index_folder / MANIFEST).write_text(manifest)
    _, network = begin_networks(settings).open(load_catalog()["birds"])
    assert network.description.startswith("openvino ")
