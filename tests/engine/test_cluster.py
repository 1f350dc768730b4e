"""A Ray cluster of two nodes answers like one machine, and loses nothing when a node dies."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import io
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine import (
    Engine,
    EngineFailed,
    EngineSettings,
    EngineTimeout,
    Group,
    Identification,
    PhotoRejected,
)
from engine.cluster.backend import RayBackend
from engine.index.writer import IndexWriter
from engine.workers.channel import Message
from engine.workers.pool import WorkerPool
from tests.engine.colour_index import CREDIT, LOOKS, NEW, make, picture, taxon
from tests.engine.process_tree import children_of, title_of
from tests.engine.ray_cluster import Nodes
from tests.hub_modules import HubModules

RAY = importlib.util.find_spec("ray") is not None
BIRDS = {"red": "Haemorhous cassinii", "lime": "Aramus guarauna"}

needs_ray = pytest.mark.skipif(not RAY, reason="needs Ray: pip install 'fieldmark[ray]'")
# Within what a cluster takes to start on a busy machine.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        nodes = Nodes()
        try:
            yield nodes
        finally:
            left = nodes.end()
        assert left == set()


@asynccontextmanager
async def running(address: str, *, stuck_after_s: float = 60) -> AsyncIterator[WorkerPool]:
    backend = RayBackend(
        "tests.engine.obedient_worker",
        Message({}),
        address=address,
        workers=1,
        threads=1,
        start_timeout_s=60,
    )
    pool = WorkerPool(
        backend, queue_limit=8, queue_mb=64, deadline_s=60, stuck_after_s=stuck_after_s
    )
    await pool.start()
    try:
        await until(lambda: len(pool.pids) == 2)
        yield pool
    finally:
        await pool.close(drain_s=0)


async def ask(pool: WorkerPool, do: str, **body: object) -> Message:
    answer, _ = await pool.submit(Message({"do": do, **body}))
    return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        # The condition is the supervisor's own state, which announces nothing.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def bridge_pid() -> int:
    """Return the process id of the one bridge of this process."""
    (pid,) = [pid for pid in children_of(os.getpid()) if b"engine.cluster.bridge" in title_of(pid)]
    return pid


def photo(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(out, "PNG")
    return out.getvalue()


@needs_ray
async def test_what_one_node_learns_in_a_folder_that_they_share_all_know(
    nodes: Nodes, hub_modules: HubModules, tmp_path: Path
) -> None:
    settings = replace(
        make(tmp_path, hub_modules),
        backend="ray",
        address=nodes.address,
        workers=1,
        deadline_s=60,
        stuck_after_s=60,
    )
    name, look = NEW
    async with Engine(settings) as engine:
        await until(lambda: len(engine.worker_pids()) == 2)

        async def of_all() -> set[bool]:
            asked = (engine.identify([picture(look, 50)], Group.GENERIC) for _ in range(8))
            answers = await asyncio.gather(*asked)
            return {taxon(name) in {c.taxon for c in answer.candidates} for answer in answers}

        learnt = await engine.learn(picture(look, 0), taxon(name), CREDIT, identity="new")
        assert (learnt.new, learnt.photos) == (True, 1)
        assert await of_all() == {True}
        assert await engine.forget("new")
        assert await of_all() == {False}


@needs_ray
async def test_a_node_killed_in_mid_load_loses_nothing(
    nodes: Nodes, hub_modules: HubModules, tmp_path: Path
) -> None:
    settings = EngineSettings(
        home=tmp_path,
        models_dir=hub_modules.no_plants,
        backend="ray",
        address=nodes.address,
        threads=1,
        deadline_s=60,
    )
    async with Engine(settings) as engine:
        assert {m.name for m in engine.models() if m.problem is None} == {"birds", "insects"}
        await until(lambda: len(engine.worker_pids()) == 2)
        names: list[str] = []
        enough = asyncio.Event()

        async def keep_asking(colour: str, expected: str) -> None:
            while not enough.is_set():
                answer = await engine.identify([photo(colour)], Group.BIRD)
                assert answer.candidates[0].taxon.scientific_name == expected
                names.append(expected)

        members = [asyncio.create_task(keep_asking(*bird)) for bird in list(BIRDS.items()) * 4]
        await until(lambda: len(names) > 20)
        await asyncio.to_thread(nodes.lose, min(engine.worker_pids()))
        await until(lambda: len(engine.worker_pids()) == 1)
        before = len(names)
        await until(lambda: len(names) > before + 20)
        enough.set()
        await asyncio.gather(*members)
        with pytest.raises(PhotoRejected, match="can't read"):
            await engine.identify([b"<html>"], Group.BIRD)
    assert set(names) == set(BIRDS.values())


@needs_ray
async def test_a_request_goes_on_elsewhere_and_a_new_node_takes_the_seat(
    nodes: Nodes, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    await asyncio.to_thread(nodes.add)
    async with running(nodes.address) as pool:
        before = set(pool.pids)
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        other = (await ask(pool, "echo")).body["pid"]
        (lost,) = before - {other}
        await asyncio.to_thread(nodes.lose, lost)
        await until(lambda: pool.pids == {other})
        await asyncio.to_thread(lambda: os.close(os.open(gate, os.O_WRONLY)))
        assert (await held).body["pid"] == other
        await asyncio.to_thread(nodes.add)
        await until(lambda: len(pool.pids) == 2)


@needs_ray
async def test_an_actor_that_dies_or_hangs_is_replaced(nodes: Nodes, tmp_path: Path) -> None:
    async with running(nodes.address, stuck_after_s=1) as pool:
        before = set(pool.pids)
        blobs = (os.urandom(300_000), b"", b"x")
        assert (await pool.submit(Message({"do": "echo"}, blobs)))[0].blobs == blobs
        survived = await ask(pool, "die once", remember=str(tmp_path / "died"))
        assert survived.body["pid"] in before
        await until(lambda: len(pool.pids) == 2)
        with pytest.raises(EngineFailed, match="gave up"):
            await ask(pool, "die")
        with pytest.raises(EngineTimeout):
            await ask(pool, "hang")
        await until(lambda: len(pool.pids) == 2)
        assert not pool.pids & before
        assert (await ask(pool, "echo")).body["pid"] in pool.pids


@needs_ray
async def test_a_lost_connection_to_the_cluster_loses_no_request(
    nodes: Nodes, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with running(nodes.address) as pool:
        before = set(pool.pids)
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        os.kill(bridge_pid(), signal.SIGKILL)
        # A node has room for one actor, so the new ones come when the old ones are gone.
        await until(lambda: len(pool.pids - before) == 2 and pool.running == 1)
        await asyncio.to_thread(lambda: os.close(os.open(gate, os.O_WRONLY)))
        assert (await held).body["pid"] not in before


@needs_ray
async def test_a_shards_node_killed_in_mid_load_loses_nothing(
    nodes: Nodes, hub_modules: HubModules, tmp_path: Path
) -> None:
    whole = make(tmp_path, hub_modules)
    IndexWriter(tmp_path / "index").compact(2)
    settings = replace(
        whole,
        backend="ray",
        address=nodes.address,
        index_shards=2,
        workers=1,
        deadline_s=60,
        stuck_after_s=60,
    )
    async with Engine(settings) as engine:
        await until(lambda: len(engine.worker_pids()) == 2)
        answers: list[tuple[str, Identification]] = []
        enough = asyncio.Event()

        async def keep_asking(name: str) -> None:
            while not enough.is_set():
                photo = picture(LOOKS[name], 100 + len(answers))
                answers.append((name, await engine.identify([photo], Group.GENERIC)))

        members = [asyncio.create_task(keep_asking(name)) for name in LOOKS]
        await until(lambda: len(answers) > 8)
        first, second = nodes.shards()
        await asyncio.to_thread(nodes.lose, first)
        await until(lambda: len(nodes.shards() - {first, second}) == 1)
        before = len(answers)
        await until(lambda: len(answers) > before + 8)
        enough.set()
        await asyncio.gather(*members)
        for name, answer in answers:
            assert answer.notes == (), "no answer is of a part of the index"
            best = answer.candidates[0]
            assert (best.taxon, best.references[0]) == (taxon(name), CREDIT)
        name, look = NEW
        learnt = await engine.learn(picture(look, 0), taxon(name), CREDIT, identity="new")
        assert (learnt.new, learnt.photos) == (True, 1)
        answer = await engine.identify([picture(look, 50)], Group.GENERIC)
        assert answer.candidates[0].taxon == taxon(name)
        assert await engine.forget("new")
        answer = await engine.identify([picture(look, 50)], Group.GENERIC)
        assert taxon(name) not in {candidate.taxon for candidate in answer.candidates}


@needs_ray
async def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cluster.backend._REJOIN_DELAY_S", 0)
    monkeypatch.setattr("engine.cluster.backend._TRIES_BEFORE_GIVING_UP", 1)
    engine = Engine(EngineSettings(backend="ray", address="127.0.0.1:1"))
    with pytest.raises(EngineFailed, match=r"Ray cluster 127\.0\.0\.1:1 cannot be joined"):
        await engine.start()
    await engine.close()


async def test_without_ray_what_to_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = Engine(EngineSettings(backend="ray"))
    with pytest.raises(EngineFailed, match=r"not installed; run `pip install 'fieldmark\[ray\]'`"):
        await engine.start()
    await engine.close()


async def test_a_bridge_for_which_there_is_no_room_is_tried_again_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    async def full(*_: object, **__: object) -> asyncio.subprocess.Process:
        nonlocal tries
        tries += 1
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("engine.cluster.backend._REJOIN_DELAY_S", 0)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
    engine = Engine(EngineSettings(backend="ray"))
    with pytest.raises(EngineFailed, match=r"could not start: .*Cannot allocate memory"):
        await engine.start()
    await engine.close()
    assert tries == 3
