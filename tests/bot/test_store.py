"""The store: what it keeps, for how long, and what it refuses to touch."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from bot.database import StoreError
from bot.store import GuildSettings, Reply, Store, WatchedChannel
from engine import Group

DAY = 24 * 60 * 60


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "bot.sqlite"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = await Store.open(path, now=clock)
    yield store
    await store.close()


def reply(reply_id: int, *, request_id: int | None = 10, photo_id: int = 20) -> Reply:
    return Reply(
        reply_id=reply_id,
        channel_id=5,
        request_id=request_id,
        photo_id=photo_id,
        asker_id=7,
        group=Group.BIRD,
        fingerprint="bird:1,2",
    )


async def test_everything_survives_a_restart(path: Path, clock: Clock, store: Store) -> None:
    watched = WatchedChannel(channel_id=1, guild_id=2, group=Group.PLANT)
    await store.watch(watched)
    await store.set_commands_hash("abc")
    await store.set_certainty(2, 0.9)
    await store.remember(reply(100))
    await store.close()
    again = await Store.open(path, now=clock)
    try:
        assert await again.watched_in(2) == [watched]
        assert await again.commands_hash() == "abc"
        assert await again.settings_of(2) == GuildSettings(certainty=0.9)
        assert await again.replies_to(10) == [reply(100)]
    finally:
        await again.close()


async def test_a_servers_choices_are_its_own_and_apart_from_each_other(store: Store) -> None:
    await store.set_certainty(1, 0.8)
    await store.set_country(1, "AT")
    await store.set_country(2, "NZ")
    await store.set_language(2, "mi")
    await store.set_language(1, "de")
    assert await store.settings_of(1) == GuildSettings(certainty=0.8, country="AT", language="de")
    await store.set_language(1, None)
    assert await store.settings_of(2) == GuildSettings(country="NZ", language="mi")
    await store.set_country(1, None)
    assert await store.settings_of(1) == GuildSettings(certainty=0.8)
    assert await store.settings_of(3) == await store.settings_of(None) == GuildSettings()


async def test_a_database_of_the_first_schema_is_brought_up_to_date(
    path: Path, store: Store
) -> None:
    watched = WatchedChannel(channel_id=1, guild_id=2, group=Group.PLANT)
    await store.watch(watched)
    await store.close()
    with sqlite3.connect(path) as old:
        old.executescript("DROP TABLE guild_setting; PRAGMA user_version = 1;")
    old.close()
    again = await Store.open(path)
    try:
        assert await again.watched_in(2) == [watched]
        await again.set_country(2, "AT")
        assert await again.settings_of(2) == GuildSettings(country="AT")
    finally:
        await again.close()


async def test_a_database_without_languages_keeps_what_servers_chose(
    path: Path, store: Store
) -> None:
    await store.set_certainty(2, 0.9)
    await store.close()
    with sqlite3.connect(path) as old:
        old.executescript(
            "ALTER TABLE guild_setting DROP COLUMN language; PRAGMA user_version = 2;"
        )
    old.close()
    again = await Store.open(path)
    try:
        await again.set_language(2, "de")
        assert await again.settings_of(2) == GuildSettings(certainty=0.9, language="de")
    finally:
        await again.close()


async def test_a_reply_follows_its_request_and_its_photo(store: Store) -> None:
    await store.remember(reply(100))
    await store.remember(reply(101, request_id=None))
    assert await store.replies_to(10) == [reply(100)]
    assert await store.replies_to(20) == [reply(100), reply(101, request_id=None)]
    await store.forget(100)
    assert await store.replies_to(10) == []


async def test_a_reply_is_kept_for_a_day(store: Store, clock: Clock, path: Path) -> None:
    await store.remember(reply(100))
    clock.time += DAY - 1
    assert await store.replies_to(10) == [reply(100)]
    clock.time += 1
    assert await store.replies_to(10) == []
    await store.remember(reply(101, request_id=11))
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT reply_id FROM reply").fetchall() == [(101,)]


async def test_a_start_forgets_replies_whose_day_is_over(
    store: Store, clock: Clock, path: Path
) -> None:
    await store.remember(reply(100))
    await store.close()
    clock.time += DAY
    await (await Store.open(path, now=clock)).close()
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT reply_id FROM reply").fetchall() == []


async def test_watching_is_per_channel_and_per_server(store: Store) -> None:
    first = WatchedChannel(channel_id=1, guild_id=2, group=Group.BIRD)
    await store.watch(first)
    await store.watch(WatchedChannel(channel_id=3, guild_id=4, group=Group.AUTO))
    assert await store.watched_in(2) == [first]
    assert await store.watched([9, 1]) == first
    assert await store.watched([9]) is None
    changed = WatchedChannel(channel_id=1, guild_id=2, group=Group.INSECT)
    await store.watch(changed)
    assert await store.watched([1]) == changed
    assert await store.unwatch(1)
    assert not await store.unwatch(1)
    assert await store.watched([1]) is None


def content(path: Path) -> bytes:
    return path.read_bytes()


def damage(path: Path) -> None:
    """Overwrite some pages in the middle of a database."""
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes([0xA5]) * 4096 * 3
    path.write_bytes(data)


async def refused(path: Path, reason: str) -> None:
    """Assert that opening is refused in one sentence and leaves the file as it is."""
    before = content(path)
    with pytest.raises(StoreError, match=reason) as caught:
        await Store.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(path) == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be taken for one" * 40)
    await refused(path, "not a database")


async def test_a_damaged_database_is_refused(path: Path, store: Store) -> None:
    for number in range(500):
        await store.remember(reply(number))
    await store.close()
    damage(path)
    await refused(path, "damaged|malformed")


async def test_a_newer_database_is_refused(path: Path, store: Store) -> None:
    await store.close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    await refused(path, "newer Fieldmark")


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    await refused(path, "another program")


async def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(tmp_path / "file" / "bot.sqlite")


class Full(sqlite3.Connection):
    """A connection whose disk has no room for another page."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA max_page_count = 1")


class ReadOnly(sqlite3.Connection):
    """A connection to a file that may be read only."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(f"file:{path}?mode=ro", uri=True, **options)


class Connecting:
    """``aiosqlite.connect`` with ``options`` besides, which knows the connection it made."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._connect = aiosqlite.connect

    def __call__(self, path: Path, **options: Any) -> aiosqlite.Connection:
        self.made = self._connect(path, **options, **self._options)
        return self.made


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"factory": Full}, "full.*: make room on its disk"),
        ({"factory": ReadOnly}, "readonly.*: let the user that the bot runs as write to it"),
        ({"timeout": 0}, "locked.*: stop the other program"),
    ],
)
async def test_what_is_no_damage_is_not_called_so_and_leaves_no_connection(
    tmp_path: Path, options: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bot.sqlite"
    if "full" not in reason:
        await (await Store.open(path)).close()
    other = sqlite3.connect(path, isolation_level=None)
    if "locked" in reason:
        other.execute("BEGIN IMMEDIATE")
    connecting = Connecting(**options)
    monkeypatch.setattr("bot.database.aiosqlite.connect", connecting)
    try:
        with pytest.raises(StoreError, match=reason):
            await Store.open(path)
        with pytest.raises(ValueError, match="no active connection"):
            await connecting.made.execute("SELECT 1")
    finally:
        other.close()
        connecting.made.stop()
