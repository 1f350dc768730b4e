"""The sending end of a channel on an event loop, which it never holds up for long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.workers.channel import ChannelClosed, Message

_SLICE = 256 * 1024


class Sender:
    """Writes messages through one writer, each whole, however many tasks send at once.

    A transport copies what it cannot send at once, a message of photos as large as are accepted
    for a fifth of a second. So such a message goes in slices, and other tasks have turns between.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._turn = asyncio.Lock()
        self._line: set[asyncio.Task[None]] = set()

    async def send(self, message: Message) -> None:
        """Write one message; it is written to its end even if who sends it is cancelled.

        Raises:
            ChannelClosed: the other side is gone.
        """
        parts = message.parts()
        if self._must_wait(parts):
            # The channel may outlive the request, and with half a message on it nothing that
            # follows could be read.
            await asyncio.shield(self._line_up(parts))
            return
        try:
            self._writer.writelines(parts)
            await self._writer.drain()
        except OSError as error:
            raise ChannelClosed from error

    def post(self, message: Message) -> None:
        """Write a message without waiting until it is on its way, or at all if nobody reads."""
        if self._writer.is_closing():
            return
        parts = message.parts()
        if self._must_wait(parts):
            self._line_up(parts)
        else:
            self._writer.writelines(parts)

    def _must_wait(self, parts: Sequence[bytes]) -> bool:
        # Not whether the lock is held: between two of a line it is free, and who went then would
        # overtake what was sent before.
        return bool(self._line) or sum(map(len, parts)) > _SLICE

    def _line_up(self, parts: Sequence[bytes]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._write(parts))
        self._line.add(task)
        task.add_done_callback(self._leave)
        return task

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._line.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else looks at that of a message which was posted

    async def _write(self, parts: Sequence[bytes]) -> None:
        async with self._turn:
            try:
                for part in parts:
                    await self._write_in_slices(memoryview(part))
            except OSError as error:
                raise ChannelClosed from error

    async def _write_in_slices(self, part: memoryview) -> None:
        for begin in range(0, len(part), _SLICE):
            if self._writer.is_closing():
                raise ChannelClosed
            self._writer.write(part[begin : begin + _SLICE])
            await self._writer.drain()
            # Where the other side reads as fast as this one writes, to drain is no pause.
            await asyncio.sleep(0)
