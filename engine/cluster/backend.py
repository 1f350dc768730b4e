"""Workers on the nodes of a Ray cluster."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import logging
import secrets
from collections.abc import Callable

from engine.cluster.link import ActorDied, Link
from engine.workers.backend import Seat, WorkerStartFailed
from engine.workers.channel import ChannelClosed, Message

log = logging.getLogger(__name__)

_TRIES_BEFORE_GIVING_UP = 3
_REJOIN_DELAY_S = 1.0
_LONGEST_REJOIN_DELAY_S = 30.0
_STOP_S = 2.0
# The bridge itself waits for the first nodes as long as a worker may take to start.
_JOIN_EXTRA_S = 60.0
_LOCAL = ("", "local")
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0"}


class RayBackend:
    """Actors that run ``module.open_worker(hello)``, ``workers`` on each node of a cluster.

    ``address`` is "" or "local" for a cluster of our own on this machine, "auto" for the one
    that runs here, or its head's "host:port". Each actor claims ``threads`` processors. With
    more than one of ``shards`` there is an actor besides for each, which the workers ask.
    """

    def __init__(
        self,
        module: str,
        hello: Message,
        *,
        address: str,
        workers: int,
        threads: int,
        start_timeout_s: float,
        shards: int = 1,
    ) -> None:
        body = {
            "address": address,
            "module": module,
            "hello": hello.body,
            "workers": workers,
            "threads": threads,
            "shards": shards,
            "start_timeout_s": start_timeout_s,
        }
        self._hello = Message(body)
        self._environment = _ENVIRONMENT | (_closed_to_others() if address in _LOCAL else {})
        self._start_timeout_s = start_timeout_s
        self._numbers = itertools.count()
        self._link: Link | None = None

    async def run(self, offer: Callable[[frozenset[Seat]], None]) -> None:
        """Join the cluster, offer the seats of its nodes, and join again when it is lost.

        Raises:
            WorkerStartFailed: Ray is not installed, or the cluster could never be joined.
        """
        if importlib.util.find_spec("ray") is None:
            raise WorkerStartFailed(
                "the backend is ray, which is not installed; run `pip install 'fieldmark[ray]'`,"
                ' or set backend = "process".'
            )
        failures, met = 0, False
        while True:
            try:
                self._link = await Link.open(
                    self._hello,
                    self._environment,
                    within_s=self._start_timeout_s + _JOIN_EXTRA_S,
                )
            except WorkerStartFailed as error:
                failures += 1
                log.error("Ray was not joined (%d): %s", failures, error)  # noqa: TRY400
                if failures == _TRIES_BEFORE_GIVING_UP and not met:
                    raise
            else:
                failures, met = 0, True
                await self._link.listen(offer)
                log.error("The connection to the Ray cluster was lost; joining it again.")
                offer(frozenset())
                await self._link.close()
            await asyncio.sleep(min(_REJOIN_DELAY_S * (1 + failures), _LONGEST_REJOIN_DELAY_S))

    async def spawn(self, seat: Seat) -> tuple[RayWorker, Message]:
        """Start the actor of a seat.

        Raises:
            WorkerStartFailed: it died, or was not ready in time.
        """
        link = self._link
        if link is None:
            raise WorkerStartFailed("there is no cluster yet.")
        number = next(self._numbers)
        end = link.expect(number)
        try:
            said = await self._open(link, number, seat)
        except BaseException:
            link.drop(number)
            raise
        worker = RayWorker(link, number, end, pid=said.body["pid"], seat=seat)
        return worker, Message(said.body["ready"])

    async def _open(self, link: Link, number: int, seat: Seat) -> Message:
        try:
            async with asyncio.timeout(self._start_timeout_s):
                return await link.call({"do": "open", "actor": number, "seat": seat})
        except TimeoutError as error:
            raise WorkerStartFailed(
                f"an actor was not ready after {self._start_timeout_s:.0f} s."
            ) from error
        except ActorDied as error:
            raise WorkerStartFailed(f"an actor ended at start: {error}") from error
        except ChannelClosed as error:
            raise WorkerStartFailed("the cluster was lost.") from error

    async def close(self) -> None:
        """Leave the cluster; end one that was started for us."""
        if self._link is not None:
            await self._link.close()


class RayWorker:
    """An actor as its supervisor sees it."""

    def __init__(
        self, link: Link, number: int, end: asyncio.Future[str], *, pid: int, seat: Seat
    ) -> None:
        self._link = link
        self._number = number
        self._end = end
        self.pid = pid
        """Its process id on its node."""
        self.name = f"{pid} on node {seat[:8]}"
        """What the log calls it."""

    async def ask(self, request: Message) -> Message:
        """Have the actor answer.

        Raises:
            ChannelClosed: it, its node or the cluster was lost.
        """
        order = {"do": "ask", "actor": self._number, "request": request.body}
        return await self._link.call(order, request.blobs)

    async def wait(self) -> str:
        """Wait until the actor is dead; return what Ray says of it."""
        return f"({await asyncio.shield(self._end)})"

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._link.kill(self._number)

    async def stop(self) -> None:
        """End it and wait a little until it is gone."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await asyncio.shield(self._end)


def _closed_to_others() -> dict[str, str]:
    """Have a cluster of our own listen on loopback only, and only to who knows its token."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for it
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
