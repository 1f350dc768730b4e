"""The container's health check: a file that is touched while the bot is connected."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path
from unittest.mock import create_autospec

import discord
import pytest

from bot.config_file import load
from bot.health import FRESH_S, beat, heartbeat_file, is_connected, is_fresh, keep_beating, main


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIELDMARK_STORE__PATH", str(tmp_path / "bot.sqlite"))
    return heartbeat_file(load())


def client(*, ready: bool = True, closed: bool = False, latency: float = 0.05) -> discord.Client:
    bot = create_autospec(discord.Client, instance=True)
    bot.is_ready.return_value = ready
    bot.is_closed.return_value = closed
    bot.latency = latency
    assert isinstance(bot, discord.Client)
    return bot


def test_connected_means_ready_open_and_heard() -> None:
    assert is_connected(client())
    assert not is_connected(client(ready=False))
    assert not is_connected(client(closed=True))
    assert not is_connected(client(latency=float("inf")))


async def test_a_connected_bot_touches_the_file(file: Path) -> None:
    for bot, touched in ((client(ready=False), False), (client(), True)):
        await beat(bot, file)
        assert is_fresh(file) is touched


async def test_a_file_that_cannot_be_touched_is_said_once_and_tried_on(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.health.BEAT_S", 0)
    lost = file.parent / "lost" / file.name
    bot, beats, there = client(), itertools.count(), asyncio.Event()

    def ready() -> bool:
        if next(beats) == 3:
            lost.parent.mkdir()
        if lost.exists():
            there.set()
        return True

    monkeypatch.setattr(bot, "is_ready", ready)
    beating = asyncio.create_task(keep_beating(bot, lost))
    await there.wait()
    beating.cancel()
    assert caplog.text.count("cannot be touched") == 1


def test_the_command_tells_fresh_from_stale(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 1
    assert "not been connected" in capsys.readouterr().err
    file.touch()
    assert main() == 0
    past = time.time() - FRESH_S - 1
    os.utime(file, (past, past))
    assert main() == 1


def test_bad_settings_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIELDMARK_ENGINE__WORKERS", "many")
    assert main() == 2
    assert "engine.workers" in capsys.readouterr().err
