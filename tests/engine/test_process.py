"""A worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable

import pytest

from engine.workers.backend import WorkerStartFailed
from engine.workers.channel import Message
from engine.workers.process import WorkerProcess


async def test_a_start_that_is_called_off_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the bot stops while a second worker is just being started."""
    connecting = asyncio.Event()
    made: list[asyncio.subprocess.Process] = []
    create = asyncio.create_subprocess_exec

    async def noted(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        made.append(await create(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    async def never(**_: object) -> None:
        connecting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    monkeypatch.setattr(asyncio, "open_unix_connection", never)
    start = asyncio.create_task(
        WorkerProcess.spawn("tests.engine.obedient_worker", Message({}), within_s=30)
    )
    await connecting.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert [process.returncode is None for process in made] == [False]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_how_a_worker_ended_is_known_however_often_it_is_killed() -> None:
    worker, _ = await WorkerProcess.spawn("tests.engine.obedient_worker", Message({}), within_s=30)
    while is_there(worker.pid):
        worker.kill()
    assert await worker.wait() == "with status -9"
    await worker.stop()


async def test_a_worker_that_hangs_is_killed_though_nobody_waits_for_its_end() -> None:
    """As where the loop that stops it is stopped itself, by a second Ctrl-C."""
    worker, _ = await WorkerProcess.spawn("tests.engine.obedient_worker", Message({}), within_s=30)
    os.kill(worker.pid, signal.SIGSTOP)
    stopping = asyncio.create_task(worker.stop(grace_s=60))
    await asyncio.sleep(0)  # lets it begin
    stopping.cancel()
    async with asyncio.timeout(20):
        assert await worker.wait() == "with status -9"


async def test_what_is_sent_to_our_process_group_reaches_no_worker() -> None:
    """As Ctrl-C in a terminal is, also while the worker still imports."""
    worker, _ = await WorkerProcess.spawn("tests.engine.obedient_worker", Message({}), within_s=30)
    assert os.getpgid(worker.pid) == worker.pid
    await worker.stop()


async def test_a_worker_that_ends_its_channel_and_not_itself_does_not_start() -> None:
    deaf = Message({"deaf": True})
    async with asyncio.timeout(20):
        with pytest.raises(WorkerStartFailed, match="not ready after 1 s"):
            await WorkerProcess.spawn("tests.engine.obedient_worker", deaf, within_s=1)


def no_room(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def no_process(*_: object, **__: object) -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


async def no_thread(*_: object, **__: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("what", "fails", "reason"),
    [
        ("socket.socketpair", no_room, "Too many open files"),
        ("asyncio.create_subprocess_exec", no_process, "Cannot allocate memory"),
        ("asyncio.create_subprocess_exec", no_thread, "can't start new thread"),
        ("asyncio.open_unix_connection", no_process, "Cannot allocate memory"),
        ("asyncio.to_thread", no_thread, "can't start new thread"),
    ],
)
async def test_a_start_for_which_there_is_no_room_is_said_and_leaves_nothing(
    what: str, fails: Callable[..., object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.subprocess.Process] = []
    pairs: list[tuple[socket.socket, socket.socket]] = []
    create, pair = asyncio.create_subprocess_exec, socket.socketpair

    async def noted_process(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        made.append(await create(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    def noted_pair() -> tuple[socket.socket, socket.socket]:
        pairs.append(pair())
        return pairs[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted_process)
    monkeypatch.setattr(socket, "socketpair", noted_pair)
    monkeypatch.setattr(what, fails)
    with pytest.raises(WorkerStartFailed, match=f"could not be started .*{reason}"):
        await WorkerProcess.spawn("tests.engine.obedient_worker", Message({}), within_s=30)
    assert all(process.returncode is not None for process in made)
    assert all(end.fileno() == -1 for ends in pairs for end in ends)
