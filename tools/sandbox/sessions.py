"""A bot's gateway sessions and the sockets that carry them.

Source: https://discord.com/developers/docs/events/gateway and .../opcodes-and-status-codes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any

from aiohttp import web

from tools.sandbox.people import Json
from tools.sandbox.places import Guild


class Op(IntEnum):
    """Gateway operations."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Close(IntEnum):
    """Gateway close codes."""

    UNKNOWN_OP = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    BAD_TOKEN = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQUENCE = 4007
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class Intent(IntFlag):
    """What a session asks to hear of."""

    GUILDS = 1 << 0
    MEMBERS = 1 << 1
    PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_REACTIONS = 1 << 10
    GUILD_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_REACTIONS = 1 << 13
    DIRECT_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15


class Refused(Exception):
    """The client broke the protocol: close the socket with this code."""

    def __init__(self, code: Close) -> None:
        super().__init__(code.name)
        self.code = code


class Wire:
    """One connected socket. Frames leave in the order they were put, compressed as one stream."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self._request = request
        self._deflate = zlib.compressobj() if request.query.get("compress") else None
        self._frames: asyncio.Queue[Json] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def put(
        self, op: Op, data: Any = None, *, name: str | None = None, seq: int | None = None
    ) -> None:
        """Queue one frame."""
        self._frames.put_nowait({"op": int(op), "d": data, "s": seq, "t": name})

    async def _write(self) -> None:
        while True:
            frame = json.dumps(await self._frames.get()).encode()
            with contextlib.suppress(ConnectionError):
                if self._deflate is None:
                    await self.socket.send_str(frame.decode())
                else:
                    packed = self._deflate.compress(frame) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(packed)

    def stop(self) -> None:
        """Send nothing more."""
        self._writer.cancel()

    def cut(self) -> None:
        """Drop the connection without a word, as a failing network does."""
        self.stop()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self, code: int) -> None:
        """Close with a code."""
        self.stop()
        await self.socket.close(code=code)


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A bot's session of one shard, which outlives its socket.

    ``log`` keeps every event sent, so a RESUME can replay what was missed.
    """

    id: str
    shard: tuple[int, int]
    intents: Intent
    log: list[tuple[str, Json]] = field(default_factory=list)
    wire: Wire | None = None

    def push(self, name: str, data: Json) -> None:
        """Add an event, and send it where a socket is connected."""
        self.log.append((name, data))
        if self.wire is not None:
            self.wire.put(Op.DISPATCH, data, name=name, seq=len(self.log))

    def holds(self, guild: Guild | None) -> bool:
        """Whether this shard hears of ``guild``; direct messages go to shard 0."""
        number, count = self.shard
        return number == (0 if guild is None else (guild.id >> 22) % count)
