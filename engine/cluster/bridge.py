"""The process between the engine and a Ray cluster: the cluster's driver.

Run as ``python -m engine.cluster.bridge FD``, where FD is its end of a socket pair. The first
message says which cluster; the answer says which seats it has, or what is wrong with it. From
then on messages go both ways, many at once; an answer bears the id of its order.

===============================  ======================================================
the engine says                  the bridge says
===============================  ======================================================
open actor N at SEAT             its process id and its answer to the greeting, or died
ask actor N REQUEST              the answer, or died
kill actor N
                                 seats, whenever they change
                                 ended, when actor N died
===============================  ======================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from engine.cluster.actor import SeatedWorker
from engine.cluster.ray_shards import first_line
from engine.workers.channel import ChannelClosed, Message, read_message, receive, write_message
from engine.workers.sender import Sender

if TYPE_CHECKING:
    from engine.cluster.shard_keeper import ShardKeeper

log = logging.getLogger("engine.cluster.bridge")

_LOCAL = ("", "local")
_LOOK_EVERY_S = 1.0
_CONNECT_S = 5.0
# Of a cluster of our own; the photos of one request fit in.
_OBJECT_STORE_BYTES = 256 * 1024 * 1024


class ClusterUnusable(Exception):
    """There is no cluster, or none that can host a worker; ``str(error)`` says what to do."""


def main() -> None:
    """Serve until the other side closes the channel."""
    # Results travel on the channel; what a library prints must not mix with the CLI's output.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        stream = cast(BinaryIO, channel.makefile("rwb"))
        with contextlib.suppress(ChannelClosed, BrokenPipeError):
            hello = read_message(stream)
            try:
                _join(hello.body["address"])
                seats = _first_seats(hello)
            except ClusterUnusable as error:
                write_message(stream, Message({"error": str(error)}))
                return
            write_message(stream, Message({"seats": seats}))
            asyncio.run(_serve(hello, channel))
    ray.shutdown()


def _join(address: str) -> None:
    if address in _LOCAL:
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            logging_level=logging.WARNING,
        )
        return
    host, _, port = address.rpartition(":")
    try:
        if host:
            # Ray itself tries for minutes, and then ends the process.
            socket.create_connection((host, int(port)), _CONNECT_S).close()
        ray.init(address=address, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise ClusterUnusable(
            f"the Ray cluster {address} cannot be joined from this machine ({error}): start Ray"
            " here first, as a node of that cluster, with `ray start`."
        ) from error


def _first_seats(hello: Message) -> list[str]:
    """Wait for nodes that can host a worker; there may be none yet."""
    deadline = time.monotonic() + hello.body["start_timeout_s"]
    while not (seats := _seats(hello)):
        if time.monotonic() > deadline:
            raise ClusterUnusable(
                f"no node of the Ray cluster has {hello.body['threads']} processors for a worker:"
                " add a node, or lower `threads`."
            )
        time.sleep(_LOOK_EVERY_S)
    return seats


def _seats(hello: Message) -> list[str]:
    """Name the seats of the nodes alive: as many on each as were asked for and fit."""
    workers, threads = hello.body["workers"], hello.body["threads"]
    return sorted(
        f"{node['NodeID']}/{number}"
        for node in ray.nodes()
        if node["Alive"]
        for number in range(min(workers, int(node["Resources"].get("CPU", 0)) // threads))
    )


async def _serve(hello: Message, channel: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=channel.dup())
    try:
        await Bridge(hello, reader, writer).serve()
    finally:
        writer.close()


class Bridge:
    """Carries out the engine's orders."""

    def __init__(
        self, hello: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._hello = hello
        self._reader = reader
        self._sender = Sender(writer)
        self._actors: dict[int, Any] = {}
        self._tasks = asyncio.TaskGroup()
        self._shards = _shard_keeper(hello.body["shards"], self._tasks.create_task)

    async def serve(self) -> None:
        """Carry out orders until the channel is closed, or something is wrong with the cluster."""
        try:
            async with self._tasks:
                self._tasks.create_task(self._watch_nodes())
                while True:
                    order = await receive(self._reader)
                    self._tasks.create_task(self._carry_out(order))
        except* ChannelClosed:
            pass

    async def _carry_out(self, order: Message) -> None:
        number = order.body["actor"]
        match order.body["do"]:
            case "open":
                await self._reply(order, self._open(number, order.body["seat"]))
            case "ask":
                request = Message(order.body["request"], order.blobs)
                await self._reply(order, self._ask(number, request))
            case "kill":
                self._kill(number)

    async def _reply(self, order: Message, work: Coroutine[Any, Any, Message]) -> None:
        try:
            answer = await work
        except RayError as error:
            answer = Message({"died": first_line(error)})
        else:
            answer = Message({"reply": answer.body}, answer.blobs)
        await self._sender.send(Message({"id": order.body["id"], **answer.body}, answer.blobs))

    async def _open(self, number: int, seat: str) -> Message:
        node, _, _ = seat.partition("/")
        options = {
            "num_cpus": self._hello.body["threads"],
            "max_concurrency": 2,
            "max_restarts": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        actor = ray.remote(SeatedWorker).options(**options).remote(self._hello.body["module"])
        self._actors[number] = actor
        try:
            pid, ready = await actor.greet.remote(Message(self._hello.body["hello"]))
        except RayError:
            self._kill(number)
            raise
        self._tasks.create_task(self._watch(number, actor))
        return Message({"pid": pid, "ready": ready.body})

    async def _ask(self, number: int, request: Message) -> Message:
        actor = self._actors.get(number)
        if actor is None:
            raise RayActorError(error_msg="It was killed.")
        return cast(Message, await actor.answer.remote(request))

    async def _watch(self, number: int, actor: Any) -> None:
        try:
            await actor.live.remote()
        except RayError as error:
            # It may only be out of reach, and would then go on working for nobody.
            self._kill(number)
            await self._sender.send(Message({"ended": number, "how": first_line(error)}))

    def _kill(self, number: int) -> None:
        actor = self._actors.pop(number, None)
        if actor is not None:
            ray.kill(actor)

    async def _watch_nodes(self) -> None:
        said: list[str] = []
        while True:
            seats = await asyncio.to_thread(_seats, self._hello)
            if seats != said:
                await self._sender.send(Message({"seats": seats}))
                said = seats
            if self._shards is not None:
                self._shards.settle(sorted({seat.partition("/")[0] for seat in seats}))
            await asyncio.sleep(_LOOK_EVERY_S)


def _shard_keeper(
    shards: int, watch: Callable[[Coroutine[Any, Any, None]], object]
) -> ShardKeeper | None:
    if shards == 1:
        return None
    # FAISS comes with it, which a bridge to whole indexes has no use for.
    from engine.cluster.shard_keeper import ShardKeeper

    return ShardKeeper(shards, watch)


if __name__ == "__main__":
    main()
