"""The pool keeps its promises while workers die, hang and are flooded."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.contracts import EngineBusy, EngineFailed, EngineTimeout, Requester
from engine.workers.admission import Ticket
from engine.workers.backend import Seat
from engine.workers.channel import Message
from engine.workers.pool import WorkerPool
from engine.workers.process import ProcessBackend


def make_pool(*, hello: dict[str, object] | None = None, **settings: float) -> WorkerPool:
    defaults: dict[str, float] = {
        "workers": 1,
        "queue_limit": 8,
        "queue_mb": 64,
        "deadline_s": 30,
        "stuck_after_s": 30,
    }
    chosen = defaults | settings
    backend = ProcessBackend(
        "tests.engine.obedient_worker",
        Message(hello or {}),
        workers=int(chosen.pop("workers")),
        start_timeout_s=30,
    )
    return WorkerPool(backend, **chosen)  # type: ignore[arg-type]


@asynccontextmanager
async def running(**settings: float) -> AsyncIterator[WorkerPool]:
    pool = make_pool(hello=None, **settings)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close(drain_s=0)


async def ask(
    pool: WorkerPool,
    do: str,
    requester: Requester | None = None,
    ticket: Ticket | None = None,
    **body: object,
) -> Message:
    answer, _ = await pool.submit(Message({"do": do, **body}), requester, ticket)
    return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        # The condition is the supervisor's own state, which announces nothing.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return a named pipe that a held worker waits at until it is opened."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def open_gate(gate: Path) -> None:
    os.close(os.open(gate, os.O_WRONLY))


async def test_blobs_come_back_as_they_went() -> None:
    photo = os.urandom(3_000_000)
    async with running() as pool:
        answer, _ = await pool.submit(Message({"do": "echo"}, (photo, b"", b"x")))
    assert answer.blobs == (photo, b"", b"x")


async def test_requests_are_spread_over_the_workers(gate: Path) -> None:
    async with running(workers=2) as pool:
        await until(lambda: len(pool.pids) == 2)
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        echo = await ask(pool, "echo")
        await asyncio.to_thread(open_gate, gate)
        assert (await held).body["pid"] != echo.body["pid"]


async def test_a_request_whose_worker_was_killed_is_tried_once_more(tmp_path: Path) -> None:
    async with running() as pool:
        before = set(pool.pids)
        answer = await ask(pool, "die once", remember=str(tmp_path / "died"))
        assert answer.body["pid"] not in before


async def test_a_request_that_kills_two_workers_fails_clearly_and_the_next_works() -> None:
    async with running() as pool:
        with pytest.raises(EngineFailed, match="gave up"):
            await ask(pool, "die")
        assert (await ask(pool, "echo")).body["pid"] in pool.pids


@pytest.mark.parametrize(
    "said",
    [
        b"no JSON",
        b"\xff\xfe",
        b"[]",
        b'{"blobs": []}',
        b'{"body": 1, "blobs": []}',
        b'{"body": {}, "blobs": [-1]}',
        b'{"body": {}, "blobs": 1}',
        b'{"body": {}, "blobs": [1000000000, 1000000000]}',
        b"[" * 100_000,
    ],
)
async def test_a_worker_that_says_what_is_no_message_is_replaced(said: bytes) -> None:
    async with running() as pool:
        before = set(pool.pids)
        babble = Message({"do": "babble"}, (struct.pack("!I", len(said)) + said,))
        with pytest.raises(EngineFailed, match="gave up"):
            await pool.submit(babble)
        assert (await ask(pool, "echo")).body["pid"] not in before


async def test_requests_in_the_queue_survive_a_crash(tmp_path: Path) -> None:
    async with running() as pool:
        crash = asyncio.create_task(ask(pool, "die once", remember=str(tmp_path / "died")))
        others = [asyncio.create_task(ask(pool, "echo")) for _ in range(5)]
        answers = await asyncio.gather(crash, *others)
    assert len(answers) == 6


async def test_workers_killed_all_at_once_lose_no_request(gate: Path) -> None:
    async with running(workers=3) as pool:
        await until(lambda: len(pool.pids) == 3)
        before = set(pool.pids)
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(pool.pids - before) and pool.running == 1)
        await asyncio.to_thread(open_gate, gate)
        assert (await held).body["pid"] not in before


async def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    async with running() as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(pool.pids) and pid not in pool.pids)
        assert (await ask(pool, "echo")).body["pid"] != pid


async def test_no_request_is_handed_to_an_idle_worker_that_died(gate: Path, tmp_path: Path) -> None:
    async with running() as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(pool.pids) and pid not in pool.pids)
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        memory = str(tmp_path / "died")
        second = asyncio.create_task(ask(pool, "die once", remember=memory))
        await until(lambda: pool.waiting == 1)
        await asyncio.to_thread(open_gate, gate)
        await held
        assert "pid" in (await second).body


async def test_workers_that_cannot_go_on_are_replaced_and_the_request_is_answered(
    tmp_path: Path,
) -> None:
    async with running(workers=2) as pool:
        await until(lambda: len(pool.pids) == 2)
        before = set(pool.pids)
        files = [str(tmp_path / name) for name in ("first", "second")]
        answer = await ask(pool, "leave twice", remember=files)
        assert answer.body["pid"] not in before
        await until(lambda: len(pool.pids) == 2 and not pool.pids & before)


async def test_a_worker_without_memory_is_replaced_and_its_request_tried_once_more(
    tmp_path: Path,
) -> None:
    async with running() as pool:
        first = pool.pids
        answer = await ask(pool, "exhaust once", remember=str(tmp_path / "memory"))
        assert {answer.body["pid"]}.isdisjoint(first)
        with pytest.raises(EngineFailed, match="crashed me twice"):
            await ask(pool, "exhaust")
        await ask(pool, "echo")


async def test_a_worker_that_hangs_is_killed_and_replaced() -> None:
    async with running(stuck_after_s=0.2) as pool:
        (pid,) = pool.pids
        with pytest.raises(EngineTimeout):
            await ask(pool, "hang")
        assert (await ask(pool, "echo")).body["pid"] != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_request_is_given_up_at_its_deadline_while_the_worker_lives_on(gate: Path) -> None:
    async with running(deadline_s=0.2) as pool:
        (pid,) = pool.pids
        with pytest.raises(EngineTimeout, match="try again"):
            await ask(pool, "hold", until=str(gate))
        await asyncio.to_thread(open_gate, gate)
        await until(lambda: pool.running == 0)
        assert (await ask(pool, "echo")).body["pid"] == pid


async def test_a_worker_is_told_how_long_its_answer_is_waited_for() -> None:
    async with running(deadline_s=20, stuck_after_s=30) as pool:
        assert 0 < (await ask(pool, "echo")).body["within_s"] <= 20
    async with running(deadline_s=20, stuck_after_s=5) as pool:
        assert (await ask(pool, "echo")).body["within_s"] == 5


async def test_a_full_queue_says_when_to_come_back(gate: Path) -> None:
    async with running(queue_limit=2) as pool:
        tasks = [asyncio.create_task(ask(pool, "hold", until=str(gate)))]
        await until(lambda: pool.running == 1)
        tasks += [asyncio.create_task(ask(pool, "echo")) for _ in range(2)]
        await until(lambda: pool.waiting == 2)
        with pytest.raises(EngineBusy) as refusal:
            await ask(pool, "echo")
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(*tasks)
        await ask(pool, "echo")
    assert refusal.value.retry_after >= 1


async def test_photos_that_would_take_too_much_memory_may_not_wait(gate: Path) -> None:
    photo = bytes(3 * 1024 * 1024 // 4)
    async with running(queue_mb=1) as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        first = asyncio.create_task(pool.submit(Message({"do": "echo"}, (photo,))))
        await until(lambda: pool.waiting == 1)
        with pytest.raises(EngineBusy, match="too many photos"):
            await pool.submit(Message({"do": "echo"}, (photo,)))
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(held, first)
        answer, _ = await pool.submit(Message({"do": "echo"}, (photo,)))
    assert answer.blobs == (photo,)


async def test_a_single_photo_does_not_wait_for_another_servers_flood(gate: Path) -> None:
    done: list[str] = []

    async def identify(name: str, requester: Requester) -> None:
        await ask(pool, "echo", requester)
        done.append(name)

    async with running(queue_limit=64) as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        flood = [
            asyncio.create_task(identify("flood", Requester(server=1, member=member)))
            for member in (1, 1, 1, 1, 2, 2, 2, 2)
        ]
        await until(lambda: pool.waiting == 8)
        single = asyncio.create_task(identify("single", Requester(server=2, member=3)))
        await until(lambda: pool.waiting == 9)
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(held, single, *flood)
    assert done == ["flood", "single", *["flood"] * 7]


async def test_one_member_cannot_take_the_whole_queue(gate: Path) -> None:
    flooder, other = Requester(server=1, member=1), Requester(server=1, member=2)
    async with running(queue_limit=8) as pool:
        tasks = [asyncio.create_task(ask(pool, "hold", until=str(gate)))]
        await until(lambda: pool.running == 1)
        tasks += [asyncio.create_task(ask(pool, "echo", flooder))]
        await until(lambda: pool.waiting == 1)
        with pytest.raises(EngineBusy, match=r"1 photo of yours is waiting\. .*try again in 1 s"):
            await ask(pool, "echo", flooder)
        tasks += [asyncio.create_task(ask(pool, "echo", other))]
        await until(lambda: pool.waiting == 2)
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(*tasks)
        assert "pid" in (await ask(pool, "echo", flooder)).body


async def test_when_to_come_back_follows_from_how_long_photos_took(
    gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now, late = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: now() + late)
    async with running(queue_limit=2) as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        await asyncio.sleep(0)  # lets it begin
        late = 8.0
        await asyncio.to_thread(open_gate, gate)
        await held
        tasks = [asyncio.create_task(ask(pool, "hold", until=str(gate)))]
        await until(lambda: pool.running == 1)
        tasks += [asyncio.create_task(ask(pool, "echo")) for _ in range(2)]
        await until(lambda: pool.waiting == 2)
        with pytest.raises(EngineBusy) as refusal:
            await ask(pool, "echo")
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(*tasks)
    assert refusal.value.retry_after >= 2 * 8


async def test_a_request_that_would_wait_beyond_its_deadline_is_told_at_once(
    gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now, late = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: now() + late)
    async with running(deadline_s=1000, stuck_after_s=1000) as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        await asyncio.sleep(0)  # lets it begin
        late = 600.0
        await asyncio.to_thread(open_gate, gate)
        await held
        tasks = [asyncio.create_task(ask(pool, "hold", until=str(gate)))]
        await until(lambda: pool.running == 1)
        tasks += [asyncio.create_task(ask(pool, "echo"))]
        await until(lambda: pool.waiting == 1)
        with pytest.raises(EngineBusy) as refusal:
            await ask(pool, "echo")
        assert pool.waiting == 1
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(*tasks)
    assert refusal.value.retry_after >= 2 * 600


async def test_a_ticket_tells_how_many_are_ahead(gate: Path) -> None:
    ticket = Ticket()
    async with running() as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        before = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.waiting == 1)
        assert ticket.ahead is None
        waiting = asyncio.create_task(ask(pool, "echo", ticket=ticket))
        await until(lambda: pool.waiting == 2)
        assert ticket.ahead == 2
        await asyncio.to_thread(open_gate, gate)
        await held
        assert ticket.ahead == 1
        await asyncio.to_thread(open_gate, gate)
        await asyncio.gather(before, waiting)
        assert ticket.ahead is None


async def test_a_cancelled_request_leaves_the_queue(gate: Path) -> None:
    async with running(queue_limit=1) as pool:
        held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
        await until(lambda: pool.running == 1)
        waiting = asyncio.create_task(ask(pool, "echo"))
        await until(lambda: pool.waiting == 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        last = asyncio.create_task(ask(pool, "echo"))
        await asyncio.to_thread(open_gate, gate)
        await held
        assert (await last).body["pid"] in pool.pids


async def test_closing_lets_what_runs_finish(gate: Path) -> None:
    pool = make_pool()
    await pool.start()
    held = asyncio.create_task(ask(pool, "hold", until=str(gate)))
    await until(lambda: pool.running == 1)
    closing = asyncio.create_task(pool.close(drain_s=30))
    await asyncio.sleep(0)  # lets it begin
    with pytest.raises(EngineFailed, match="shutting down"):
        await ask(pool, "echo")
    await asyncio.to_thread(open_gate, gate)
    await closing
    assert "pid" in (await held).body
    assert not pool.pids


async def test_a_request_whose_worker_dies_while_closing_is_still_tried_again(
    gate: Path, tmp_path: Path
) -> None:
    pool = make_pool()
    await pool.start()
    memory = str(tmp_path / "died")
    held = asyncio.create_task(ask(pool, "hold and die once", until=str(gate), remember=memory))
    await until(lambda: pool.running == 1)
    closing = asyncio.create_task(pool.close(drain_s=30))
    await asyncio.sleep(0)  # lets it begin
    await asyncio.to_thread(open_gate, gate)
    assert "pid" in (await held).body
    await closing


async def test_a_request_whose_worker_dies_too_late_is_not_blamed_for_it() -> None:
    pool = make_pool()
    await pool.start()
    (pid,) = pool.pids
    hung = asyncio.create_task(ask(pool, "hang"))
    await until(lambda: pool.running == 1)
    closing = asyncio.create_task(pool.close(drain_s=0.1))
    os.kill(pid, signal.SIGKILL)
    await closing
    with pytest.raises(EngineFailed, match="shutting down"):
        await hung


async def test_queue_and_deadline_hold_while_the_first_worker_starts() -> None:
    pool = make_pool(queue_limit=1, deadline_s=0.1)
    early = asyncio.create_task(ask(pool, "echo"))
    await until(lambda: pool.waiting == 1)
    with pytest.raises(EngineBusy, match="try again in 10 s"):
        await ask(pool, "echo")
    with pytest.raises(EngineTimeout):
        await early
    await pool.close(drain_s=0)


async def test_who_asked_before_the_start_is_answered_after_it() -> None:
    pool = make_pool()
    early = asyncio.create_task(ask(pool, "echo"))
    await until(lambda: pool.waiting == 1)
    await pool.start()
    assert (await early).body["pid"] in pool.pids
    await pool.close(drain_s=0)


async def test_closing_ends_a_start_that_is_under_way() -> None:
    pool = make_pool()
    starting = asyncio.create_task(pool.start())
    await asyncio.sleep(0)
    await pool.close(drain_s=0)
    async with asyncio.timeout(20):
        with pytest.raises(EngineFailed, match="shutting down"):
            await starting


async def test_closing_does_not_wait_for_ever() -> None:
    pool = make_pool()
    await pool.start()
    (pid,) = pool.pids
    hung = asyncio.create_task(ask(pool, "hang"))
    await until(lambda: pool.running == 1)
    behind = asyncio.create_task(ask(pool, "echo"))
    await until(lambda: pool.waiting == 1)
    await pool.close(drain_s=0.1)
    async with asyncio.timeout(20):
        for lost in (hung, behind):
            with pytest.raises(EngineFailed, match="shutting down"):
                await lost
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


class FakeWorker:
    pid, name = 1, "fake"

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Message]] = []
        self._killed = asyncio.Event()

    async def ask(self, request: Message) -> Message:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def wait(self) -> str:
        await self._killed.wait()
        return "killed"

    def kill(self) -> None:
        self._killed.set()

    async def stop(self) -> None:
        self.kill()


class FakeBackend:
    def __init__(self) -> None:
        self.workers: list[FakeWorker] = []

    async def run(self, offer: Callable[[frozenset[Seat]], None]) -> None:
        offer(frozenset({"0"}))

    async def spawn(self, seat: Seat) -> tuple[FakeWorker, Message]:
        self.workers.append(FakeWorker())
        return self.workers[-1], Message({})

    async def close(self) -> None:
        pass


@asynccontextmanager
async def fake() -> AsyncIterator[tuple[WorkerPool, list[FakeWorker]]]:
    backend = FakeBackend()
    pool = WorkerPool(backend, queue_limit=8, queue_mb=64, deadline_s=60, stuck_after_s=60)
    await pool.start()
    async with asyncio.timeout(20):
        yield pool, backend.workers
    await pool.close(drain_s=0)


async def test_a_worker_that_died_when_it_had_answered_is_asked_no_more() -> None:
    async with fake() as (pool, workers):
        first = asyncio.create_task(ask(pool, "echo"))
        await until(lambda: bool(workers[0].asked))
        workers[0].kill()
        await until(lambda: len(workers) == 2)
        workers[0].asked[0].set_result(Message({}))
        await first
        second = asyncio.create_task(ask(pool, "echo"))
        await until(lambda: bool(workers[1].asked))
        workers[1].asked[0].set_result(Message({}))
        await second
        assert len(workers[0].asked) == 1


async def test_a_request_whose_turn_comes_just_when_time_is_up_is_told_so() -> None:
    async with fake() as (pool, [worker]):
        first, second = (asyncio.create_task(ask(pool, "echo")) for _ in range(2))
        await until(lambda: len(worker.asked) == 1)
        closing = asyncio.create_task(pool.close(drain_s=0))
        await asyncio.sleep(0)  # lets it begin
        worker.asked[0].set_result(Message({}))
        await closing
        await first
        with pytest.raises(EngineFailed, match="shutting down"):
            await second


async def test_workers_that_die_at_start_stop_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.workers.staff._RESTART_DELAY_S", 0)
    pool = make_pool(hello={"die": True}, workers=2)
    early = asyncio.create_task(ask(pool, "echo"))
    with pytest.raises(EngineFailed, match="status 3"):
        await pool.start()
    for asked in (early, ask(pool, "echo")):
        with pytest.raises(EngineFailed, match="could not start"):
            await asked
    await pool.close(drain_s=0)


async def test_a_worker_for_which_there_was_no_room_is_started_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.workers.staff._RESTART_DELAY_S", 0)
    create = asyncio.create_subprocess_exec
    refusals = [OSError(errno.EMFILE, "Too many open files"), RuntimeError("no new thread")]

    async def scarce(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        if refusals:
            raise refusals.pop()
        return await create(*arguments, **options)  # type: ignore[arg-type]

    async with running() as pool:
        (pid,) = pool.pids
        monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in pool.pids)
        assert (await ask(pool, "echo")).body["pid"] != pid
    assert not refusals


async def test_workers_for_which_there_is_no_room_at_start_stop_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    async def full(*_: object, **__: object) -> asyncio.subprocess.Process:
        nonlocal tries
        tries += 1
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("engine.workers.staff._RESTART_DELAY_S", 0)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
    pool = make_pool()
    with pytest.raises(EngineFailed, match=r"could not start: .*Cannot allocate memory"):
        await pool.start()
    await pool.close(drain_s=0)
    assert tries == 3


async def test_a_pool_that_ran_is_not_given_up_when_no_worker_starts_for_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create = asyncio.create_subprocess_exec
    queued, tries, full = asyncio.Event(), 0, True

    async def scarce(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        nonlocal tries
        await queued.wait()
        tries += 1
        if full:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return await create(*arguments, **options)  # type: ignore[arg-type]

    async with running(workers=2) as pool:
        await until(lambda: len(pool.pids) == 2)
        before = set(pool.pids)
        monkeypatch.setattr("engine.workers.staff._RESTART_DELAY_S", 0)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not pool.pids)
        waiting = asyncio.create_task(ask(pool, "echo"))
        await until(lambda: pool.waiting == 1)
        queued.set()
        with pytest.raises(EngineFailed, match=r"being restarted\. Please try again"):
            await waiting
        await until(lambda: tries > 4 * 2 * 3)
        with pytest.raises(EngineFailed, match="being restarted"):
            pool.check_room(None)
        full = False
        await until(lambda: len(pool.pids) == 2)
        assert (await ask(pool, "echo")).body["pid"] in pool.pids - before
    assert caplog.text.count("requests are refused until one does") == 1
    assert caplog.text.count("requests are answered again") == 1


async def test_the_bots_secrets_do_not_reach_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDMARK_TOKEN", "secret")
    async with running() as pool:
        assert (await ask(pool, "echo")).body["token"] is None
