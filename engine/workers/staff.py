"""A worker at every seat of a backend: started, watched, replaced when it dies.

Workers that cannot be started stop a pool that never had one instead of spinning, and are tried on
and on where there was one: a machine that ran out of memory gets over it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.contracts import EngineFailed
from engine.workers.backend import Backend, Seat, Worker, WorkerStartFailed
from engine.workers.channel import Message

log = logging.getLogger(__name__)

_STARTS_BEFORE_GIVING_UP = 3
_RESTART_DELAY_S = 0.5
_LONGEST_RESTART_DELAY_S = 30.0
_RESTARTING = "Fieldmark's engine is being restarted. Please try again in a minute."


class Staff:
    """The workers of a pool, which is told of each that ``comes`` and ``goes``.

    ``lacks`` is called once there is nobody to wait for, with ``lack``.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        comes: Callable[[Worker], None],
        goes: Callable[[Worker], None],
        lacks: Callable[[str], None],
    ) -> None:
        self.workers: set[Worker] = set()
        """Those that are alive now."""
        self._backend = backend
        self._comes = comes
        self._goes = goes
        self._lacks = lacks
        self._ready: asyncio.Future[Message] | None = None
        self._staffing: asyncio.Task[None] | None = None
        self._tenders: dict[Seat, asyncio.Task[None]] = {}
        self._failures: dict[Seat, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._given_up: str | None = None

    async def start(self) -> Message:
        """Have the workers started; return what the first one ready said of itself.

        Raises:
            EngineFailed: none could be started, again and again, or this was closed.
        """
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._staffing = asyncio.create_task(self._staff())
        return await asyncio.shield(self._ready)

    @property
    def lack(self) -> str | None:
        """Why nobody should wait for a worker, in a sentence for people; None where one may."""
        return self._given_up or (_RESTARTING if self._out_of_workers() else None)

    @property
    def is_expected(self) -> bool:
        """Whether there are seats, so that a worker is there or will come."""
        return bool(self._tenders)

    async def close(self, reason: str) -> None:
        """End the workers; who waits for the first one is told the ``reason``."""
        self._fail_start(reason)
        staffing = () if self._staffing is None else (self._staffing,)
        tasks = [*staffing, *self._tenders.values(), *self._leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._backend.close()

    async def _staff(self) -> None:
        """Keep a tender at every seat that the backend has."""
        try:
            await self._backend.run(self._seat)
        except WorkerStartFailed as error:
            self._give_up(error)

    def _seat(self, seats: frozenset[Seat]) -> None:
        for seat in self._tenders.keys() - seats:
            tender = self._tenders.pop(seat)
            tender.cancel()
            self._leaving.add(tender)
            tender.add_done_callback(self._leaving.discard)
            self._failures.pop(seat, None)
        for seat in seats - self._tenders.keys():
            self._failures[seat] = 0
            self._tenders[seat] = asyncio.create_task(self._tend(seat))

    async def _tend(self, seat: Seat) -> None:
        """Keep the worker of one seat alive: start it, watch it, replace it when it dies."""
        while not self._given_up:
            try:
                worker, ready = await self._backend.spawn(seat)
            except WorkerStartFailed as error:
                news = not self._out_of_workers()
                self._failures[seat] = failures = self._failures[seat] + 1
                log.error("A worker did not start (%d): %s", failures, error)  # noqa: TRY400
                if self._out_of_workers():
                    self._do_without(error, news=news)
                await asyncio.sleep(min(_RESTART_DELAY_S * failures, _LONGEST_RESTART_DELAY_S))
            else:
                if self._out_of_workers() and not self._given_up:
                    log.warning("Worker %s has started: requests are answered again.", worker.name)
                self._failures[seat] = 0
                await self._watch(worker, ready)

    async def _watch(self, worker: Worker, ready: Message) -> None:
        self.workers.add(worker)
        if self._ready and not self._ready.done():
            self._ready.set_result(ready)
        self._comes(worker)
        try:
            end = await worker.wait()
            log.warning("Worker %s ended %s; starting another.", worker.name, end)
        finally:
            self.workers.discard(worker)
            self._goes(worker)
            await worker.stop()

    def _out_of_workers(self) -> bool:
        """Tell whether no seat's worker has started in any of its last tries.

        Without seats there is nothing to tell by: the backend may be about to offer some.
        """
        failures = self._failures.values()
        return bool(failures) and all(n >= _STARTS_BEFORE_GIVING_UP for n in failures)

    def _do_without(self, reason: WorkerStartFailed, *, news: bool) -> None:
        """Give up if there never was a worker; else have nobody wait for the next one."""
        if self._ready and not self._ready.done():
            self._give_up(reason)
        elif not self._given_up:
            if news:
                log.error("No worker starts any more: requests are refused until one does.")
            self._lacks(_RESTARTING)

    def _give_up(self, reason: WorkerStartFailed) -> None:
        """Try no more: nothing will answer."""
        self._given_up = f"The engine could not start: {reason}"
        self._fail_start(self._given_up)
        self._lacks(self._given_up)

    def _fail_start(self, reason: str) -> None:
        if self._ready and not self._ready.done():
            self._ready.set_exception(EngineFailed(reason))
