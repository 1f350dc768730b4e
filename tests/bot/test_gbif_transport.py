"""How GBIF is asked: again where that may help, not at all where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from bot.gbif.breaker import CircuitBreaker
from bot.gbif.errors import GbifBusy, GbifNonsense, GbifRefused, GbifUnavailable
from bot.gbif.transport import API, GbifTransport, Service, get_json, get_picture
from tests.bot.fake_gbif import FakeGbif, Prepared

FINE = Prepared(b'{"count": 7}')
DOWN = Prepared(b"", status=503)


def ask_count(**options: Any) -> Any:
    return get_json("/v1/occurrence/search", {}, **options)


def ask_name(**options: Any) -> Any:
    return get_json("/v2/species/match", {}, **options)


async def ask(transport: GbifTransport) -> Any:
    return await transport.ask(Service.OCCURRENCES, ask_count, within_s=30)


@pytest.fixture
def transport(gbif: FakeGbif) -> Iterator[GbifTransport]:
    transport = GbifTransport(contact="", deadline_s=30, base_url=gbif.url, backoff_s=0)
    yield transport
    transport.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_failure_that_may_pass_is_tried_again(
    transport: GbifTransport, gbif: FakeGbif, status: int
) -> None:
    gbif.answers = [Prepared(b"", status=status), Prepared(b"", status=status), FINE]
    assert await ask(transport) == {"count": 7}
    assert len(gbif.paths) == 3


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_question_that_is_not_accepted_is_not_repeated(
    transport: GbifTransport, gbif: FakeGbif, status: int
) -> None:
    gbif.answers = [Prepared(b"no", status=status), FINE]
    with pytest.raises(GbifRefused):
        await ask(transport)
    assert len(gbif.paths) == 1


async def test_a_wait_that_gbif_names_is_kept(transport: GbifTransport, gbif: FakeGbif) -> None:
    gbif.answers = [Prepared(b"", status=429, headers={"Retry-After": "0"}), FINE]
    assert await ask(transport) == {"count": 7}


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_a_wait_beyond_the_deadline_is_not_sat_out_and_nobody_asks_meanwhile(
    transport: GbifTransport, gbif: FakeGbif, as_date: bool
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    retry_after = date if as_date else "120"
    gbif.answers = [Prepared(b"", status=429, headers={"Retry-After": retry_after}), FINE]
    with pytest.raises(GbifBusy):
        await ask(transport)
    with pytest.raises(GbifUnavailable, match="asked again in 1"):
        await ask(transport)
    assert len(gbif.paths) == 1


@pytest.mark.parametrize("retry_after", ["soon", "-1", "", "Mon, 99 Foo"])
async def test_a_wait_that_cannot_be_read_is_no_wait(
    transport: GbifTransport, gbif: FakeGbif, retry_after: str
) -> None:
    gbif.answers = [Prepared(b"", status=503, headers={"Retry-After": retry_after}), FINE]
    assert await ask(transport) == {"count": 7}


async def test_after_many_failures_one_service_rests_and_the_others_work(
    transport: GbifTransport, gbif: FakeGbif
) -> None:
    gbif.route = lambda request: DOWN if "occurrence" in request.path else FINE
    for _ in range(2):
        with pytest.raises(GbifUnavailable):
            await ask(transport)
    asked = len(gbif.paths)
    assert asked == 5
    with pytest.raises(GbifUnavailable, match="occurrence search failed lately"):
        await ask(transport)
    assert len(gbif.paths) == asked
    assert await transport.ask(Service.NAMES, ask_name, within_s=30) == {"count": 7}


async def test_at_most_four_questions_are_under_way(
    transport: GbifTransport, gbif: FakeGbif
) -> None:
    under_way, most, full = 0, 0, asyncio.Event()

    async def slowly(_: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 4:
            full.set()
        await full.wait()
        under_way -= 1
        return web.Response(body=FINE.body, content_type=FINE.content_type)

    gbif.handler = slowly
    asking = [ask(transport) for _ in range(12)]
    assert await asyncio.gather(*asking) == [{"count": 7}] * 12
    assert most == 4


async def test_an_empty_tile_is_no_error_and_another_type_is(
    transport: GbifTransport, gbif: FakeGbif
) -> None:
    def tile(**options: Any) -> bytes:
        return get_picture(f"{API}/v2/map/x.png", {}, **options)

    gbif.answers = [Prepared(b"", status=204), Prepared(b"<html>", content_type="text/html")]
    assert await transport.ask(Service.MAPS, tile, within_s=30) == b""
    with pytest.raises(GbifNonsense):
        await transport.ask(Service.MAPS, tile, within_s=30)


async def test_nobody_but_gbif_is_asked(transport: GbifTransport, gbif: FakeGbif) -> None:
    def elsewhere(**options: Any) -> bytes:
        return get_picture("https://api.gbif.org.example.org/x.png", {}, **options)

    with pytest.raises(GbifNonsense):
        await transport.ask(Service.MAPS, elsewhere, within_s=30)
    assert gbif.paths == []


class Clock:
    """A clock that stands still until it is set."""

    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_a_breaker_opens_lets_one_probe_through_and_closes() -> None:
    clock = Clock()
    breaker = CircuitBreaker("maps", failures=2, pause_s=30, now=clock)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.admit()
    breaker.failed()
    with pytest.raises(GbifUnavailable, match="maps failed lately; it is asked again in 30 s"):
        breaker.admit()
    clock.time += 30
    breaker.admit()
    with pytest.raises(GbifUnavailable, match="being tried again"):
        breaker.check()
    breaker.failed()
    with pytest.raises(GbifUnavailable, match="in 30 s"):
        breaker.check()
    clock.time += 30
    breaker.admit()
    breaker.succeeded()
    breaker.admit()
    breaker.check()


def test_a_breaker_never_waits_for_hours() -> None:
    clock = Clock()
    breaker = CircuitBreaker("maps", now=clock)
    breaker.failed(86400.0)
    clock.time += 600
    breaker.admit()
