"""What is being made for which messages, so that it can be stopped when they change or go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import discord

from engine import Group


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """An answer being made, or made anew.

    It is about ``message_ids``. ``request_id`` is the message that is answered for the first
    time, ``reply_id`` the answer that is redone, for ``group`` now; a command's answer has
    neither. Once ``sending`` is set it is carried through, since nobody could tell what became
    of it. ``edited`` is one of its messages as it became since the work was begun.
    """

    message_ids: frozenset[int]
    fingerprint: str
    request_id: int | None = None
    reply_id: int | None = None
    group: Group | None = None
    sending: bool = False
    edited: discord.Message | None = None
    task: asyncio.Task[None] = field(init=False)

    async def finished(self) -> bool:
        """Wait for the end; return whether there is an answer, or else it was stopped."""
        await asyncio.wait({self.task})
        if self.task.cancelled():
            return False
        self.task.result()
        return True


Make: TypeAlias = Callable[[Work], Coroutine[Any, Any, None]]
"""Makes an answer, and sets ``sending`` of its work before it shows that."""


class Works:
    """The answers that are being made."""

    def __init__(self) -> None:
        self._works: set[Work] = set()

    def start(self, work: Work, make: Make) -> Work:
        """Start to make an answer."""
        self._works.add(work)
        work.task = asyncio.create_task(make(work))
        work.task.add_done_callback(lambda _: self._works.discard(work))
        return work

    def about(self, message_id: int) -> list[Work]:
        """Return what is being made about a message."""
        return [work for work in self._works if message_id in work.message_ids]

    def answering(self, request_id: int) -> Work | None:
        """Return the first answer to a message, if that is being made."""
        return next((work for work in self._works if work.request_id == request_id), None)

    def redoing(self, reply_id: int) -> Work | None:
        """Return what will replace an answer, if that is being made."""
        return next((work for work in self._works if work.reply_id == reply_id), None)

    async def stop(self, works: Iterable[Work]) -> None:
        """Stop what is not being sent yet, and return when all has come to its end."""
        tasks = set()
        for work in works:
            tasks.add(work.task)
            if not work.sending:
                work.task.cancel()
        if tasks:
            await asyncio.wait(tasks)
