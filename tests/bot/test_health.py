"""The container's health check: a file that is touched while the bot is connected."""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest.mock import create_autospec

import discord
import pytest

from bot.config import load
from bot.health import FRESH_S, beat, heartbeat_file, is_connected, is_fresh, main


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
