"""What GBIF answered is kept, served while fresh, and served with its age when GBIF is down."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.gbif import cache as gbif_cache
from bot.gbif.cache import GbifCache
from bot.gbif.client import GbifClient, GbifRefused, GbifUnavailable
from engine import Taxon, TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared

DAY = 24 * 3600.0
PUMA = Taxon(scientific_name="Puma concolor", rank="species", gbif_key=2435099)
DOWN = Prepared(b"down", status=500)


def counted(count: int) -> Prepared:
    return Prepared(json.dumps({"count": count, "facets": []}).encode())


class Clock:
    time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(tmp_path: Path, clock: Clock) -> AsyncIterator[GbifCache]:
    cache = GbifCache(tmp_path / "sub" / "gbif.sqlite", now=clock)
    yield cache
    await cache.close()


@pytest.fixture
async def client(gbif: FakeGbif, cache: GbifCache) -> AsyncIterator[GbifClient]:
    client = GbifClient(
        TaxonTable.load(), deadline_s=30, base_url=gbif.url, cache=cache, backoff_s=0
    )
    yield client
    client.close()


async def total(client: GbifClient) -> tuple[int, float | None]:
    answer = await client.occurrences(PUMA)
    assert answer is not None
    return answer.value.total, answer.stale_s


async def test_a_fresh_answer_is_not_asked_for_again(
    client: GbifClient, gbif: FakeGbif, clock: Clock
) -> None:
    gbif.answers = [counted(5), counted(6)]
    assert await total(client) == (5, None)
    clock.time += DAY / 2
    assert await total(client) == (5, None)
    assert len(gbif.queries) == 1
    clock.time += DAY
    assert await total(client) == (6, None)


async def test_an_old_answer_is_served_with_its_age_when_gbif_is_down(
    client: GbifClient, gbif: FakeGbif, clock: Clock
) -> None:
    gbif.answers = [counted(5)]
    gbif.route = lambda _: DOWN
    await total(client)
    clock.time += 3 * DAY
    assert await total(client) == (5, 3 * DAY)


async def test_rubbish_is_not_kept_and_an_old_answer_outlives_it(
    client: GbifClient, gbif: FakeGbif, clock: Clock
) -> None:
    gbif.answers = [counted(5), Prepared(b'{"count": -1}'), counted(7)]
    await total(client)
    clock.time += 2 * DAY
    assert await total(client) == (5, 2 * DAY)
    assert await total(client) == (7, None)


async def test_a_refusal_is_not_papered_over_with_an_old_answer(
    client: GbifClient, gbif: FakeGbif, clock: Clock
) -> None:
    gbif.answers = [counted(5), Prepared(b"no", status=400)]
    await total(client)
    clock.time += 2 * DAY
    with pytest.raises(GbifRefused):
        await total(client)


async def test_answers_of_two_checklists_are_kept_apart(cache: GbifCache) -> None:
    await cache.put("one", "question", b"1")
    await cache.put("two", "question", b"2")
    kept = [await cache.get(name, "question") for name in ("one", "two", "three")]
    assert [k and k.body for k in kept] == [b"1", b"2", None]


async def test_answers_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "gbif.sqlite"
    first = GbifCache(path)
    await first.put("c", "q", b"kept")
    await first.close()
    second = GbifCache(path)
    kept = await second.get("c", "q")
    await second.close()
    assert kept is not None
    assert kept.body == b"kept"


async def test_the_file_is_opened_even_if_who_asked_first_gives_up(
    cache: GbifCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, may_end = threading.Event(), threading.Event()

    def check(path: Path) -> None:
        checking.set()
        may_end.wait(60)
        really_check(path)

    really_check = gbif_cache._check
    monkeypatch.setattr(gbif_cache, "_check", check)
    first = asyncio.create_task(cache.get("c", "q"))
    await asyncio.to_thread(checking.wait, 60)
    first.cancel()
    await asyncio.wait([first])
    may_end.set()
    await cache.put("c", "q", b"kept")
    kept = await cache.get("c", "q")
    assert kept is not None
    assert kept.body == b"kept"


def questions(path: Path) -> list[str]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT question FROM answer ORDER BY question").fetchall()
    database.close()
    return [question for (question,) in rows]


async def test_a_start_drops_the_oldest_of_what_is_too_much(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "gbif.sqlite"
    cache = GbifCache(path, now=clock)
    for name in ("a", "b", "c"):
        clock.time += 1
        await cache.put("c", name, bytes(10))
    await cache.close()
    cache = GbifCache(path, now=clock, max_bytes=25)
    assert await cache.get("c", "c") is not None
    await cache.close()
    assert questions(path) == ["b", "c"]


async def test_an_answer_is_kept_for_a_year(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "gbif.sqlite"
    cache = GbifCache(path, now=clock)
    await cache.put("c", "q", b"x")
    clock.time += 365 * DAY
    assert await cache.get("c", "q") is not None
    clock.time += 1
    assert await cache.get("c", "q") is None
    await cache.close()
    cache = GbifCache(path, now=clock)
    assert await cache.get("c", "other") is None
    await cache.close()
    assert questions(path) == []


def text_file(path: Path) -> None:
    path.write_bytes(b"my own notes " * 100)


def foreign_database(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE diary (entry TEXT)")
    database.commit()
    database.close()


@pytest.mark.parametrize("make", [text_file, foreign_database, Path.mkdir])
async def test_a_file_that_is_no_cache_is_left_alone_and_the_bot_does_without(
    tmp_path: Path, make: object, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gbif.sqlite"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else None
    cache = GbifCache(path)
    with caplog.at_level(logging.WARNING):
        await cache.put("c", "q", b"x")
        assert await cache.get("c", "q") is None
    await cache.close()
    assert (path.read_bytes() if path.is_file() else None) == before
    assert caplog.text.count("GBIF's answers are not kept") == 1


async def test_an_answer_of_another_version_is_asked_for_again(
    client: GbifClient, gbif: FakeGbif, cache: GbifCache, tmp_path: Path
) -> None:
    gbif.answers = [counted(5), counted(6)]
    await total(client)
    database = sqlite3.connect(tmp_path / "sub" / "gbif.sqlite")
    database.execute("UPDATE answer SET body = x'7b7d'")
    database.commit()
    database.close()
    assert await total(client) == (6, None)


async def test_nothing_kept_and_gbif_down_is_the_error(client: GbifClient, gbif: FakeGbif) -> None:
    gbif.route = lambda _: DOWN
    with pytest.raises(GbifUnavailable):
        await total(client)


async def test_an_old_answer_is_served_in_time_when_gbif_is_silent(
    gbif: FakeGbif, cache: GbifCache, clock: Clock
) -> None:
    client = GbifClient(TaxonTable.load(), deadline_s=2, base_url=gbif.url, cache=cache)
    match = {
        "usage": {"key": "4QHKG", "name": "Puma concolor", "rank": "SPECIES"},
        "diagnostics": {"matchType": "EXACT"},
    }
    gbif.answers = [Prepared(json.dumps(match).encode())]
    assert (await client.look_up("Puma concolor")).stale_s is None
    clock.time += 30 * DAY
    info = await client.look_up("Puma concolor")
    client.close()
    assert (info.source, info.stale_s) == ("gbif", 30 * DAY)


async def test_what_was_typed_and_means_nothing_is_not_kept(
    client: GbifClient, gbif: FakeGbif, tmp_path: Path
) -> None:
    gbif.route = lambda _: Prepared(b'{"diagnostics": {"matchType": "NONE"}}')
    await client.look_up("my secret garden")
    await client.look_up("my secret garden")
    assert len(gbif.queries) == 2
    database = sqlite3.connect(tmp_path / "sub" / "gbif.sqlite")
    assert database.execute("SELECT count(*) FROM answer").fetchone() == (0,)
    database.close()
