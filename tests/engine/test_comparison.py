"""OpenVINO against TensorFlow on real modules, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.catalog import ModelEntry, load_catalog
from engine.networks.comparison import PreparationFailed, prepare
from engine.networks.hub import HubError, locate
from engine.networks.preparation import Preparation, choose_runtime, read_preparation
from engine.networks.probe import Probe
from engine.networks.runtime import NetworkUnreadable
from engine.networks.samples import BATCH, Samples, SamplesUnusable, bundled_samples, folder_samples
from engine.settings import EngineSettings
from tests.engine.process_tree import children_of, title_of
from tests.hub_modules import HubModules

Outcome = Preparation | HubError


def compare(
    entries: Sequence[ModelEntry],
    settings: EngineSettings,
    samples: Samples,
) -> dict[str, Outcome]:
    """Compare every entry, with one process of each runtime for all."""

    async def run() -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        async with (
            Probe(runtime="openvino", log=settings.home / "openvino.log") as fast,
            Probe(runtime="tensorflow", log=settings.home / "tensorflow.log") as judge,
        ):
            for entry in entries:
                try:
                    outcomes[entry.name] = await prepare(
                        locate(entry, settings),
                        settings,
                        samples,
                        lambda done, total: None,
                        fast=fast,
                        judge=judge,
                    )
                except HubError as error:
                    outcomes[entry.name] = error
        return outcomes

    return asyncio.run(run())


@pytest.fixture(scope="module")
def entries(
    hub_modules: HubModules, shared_or_none: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ModelEntry]:
    """Return all that is compared, by the same two processes: TensorFlow takes long to start."""
    catalog = load_catalog()
    birds = catalog["birds"]
    broken = tmp_path_factory.mktemp("broken")
    shutil.copytree(hub_modules.birds, broken, dirs_exist_ok=True)
    (broken / "saved_model.pb").write_bytes(b"no graph")
    narrow = replace(catalog["insects"], handle=str(hub_modules.birds))
    folder = None if shared_or_none is None else shared_or_none / "models"
    real = {} if folder is None else {name: f"real {name}" for name in ("birds", "insects")}
    return {
        **catalog,
        **{
            alias: replace(catalog[name], name=alias, handle=f"{folder}/{name}_V1")
            for name, alias in real.items()
        },
        "noisy": replace(birds, name="noisy", handle=str(hub_modules.noisy)),
        "logits": replace(birds, name="logits", handle=str(hub_modules.logits)),
        "broken": replace(birds, name="broken", handle=str(broken)),
        "narrow": replace(narrow, name="narrow"),
        "relabelled": replace(birds, name="relabelled", labels="plants"),
    }


@pytest.fixture(scope="module")
def settings(hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    return EngineSettings(
        home=tmp_path_factory.mktemp("home"), models_dir=hub_modules.folder, precision="f32"
    )


@pytest.fixture(scope="module")
def outcomes(entries: dict[str, ModelEntry], settings: EngineSettings) -> dict[str, Outcome]:
    return compare(list(entries.values()), settings, bundled_samples())


@pytest.mark.parametrize("name", ["birds", "insects"])
def test_openvino_takes_both_formats_and_agrees(
    outcomes: dict[str, Outcome],
    entries: dict[str, ModelEntry],
    settings: EngineSettings,
    name: str,
) -> None:
    record = outcomes[name]
    assert isinstance(record, Preparation)
    assert (record.runtime, record.photos, record.agreement) == ("openvino", 16, 1.0)
    assert record.greatest_difference is not None
    assert record.greatest_difference < 1e-5
    assert read_preparation(locate(entries[name], settings), settings) == record


def test_what_openvino_refuses_is_served_by_tensorflow(
    outcomes: dict[str, Outcome], entries: dict[str, ModelEntry], settings: EngineSettings
) -> None:
    record = outcomes["plants"]
    assert isinstance(record, Preparation)
    assert (record.runtime, record.agreement, record.greatest_difference) == (
        "tensorflow",
        None,
        None,
    )
    assert record.reason is not None
    assert "OpenVINO cannot take plants_V1" in record.reason
    assert choose_runtime(locate(entries["plants"], settings), settings).runtime == "tensorflow"


def test_wrong_numbers_are_served_by_tensorflow(outcomes: dict[str, Outcome]) -> None:
    record = outcomes["noisy"]
    assert isinstance(record, Preparation)
    assert record.runtime == "tensorflow"
    assert record.greatest_difference is not None
    assert record.greatest_difference > 1e-3
    assert record.reason is not None
    assert "differs from TensorFlow by" in record.reason


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("logits", "numbers that are no probabilities"),
        ("broken", "TensorFlow cannot load"),
        ("narrow", "965 numbers a photo where 1022 were expected"),
        ("relabelled", "2102 labels called plants.*965 classes: correct the catalog"),
    ],
)
def test_what_tensorflow_cannot_vouch_for_fails_and_is_not_recorded(
    outcomes: dict[str, Outcome], settings: EngineSettings, name: str, said: str
) -> None:
    with pytest.raises(PreparationFailed, match=said):
        raise_outcome(outcomes[name])
    assert not (settings.home / "prepared" / f"{name}.json").exists()


def raise_outcome(outcome: Outcome) -> None:
    if isinstance(outcome, HubError):
        raise outcome


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("name", ["real birds", "real insects"])
def test_the_real_networks_agree(outcomes: dict[str, Outcome], name: str) -> None:
    record = outcomes[name]
    assert isinstance(record, Preparation)
    assert (record.runtime, record.agreement) == ("openvino", 1.0)
    assert record.greatest_difference is not None
    assert record.greatest_difference < 1e-4


async def test_a_process_that_dies_is_said_so_and_replaced(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    (images,) = bundled_samples().batches(224)
    async with Probe(runtime="openvino", log=tmp_path / "log") as probe:
        before = await probe.classify(hub_modules.birds, images, 965)
        for pid in probe_processes():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(NetworkUnreadable, match="openvino process died of birds_V1"):
            await probe.classify(hub_modules.birds, images, 965)
        after = await probe.classify(hub_modules.birds, images, 965)
    np.testing.assert_array_equal(before, after)
    assert probe_processes() == []


def probe_processes() -> list[int]:
    """Return the children of this process that are probes."""
    return [pid for pid in children_of(os.getpid()) if b"engine.networks.probe" in title_of(pid)]


def test_the_bundled_samples_are_sixteen_different_views() -> None:
    samples = bundled_samples()
    (images,) = samples.batches(64)
    assert (len(samples), images.shape, images.dtype) == (
        16,
        (16, 64, 64, 3),
        np.dtype(np.uint8),
    )
    assert len(np.unique(images.reshape(16, -1), axis=0)) == 16


def test_a_folder_of_photos_is_read_in_batches(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for number in range(BATCH + 1):
        folder = tmp_path / "below" if number % 2 else tmp_path
        Image.new("RGB", (80, 60), (number, 0, 0)).save(folder / f"{number:02}.PNG")
    (tmp_path / "MANIFEST.csv").write_text("no photo")
    samples = folder_samples(tmp_path)
    sizes = [len(images) for images in samples.batches(32)]
    assert (len(samples), sizes) == (BATCH + 1, [BATCH, 1])


def test_a_folder_without_photos_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesUnusable, match="holds no photos"):
        folder_samples(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(SamplesUnusable, match=r"broken\.jpg is no photo to compare on"):
        list(folder_samples(tmp_path).batches(32))
