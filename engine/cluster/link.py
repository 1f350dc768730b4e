"""The engine's end of the channel to the bridge: many orders at once over one process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from engine.workers.backend import Seat, WorkerStartFailed
from engine.workers.channel import ChannelClosed, Message
from engine.workers.process import WorkerProcess

_BRIDGE = "engine.cluster.bridge"
# Long enough to end a cluster that the bridge started.
_GRACE_S = 15.0


class ActorDied(ChannelClosed):
    """The actor that an order was for is dead; ``str(error)`` is what Ray says of it."""


class Link:
    """A bridge that runs, and the orders that it is at."""

    def __init__(self, process: WorkerProcess, seats: frozenset[Seat]) -> None:
        self._process = process
        self._seats = seats
        self._ids = itertools.count()
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._ends: dict[int, asyncio.Future[str]] = {}
        self._lost = False

    @classmethod
    async def open(cls, hello: Message, environment: Mapping[str, str], *, within_s: float) -> Link:
        """Start a bridge and have it join the cluster.

        Raises:
            WorkerStartFailed: the cluster cannot be used.
        """
        process, said = await WorkerProcess.spawn(
            _BRIDGE, hello, within_s=within_s, environment=environment
        )
        if "error" in said.body:
            await process.stop(_GRACE_S)
            raise WorkerStartFailed(said.body["error"])
        return cls(process, frozenset(said.body["seats"]))

    async def listen(self, offer: Callable[[frozenset[Seat]], None]) -> None:
        """Pass on what the bridge says until it is gone."""
        offer(self._seats)
        try:
            while True:
                self._take(await self._process.receive(), offer)
        except ChannelClosed:
            return
        finally:
            self._lose()

    def expect(self, actor: int) -> asyncio.Future[str]:
        """Return what will hold how ``actor`` ended. Await it shielded."""
        end = asyncio.get_running_loop().create_future()
        if self._lost:
            end.set_result("with the cluster")
        return self._ends.setdefault(actor, end)

    async def call(self, body: Mapping[str, Any], blobs: tuple[bytes, ...] = ()) -> Message:
        """Have an order carried out and return the reply to it.

        Raises:
            ActorDied: the order's actor did.
            ChannelClosed: the bridge died.
        """
        if self._lost:
            raise ChannelClosed
        number = next(self._ids)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        try:
            await self._process.send(Message({**body, "id": number}, blobs))
            said = await reply
        finally:
            del self._replies[number]
        if "died" in said.body:
            raise ActorDied(said.body["died"])
        return Message(said.body["reply"], said.blobs)

    def kill(self, actor: int) -> None:
        """Have ``actor`` killed; nothing says when it is."""
        if not self._lost:
            self._process.post(Message({"do": "kill", "actor": actor}))

    def drop(self, actor: int) -> None:
        """Have ``actor`` killed that never came to be a worker."""
        self.kill(actor)
        self._ends.pop(actor, None)

    async def close(self) -> None:
        """End the bridge, and with it its actors and a cluster that it started."""
        await self._process.stop(_GRACE_S)

    def _take(self, said: Message, offer: Callable[[frozenset[Seat]], None]) -> None:
        body = said.body
        if "seats" in body:
            offer(frozenset(body["seats"]))
        elif "ended" in body:
            end = self._ends.pop(body["ended"], None)
            if end is not None and not end.done():
                end.set_result(body["how"])
        else:
            reply = self._replies.get(body["id"])
            if reply is not None and not reply.done():
                reply.set_result(said)

    def _lose(self) -> None:
        self._lost = True
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ChannelClosed())
        for end in self._ends.values():
            if not end.done():
                end.set_result("with the cluster")
        self._ends.clear()
