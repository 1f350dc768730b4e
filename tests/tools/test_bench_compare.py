"""``fieldmark bench compare`` on tiny modules: everyone answers, and the sums add up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from engine import EngineSettings
from engine.catalog import load_catalog
from engine.precision import choose_precision
from engine.processor import has_bf16
from tests.hub_modules import HubModules
from tools.bench.app import bench_app
from tools.bench.compare import Comparison, Effort, RaceFigures, compare
from tools.bench.figures import percentile, ratios, summarise
from tools.bench.material import ChosenPhotos, Contestant, EmbedderModule
from tools.bench.processes import cpu_seconds, family, resident_mb
from tools.bench.race import AT_ONCE, ContestantFailed, Load, Plan, Turn, race
from tools.bench.rebuilds import FlatIndex

TINY = Effort(
    photos=3,
    phones=1,
    classifier=Plan(turns=1, alone=3, together=2),
    generic=Plan(turns=1, alone=3, together=2),
    posts=2,
)


def write_photos(folder: Path) -> Path:
    folder.mkdir()
    for number, colour in enumerate(("red", "lime", "blue")):
        # Flat, because one is enlarged to 4,000 pixels across.
        Image.new("RGB", (160, 40), colour).save(folder / f"{number}.png")
    return folder


def hold(hub_modules: HubModules, work: Path, *without: str) -> Comparison:
    return compare(
        EngineSettings(home=work / "home", models_dir=hub_modules.no_plants),
        write_photos(work / "photos"),
        1_000,
        TINY,
        work,
        without=without,
        embedder=EmbedderModule(folder=hub_modules.colours, side=224, width=48),
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def comparison(hub_modules: HubModules, work: Path) -> Comparison:
    return hold(hub_modules, work, "hobby", "pool")


def check(figures: RaceFigures) -> None:
    for way in figures.ways.values():
        assert {name: load.answered for name, load in way.loads.items()} == {
            str(at_once): 2 * at_once for at_once in AT_ONCE
        }
        assert all(load.lost == 0 for load in way.loads.values())
        assert way.problems == []
        assert way.core_ms_per_photo >= 0  # three photos may take less than the clock's tick
        assert 0 < way.worker_mb <= way.all_mb + 1  # measured one after the other
        assert way.same_answer_as_original in (None, 1.0)
    assert set(figures.ratios) == set(figures.ways) - {"fieldmark"}


@pytest.mark.timeout(120)
def test_the_original_and_ours_answer_alike(comparison: Comparison, work: Path) -> None:
    assert set(comparison.classifier.ways) == {"original", "fieldmark"}
    assert set(comparison.classifier.absent) == {"hobby", "pool"}
    ours = {"fieldmark", "fieldmark bf16"} if has_bf16() else {"fieldmark"}
    assert set(comparison.generic.ways) == {"original", *ours}
    assert (comparison.generic_bf16_ratios_to_original is None) == (len(ours) == 1)
    check(comparison.classifier)
    check(comparison.generic)
    chosen = choose_precision(load_catalog()["birds"], EngineSettings(home=work / "home"))
    assert comparison.classifier.ways["fieldmark"].runtime == f"openvino {chosen}"
    assert comparison.discord.posts == 2


@pytest.mark.skipif(
    "FIELDMARK_SLOW" not in os.environ, reason="starts TensorFlow eight times: set FIELDMARK_SLOW"
)
@pytest.mark.timeout(300)
def test_everyone_answers_alike(hub_modules: HubModules, tmp_path: Path) -> None:
    figures = hold(hub_modules, tmp_path).classifier
    assert set(figures.ways) == {"original", "hobby", "pool", "fieldmark"}
    assert figures.absent == {}
    check(figures)


def test_the_flat_index_votes_by_distance(tmp_path: Path) -> None:
    rows = np.array([[0, 0], [0, 1], [3, 3]], np.float32)
    index = faiss.IndexFlatL2(2)
    index.add(np.repeat(rows, 4, axis=0))
    faiss.write_index(index, str(tmp_path / "flat.faiss"))
    np.save(tmp_path / "species.npy", np.repeat([0, 1, 2], 4))
    np.savez(
        tmp_path / "pca.npz",
        components=np.eye(2, 3, dtype=np.float32),
        mean=np.array([1, 0, 0], np.float32),
    )
    ask = FlatIndex(str(tmp_path), ["near", "middle", "far"])
    assert ask(np.array([1, 0.1, 7], np.float32)) == "near"
    assert ask(np.array([1, 0.9, 7], np.float32)) == "middle"
    assert ask(np.array([5, 4, 7], np.float32)) == "far"


@pytest.mark.timeout(120)
def test_ratios_are_those_of_the_numbers_beside_them(comparison: Comparison) -> None:
    report = json.loads(json.dumps(asdict(comparison)))
    original, ours = (report["classifier"]["ways"][name] for name in ("original", "fieldmark"))
    assert report["ratios_to_original"] == {
        "latency_p50": round(original["latency_p50_ms"] / ours["latency_p50_ms"], 2),
        "throughput": round(ours["throughput_per_s"] / original["throughput_per_s"], 2),
        "phone_latency_p50": round(
            original["phone_latency_p50_ms"] / ours["phone_latency_p50_ms"], 2
        ),
        "phone_throughput": round(
            ours["phone_throughput_per_s"] / original["phone_throughput_per_s"], 2
        ),
        "worker_memory": round(original["worker_mb"] / ours["worker_mb"], 2),
        "cold_start": round(original["cold_start_s"] / ours["cold_start_s"], 2),
    }
    assert report["classifier"]["ratios"] == {"original": report["ratios_to_original"]}


def turn(*, alone_s: Sequence[float], load_s: Sequence[float], lost: int = 0) -> Turn:
    load = Load(wall_s=2.0, seconds=tuple(load_s), lost=lost, problems=(), longest_block_s=0.004)
    return Turn(
        runtime="none",
        cold_start_s=3.0,
        worker_mb=100.0,
        all_mb=120.0,
        cpu_s=0.012,
        alone_s=tuple(alone_s),
        phone_s=(0.05,),
        names=("a", "b"),
        loads=dict.fromkeys(AT_ONCE, load),
        phone_load=load,
        phone_watched=replace(load, longest_block_s=0.007),
    )


def test_figures_of_turns_with_known_times() -> None:
    turns = [turn(alone_s=[0.01, 0.03], load_s=[0.5] * 99 + [0.9], lost=1)]
    figures = summarise(turns, turns, cores=2)
    assert (figures.latency_p50_ms, figures.latency_p99_ms) == (20.0, 30.0)
    assert figures.loads["64"].photos_per_s == 50.0
    assert (figures.loads["64"].answered, figures.loads["64"].lost) == (100, 1)
    assert figures.loads["64"].p99_ms == 500.0
    assert figures.p99_over_ideal == round(500 / (64 * 20 / 2), 2)
    assert (figures.longest_block_ms, figures.phone_longest_block_ms) == (4.0, 7.0)
    assert figures.core_ms_per_photo == 12.0
    slower = summarise([turn(alone_s=[0.04], load_s=[0.5] * 50)], None, cores=2)
    assert slower.same_answer_as_original is None
    assert ratios(slower, figures) == {
        "latency_p50": 2.0,
        "throughput": 2.0,
        "phone_latency_p50": 1.0,
        "phone_throughput": 2.0,
        "worker_memory": 1.0,
        "cold_start": 1.0,
    }


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 201)], 99) == 198.0


def test_memory_is_of_a_process_and_its_children() -> None:
    nap = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", nap], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        everyone = family(os.getpid())
        assert {os.getpid(), child.pid} <= everyone
        assert family(child.pid) == {child.pid}
        assert 0 < resident_mb([child.pid]) < resident_mb(everyone)
        assert 0 <= cpu_seconds([child.pid]) < cpu_seconds(everyone)


def test_a_contestant_that_cannot_start_is_named(tmp_path: Path) -> None:
    small = sorted(write_photos(tmp_path / "photos").iterdir())
    photos = ChosenPhotos(small=tuple(small), phone=tuple(small[:1]))
    missing = {"model": str(tmp_path / "none.tflite"), "side": 224, "names": str(tmp_path)}
    contestants = {"broken": Contestant(way="nobody", options=missing)}
    with pytest.raises(ContestantFailed, match="broken ended: KeyError: 'nobody'"):
        list(race(contestants, photos, TINY.classifier, tmp_path))


def test_a_folder_without_photos_is_refused(hub_modules: HubModules, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    words = ["--photos", str(tmp_path / "photos"), "--models", str(hub_modules.no_plants)]
    for command in ([], ["compare"]):
        done = CliRunner().invoke(bench_app, [*command, *words, "--quick"])
        assert done.exit_code == 1
        assert "holds no photos" in done.stderr


def test_only_rebuilds_can_be_left_out(hub_modules: HubModules) -> None:
    words = ["--without", "original", "--models", str(hub_modules.no_plants)]
    done = CliRunner().invoke(bench_app, words)
    assert done.exit_code == 2
    assert "original cannot be left out; these can: hobby, pool." in done.stderr
