"""``python -m bot``: every way it can fail is one sentence and an exit status."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import AsyncMock, Mock, create_autospec

import aiohttp
import discord
import pytest

from bot.__main__ import main
from bot.app import FieldmarkBot
from bot.database import StoreError
from engine import Engine, EngineFailed


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


def test_with_a_catalog_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setenv("FIELDMARK_ENGINE__CATALOG", "/typo.toml")
    status, said = run(capsys)
    assert status == 2
    assert said == "The catalog /typo.toml cannot be read: No such file or directory."


def closed(code: int) -> discord.ConnectionClosed:
    socket = create_autospec(aiohttp.ClientWebSocketResponse, instance=True)
    return discord.ConnectionClosed(socket, shard_id=0, code=code)


def answered(status: int, kind: type[discord.HTTPException]) -> discord.HTTPException:
    response = create_autospec(aiohttp.ClientResponse, instance=True, status=status, reason="No")
    return kind(response, {"code": 0, "message": "not\nnow"})


@pytest.mark.parametrize(
    ("error", "exit_status", "said"),
    [
        (discord.LoginFailure("no"), 2, "does not accept the token"),
        (closed(4004), 2, "does not accept the token"),
        (discord.PrivilegedIntentsRequired(0), 2, "Message Content Intent"),
        (StoreError("The database is damaged."), 1, "The database is damaged."),
        (EngineFailed("No worker starts."), 1, "No worker starts."),
        (closed(4013), 1, "Discord does not let me in (Shard ID 0 WebSocket closed with 4013)"),
        (answered(403, discord.Forbidden), 1, "Discord does not let me in (403 No"),
        (answered(503, discord.DiscordServerError), 1, "Discord cannot be reached (503 No"),
        (discord.GatewayNotFound(), 1, "Discord cannot be reached (The gateway"),  # type: ignore[no-untyped-call]
        (aiohttp.ClientConnectionError("no route"), 1, "Discord cannot be reached (no route)"),
        (TimeoutError(), 1, "Discord cannot be reached (TimeoutError)"),
    ],
)
def test_when_something_fails(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    exit_status: int,
    said: str,
) -> None:
    async def start(self: FieldmarkBot, token: str, *, reconnect: bool = True) -> None:
        raise error

    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setattr(FieldmarkBot, "start", start)
    status, sentence = run(capsys)
    assert status == exit_status
    assert said in sentence
    assert "secret-token" not in sentence


HOLDER = """
import sys
from pathlib import Path
from bot.only_bot import only_bot

with only_bot(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_bot_on_a_database_is_refused_until_the_first_is_gone_however_it_went(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setattr(FieldmarkBot, "start", AsyncMock(side_effect=StoreError("started")))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "bot.sqlite")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        status, said = run(capsys)
        first.kill()
    assert status == 1
    assert said.startswith(f"Another Fieldmark is running with the database {tmp_path}")
    assert run(capsys) == (1, "started")
    assert run(capsys) == (1, "started")


def test_a_database_where_files_cannot_be_locked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    refused = OSError(errno.ENOLCK, "No locks available")
    monkeypatch.setattr("fcntl.flock", Mock(side_effect=refused))
    status, said = run(capsys)
    assert status == 1
    assert f"cannot be locked ({refused}): set [store] path" in said


def test_a_database_in_a_folder_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setenv("FIELDMARK_STORE__PATH", str(tmp_path / "file" / "bot.sqlite"))
    status, said = run(capsys)
    assert status == 1
    assert "check [store] path" in said


def test_an_engine_that_does_not_start_ends_the_bot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(self: FieldmarkBot, token: str, *, reconnect: bool = True) -> None:
        self._identifier.begin()
        await asyncio.Event().wait()

    async def fail(self: Engine) -> None:
        raise EngineFailed("The engine could not start: no memory.")

    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setattr(FieldmarkBot, "start", start)
    monkeypatch.setattr(Engine, "start", fail)
    assert run(capsys) == (1, "The engine could not start: no memory.")


def test_the_token_is_not_risked_by_more_logins_than_discord_allows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = {"total": 1000, "remaining": 99, "reset_after": 7_200_000, "max_concurrency": 1}
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", "secret-token")
    monkeypatch.setattr(FieldmarkBot, "login", AsyncMock())
    monkeypatch.setattr(
        discord.http.HTTPClient, "get_bot_gateway", AsyncMock(return_value=(1, "", left))
    )
    monkeypatch.setattr(
        discord.AutoShardedClient, "connect", AsyncMock(side_effect=StoreError("connected"))
    )
    status, said = run(capsys)
    assert status == 1
    assert "only 99 more logins within 2 h" in said
    left["remaining"] = 100
    assert run(capsys) == (1, "connected")


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
