"""An engine that starts late, and one that is asked to stop."""

from __future__ import annotations

import asyncio

import pytest

from bot.identifier import StartingIdentifier
from engine import EngineBusy, EngineFailed, Group, Learnt, ReferencePhoto
from tests.behaviour.world import ANSWER, ROBIN, CannedEngine

PHOTOS = (b"photo",)


class LateEngine(CannedEngine):
    """An engine that starts when the test lets it, and answers from then on."""

    async def until_started(self) -> None:
        await self.started.wait()
        if self.closed:
            raise EngineFailed("Fieldmark is shutting down.")

    async def close(self, drain_s: float) -> None:
        await super().close(drain_s)
        self.started.set()


@pytest.fixture
async def engine() -> LateEngine:
    return LateEngine()


async def turn() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_request_waits_for_the_start(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    request = asyncio.create_task(identifier.identify(PHOTOS, Group.BIRD))
    await turn()
    assert engine.asked == [(PHOTOS, Group.BIRD)]
    assert not request.done()
    engine.started.set()
    assert await request == ANSWER


async def test_what_the_engine_has_no_room_for_is_refused_before_it_has_started(
    engine: LateEngine,
) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    identifier.check_room(None)
    engine.no_room = EngineBusy(7)
    with pytest.raises(EngineBusy):
        identifier.check_room(None)


async def test_an_engine_that_did_not_start_is_said_to_who_asks(engine: LateEngine) -> None:
    engine.start_error = EngineFailed("The workers do not start.")
    engine.started.set()
    identifier = StartingIdentifier(engine)
    identifier.begin()
    await turn()
    with pytest.raises(EngineFailed, match="do not start"):
        identifier.check_room(None)
    with pytest.raises(EngineFailed, match="do not start"):
        await identifier.identify(PHOTOS, Group.BIRD)


async def test_lessons_wait_for_the_start_as_well(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    credit = ReferencePhoto(source="discord", licence="", attribution="", url=None)
    learning = asyncio.create_task(identifier.learn(b"photo", ROBIN, credit, identity="robin"))
    await turn()
    assert engine.learnt == {}
    engine.started.set()
    assert await learning == Learnt(new=True, photos=1)
    assert engine.learnt == {"robin": (b"photo", ROBIN)}
    assert await identifier.forget("robin")
    assert not await identifier.forget("robin")


async def test_a_cancelled_request_does_not_cancel_the_start(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    request = asyncio.create_task(identifier.identify(PHOTOS, Group.BIRD))
    await turn()
    request.cancel()
    await turn()
    engine.started.set()
    assert await identifier.identify(PHOTOS, Group.BIRD) == ANSWER


async def test_closing_during_the_start_tells_who_waits(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    request = asyncio.create_task(identifier.identify(PHOTOS, Group.BIRD))
    await turn()
    await identifier.close(0)
    with pytest.raises(EngineFailed, match="shutting down"):
        await request


async def test_nothing_is_taken_after_closing(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    engine.started.set()
    await identifier.close(0)
    with pytest.raises(EngineFailed, match="shutting down"):
        await identifier.identify(PHOTOS, Group.BIRD)


async def test_closing_waits_until_the_answers_are_sent(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    engine.started.set()
    sent = []

    async def handle() -> None:
        answer = await identifier.identify(PHOTOS, Group.BIRD)
        await turn()
        sent.append(answer)

    handler = asyncio.create_task(handle())
    await turn()
    await identifier.close(10)
    assert sent == [ANSWER]
    await handler


async def test_closing_waits_for_who_still_fetches_a_photo_and_tells_them(
    engine: LateEngine,
) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    engine.started.set()
    fetched, told = asyncio.Event(), []

    async def handle() -> None:
        identifier.check_room(None)
        await fetched.wait()
        try:
            await identifier.identify(PHOTOS, Group.BIRD)
        except EngineFailed as error:
            told.append(str(error))

    handler = asyncio.create_task(handle())
    await turn()
    closing = asyncio.create_task(identifier.close(10))
    await turn()
    assert not closing.done()
    with pytest.raises(EngineFailed, match="shutting down"):
        identifier.check_room(None)
    fetched.set()
    await closing
    assert handler.done()
    assert told == ["I'm shutting down. Please try again in a minute."]


async def test_closing_waits_until_whom_it_refuses_meanwhile_are_told(
    engine: LateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = StartingIdentifier(engine)
    identifier.begin()
    stopped, told = asyncio.Event(), []

    async def stop_slowly(drain_s: float) -> None:
        await stopped.wait()

    async def handle() -> None:
        try:
            identifier.check_room(None)
        except EngineFailed as error:
            await turn()
            told.append(str(error))

    monkeypatch.setattr(engine, "close", stop_slowly)
    closing = asyncio.create_task(identifier.close(10))
    await turn()
    handler = asyncio.create_task(handle())
    await asyncio.sleep(0)
    stopped.set()
    await closing
    assert handler.done()
    assert told == ["I'm shutting down. Please try again in a minute."]


async def test_an_engine_that_does_not_start_is_told(engine: LateEngine) -> None:
    identifier = StartingIdentifier(engine)
    failing = asyncio.create_task(identifier.wait_until_failed())
    await turn()
    assert not failing.done()
    engine.start_error = EngineFailed("no memory")
    engine.started.set()
    identifier.begin()
    with pytest.raises(EngineFailed, match="no memory"):
        await failing


async def test_an_engine_that_starts_or_is_closed_has_not_failed(engine: LateEngine) -> None:
    for close in (False, True):
        identifier = StartingIdentifier(engine)
        failing = asyncio.create_task(identifier.wait_until_failed())
        identifier.begin()
        await turn()
        if close:
            await identifier.close(0)
        engine.started.set()
        await turn()
        engine.started.clear()
        assert not failing.done()
        failing.cancel()
