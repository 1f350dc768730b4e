"""A worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio

import pytest

from engine.channel import Message
from engine.process import WorkerProcess


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
