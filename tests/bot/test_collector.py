"""What lasts is not visited by the garbage collector again, and what does not still is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.collector import spare_what_stays


class Knot:
    """An object in a cycle, which only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_nothing_is_collected_until_it_is_prepared_and_what_came_later_is() -> None:
    prepared = asyncio.Event()
    sparing = asyncio.create_task(spare_what_stays(prepared.wait()))
    await asyncio.sleep(0)
    assert not gc.isenabled()
    lasts = Knot()
    prepared.set()
    await sparing
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(lasts is seen for seen in gc.get_objects())
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None


async def test_a_start_that_is_called_off_leaves_the_collector_on() -> None:
    sparing = asyncio.create_task(spare_what_stays(asyncio.Event().wait()))
    await asyncio.sleep(0)
    sparing.cancel()
    await asyncio.gather(sparing, return_exceptions=True)
    assert gc.isenabled()
