"""What is sent arrives whole, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO, cast

import pytest

from engine.workers.channel import ChannelClosed, Message, read_message
from engine.workers.sender import Sender

MIB = 1024 * 1024


@asynccontextmanager
async def channel() -> AsyncIterator[tuple[Sender, BinaryIO]]:
    """Give a sender and the stream that its messages are read from in a thread."""
    ours, theirs = socket.socketpair()
    with theirs, cast(BinaryIO, theirs.makefile("rb")) as stream:
        _, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            yield Sender(writer), stream
        finally:
            writer.close()


def large(number: int) -> Message:
    return Message({"number": number}, (os.urandom(3 * MIB), b"", os.urandom(MIB + 1)))


def read(stream: BinaryIO, count: int) -> list[Message]:
    return [read_message(stream) for _ in range(count)]


async def test_messages_sent_at_once_arrive_whole_and_in_turn() -> None:
    messages = [large(0), Message({"number": 1}, (b"small",)), large(2)]
    posted = Message({"number": 3})
    async with channel() as (sender, stream):
        sending = [asyncio.create_task(sender.send(message)) for message in messages]
        await asyncio.sleep(0)
        sender.post(posted)
        assert await asyncio.to_thread(read, stream, 4) == [*messages, posted]
        await asyncio.gather(*sending)


async def test_a_large_message_leaves_the_event_loop_to_others() -> None:
    backlogs: list[int] = []
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_unix_connection(sock=ours)

    async def look() -> None:
        while True:
            await asyncio.sleep(0)
            backlogs.append(writer.transport.get_write_buffer_size())

    message = Message({}, (bytes(16 * MIB),))
    with theirs, cast(BinaryIO, theirs.makefile("rb")) as stream:
        reading = asyncio.create_task(asyncio.to_thread(read_message, stream))
        looking = asyncio.create_task(look())
        await Sender(writer).send(message)
        looking.cancel()
        assert await reading == message
        writer.close()
    assert len(backlogs) >= 32
    assert max(backlogs) < MIB // 2, "what waits in the transport was copied in one go"


async def test_a_message_whose_sender_gives_up_is_no_end_of_the_channel() -> None:
    messages = [large(0), Message({"number": 1})]
    async with channel() as (sender, stream):
        given_up = asyncio.create_task(sender.send(messages[0]))
        await asyncio.sleep(0.01)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        sending = asyncio.create_task(sender.send(messages[1]))
        assert await asyncio.to_thread(read, stream, 2) == messages
        await sending


async def test_a_reader_that_goes_in_mid_message_is_said_to_be_gone() -> None:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_unix_connection(sock=ours)
    sender = Sender(writer)
    sending = [asyncio.create_task(sender.send(large(number))) for number in range(2)]
    await asyncio.to_thread(theirs.recv, MIB)
    theirs.close()
    ends = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(end) for end in ends] == [ChannelClosed, ChannelClosed]
    writer.close()
