"""Where workers come from: what the pool needs of processes here or of actors in a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from engine.workers.channel import Message

PING = Message({"ping": True})
"""What every worker answers at once, with any message."""

LEAVING = "leaving"
"""Under this key of an answer a worker says why it cannot go on, and is replaced by a fresh one."""

EXHAUSTED = "exhausted"
"""Under this key of an answer a worker says that a request took more memory than there was: it is
replaced, and the request tried again, as if it had died of it."""

WITHIN_S = "within_s"
"""Under this key of a request stands for how many seconds somebody waits for the answer."""

Seat: TypeAlias = str
"""A place that holds one worker at a time; its successor takes the same seat."""


class WorkerStartFailed(Exception):
    """The worker could not be started, or ended or said nothing before it was ready."""


class Worker(Protocol):
    """Something that answers one message at a time until it dies."""

    @property
    def pid(self) -> int:
        """Its process id on the machine where it runs."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    async def ask(self, request: Message) -> Message:
        """Have it answer ``request``.

        Raises:
            ChannelClosed: it died.
        """

    async def wait(self) -> str:
        """Wait until it is dead; return how it ended, as in "with status -9"."""

    def kill(self) -> None:
        """End it now, whatever it does."""

    async def stop(self) -> None:
        """End it and wait until it is gone."""


class Backend(Protocol):
    """A source of workers."""

    async def run(self, offer: Callable[[frozenset[Seat]], None]) -> None:
        """Call ``offer`` with the seats there are, again whenever they change, until cancelled.

        Raises:
            WorkerStartFailed: there will be no seats.
        """

    async def spawn(self, seat: Seat) -> tuple[Worker, Message]:
        """Start the worker of ``seat`` and return it with what it answered to its greeting.

        Raises:
            WorkerStartFailed: it could not be started, died, or was not ready in time.
        """

    async def close(self) -> None:
        """Let go of what the workers came from, once they are stopped."""
