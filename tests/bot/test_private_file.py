"""What the bot keeps can be read by its own account alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.gbif.cache import GbifCache
from bot.private_file import create_private
from bot.store import Store


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Let files be readable by everybody, as most machines do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_databases_are_made_for_the_bot_alone(tmp_path: Path) -> None:
    folder = tmp_path / "fieldmark"
    store = await Store.open(folder / "bot.sqlite")
    cache = GbifCache(folder / "gbif.sqlite")
    try:
        await store.set_commands_hash("abc")
        await cache.put("backbone", "species?name=Puma", b"{}")
        modes = {file.name: mode(file) for file in folder.iterdir()}
    finally:
        await cache.close()
        await store.close()
    names = {f"{base}.sqlite{end}" for base in ("bot", "gbif") for end in ("", "-wal", "-shm")}
    assert modes == dict.fromkeys(names, 0o600)
    assert mode(folder) == 0o700


async def test_the_cache_makes_its_folder_for_the_bot_alone(tmp_path: Path) -> None:
    cache = GbifCache(tmp_path / "fieldmark" / "gbif.sqlite")
    await cache.put("backbone", "species?name=Puma", b"{}")
    await cache.close()
    assert mode(tmp_path / "fieldmark") == 0o700


def test_what_is_there_already_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    path = tmp_path / "bot.sqlite"
    path.write_bytes(b"kept")
    path.chmod(0o640)
    create_private(path)
    assert path.read_bytes() == b"kept"
    assert mode(path) == 0o640
    assert mode(tmp_path) == 0o750
