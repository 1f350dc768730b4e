"""``python -m bot``: every way it can fail is one sentence and an exit status."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import aiohttp
import discord
import pytest

from bot.__main__ import main
from bot.app import FieldmarkBot
from bot.store import StoreError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for name in list(os.environ):
        if name.startswith("FIELDMARK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIELDMARK_STORE__PATH", str(tmp_path / "bot.sqlite"))
    monkeypatch.setenv("FIELDMARK_ENGINE__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIELDMARK_DISCORD__SHUTDOWN_S", "0")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def run(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main()
    printed = capsys.readouterr().err.strip().splitlines()
    return status, printed[-1] if printed else ""


def test_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(capsys)
    assert status == 2
    assert "FIELDMARK_DISCORD__TOKEN" in said


def test_with_a_bad_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDMARK_ENGINE__WORKERS", "none")
    status, said = run(capsys)
    assert status == 2
    assert "engine.workers" in said


def refusal(status: int) -> discord.HTTPException:
    answer = cast(aiohttp.ClientResponse, SimpleNamespace(status=status, reason="No"))
    return discord.HTTPException(answer, "no")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (discord.LoginFailure("no"), "does not accept the token"),
        (discord.PrivilegedIntentsRequired(0), "Message Content Intent"),
        (StoreError("The database is damaged."), "The database is damaged."),
        (aiohttp.ClientConnectionError("no route"), "Discord cannot be reached (no route)"),
        (TimeoutError("timed out"), "Discord cannot be reached (timed out)"),
        (refusal(503), "Discord cannot be reached (503"),
        (refusal(429), "Discord does not let me in (429"),
    ],
)
def test_when_discord_or_the_store_refuses(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    async def start(self: FieldmarkBot, token: str, *, reconnect: bool = True) -> None:
        raise error

    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setattr(FieldmarkBot, "start", start)
    status, sentence = run(capsys)
    assert status == 1
    assert said in sentence
    assert "secret-token" not in sentence


STOPPED = """
import asyncio, signal, sys
from bot.__main__ import main
from bot.app import FieldmarkBot

async def start(self, token, *, reconnect=True):
    signal.raise_signal(int(sys.argv[1]))
    await asyncio.Event().wait()

FieldmarkBot.start = start
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    # In a process of its own: native libraries that other tests loaded have their own ideas of
    # the stack that a signal is handled on.
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stopped.returncode == 0
    assert stopped.stderr.strip().splitlines()[-1].endswith("Stopping.")


def test_the_bot_imports_nothing_that_sees_pixels() -> None:
    heavy = {"tensorflow", "openvino", "PIL", "numpy", "sklearn", "pygbif", "matplotlib"}
    code = f"import bot.__main__, sys; print(sorted({heavy!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
