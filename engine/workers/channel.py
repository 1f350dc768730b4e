"""Messages between the engine and its workers: JSON and raw bytes over a socket pair.

JSON, not pickle: a worker decodes files from strangers, and should one take it over,
what it sends back must not be able to run code in the bot's process.

A message is a 4-byte length, that many bytes of JSON, then the blobs one after another;
the JSON carries their lengths under ``blobs``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import asyncio  # which a worker has no use for

_LENGTH = struct.Struct("!I")
_LARGEST = 1 << 30


class ChannelClosed(Exception):
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Message:
    """``body`` is JSON-serialisable; ``blobs`` travel beside it as they are."""

    body: dict[str, Any]
    blobs: tuple[bytes, ...] = field(default=(), repr=False)

    def parts(self) -> Sequence[bytes]:
        """Return what goes on the wire, without copying the blobs together."""
        head = json.dumps({"body": self.body, "blobs": [len(b) for b in self.blobs]}).encode()
        return (_LENGTH.pack(len(head)), head, *self.blobs)


def read_message(stream: BinaryIO) -> Message:
    """Read one message, blocking.

    Raises:
        ChannelClosed: the other side closed the socket.
    """
    head = json.loads(_read_exactly(stream, _length(_read_exactly(stream, _LENGTH.size))))
    return Message(head["body"], tuple(_read_exactly(stream, n) for n in head["blobs"]))


def write_message(stream: BinaryIO, message: Message) -> None:
    """Write one message, blocking."""
    stream.writelines(message.parts())
    stream.flush()


async def receive(reader: asyncio.StreamReader) -> Message:
    """Read one message without blocking the event loop.

    Raises:
        ChannelClosed: the other side closed the socket, died in mid-message, or was taken over
            by a file and says what is no message.
    """
    try:
        head = json.loads(await reader.readexactly(_length(await reader.readexactly(_LENGTH.size))))
        body = dict(head["body"])
        _check(sum(head["blobs"]))
        blobs = [await reader.readexactly(length) for length in head["blobs"]]
    except (EOFError, OSError) as error:
        raise ChannelClosed from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ChannelClosed("this is no message of ours") from error
    return Message(body, tuple(blobs))


def _length(data: bytes) -> int:
    length = int(_LENGTH.unpack(data)[0])
    _check(length)
    return length


def _check(length: int) -> None:
    if length > _LARGEST:
        raise ChannelClosed(f"a message of {length} bytes is not one of ours")


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if data is None or len(data) < length:
        raise ChannelClosed
    return data
