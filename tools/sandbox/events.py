"""What happens in the sandbox, told to whoever listens: the page, the gateway, a waiting test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.sandbox.people import Json

if TYPE_CHECKING:
    from tools.sandbox.messages import Message
    from tools.sandbox.places import Channel, Guild


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One happening, as somebody who may see everything sees it.

    ``message``, ``channel`` and ``guild`` (the channel's, unless the event is about a whole
    guild) let the gateway decide who may see how much; ``to_bot`` and ``to_page`` say whose
    business it is at all.
    """

    name: str
    data: Json
    channel: Channel | None = None
    guild: Guild | None = None
    message: Message | None = None
    to_bot: bool = False
    to_page: bool = True


class Feed:
    """Hand every event to each listener, in order, in the call that made it happen."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call ``listener`` with every event from now on."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[Event], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.remove(listener)

    def publish(self, event: Event) -> None:
        """Tell everyone who listens now."""
        for listener in tuple(self._listeners):
            listener(event)

    async def first(
        self,
        accept: Callable[[Event], bool],
        timeout: float,  # noqa: ASYNC109 -- it ends in asyncio.timeout below
    ) -> Event:
        """Wait for an event that ``accept`` likes.

        Raises:
            TimeoutError: None came within ``timeout`` seconds.
        """
        found: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

        def listener(event: Event) -> None:
            if found.done():
                return
            try:
                if accept(event):
                    found.set_result(event)
            except Exception as error:  # noqa: BLE001 -- the caller's own predicate failed: tell it
                found.set_exception(error)

        self.listen(listener)
        try:
            async with asyncio.timeout(timeout):
                return await found
        finally:
            self.forget(listener)
