"""A pool of workers: admission, deadlines, and recovery from crashes.

The supervisor is small because nothing that exists does all of it (docs/decisions.md):
one bounded queue in which everybody gets a turn; a worker that hangs is killed and replaced;
a request whose worker died is tried once more on another; workers that cannot be started stop
a pool that never had one instead of spinning, and are tried on and on where there was one: a
machine that ran out of memory gets over it. What the workers are is the backend's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, field

from engine.admission import FairQueue, Ticket
from engine.backend import (
    EXHAUSTED,
    LEAVING,
    PING,
    WITHIN_S,
    Backend,
    Seat,
    Worker,
    WorkerStartFailed,
)
from engine.channel import ChannelClosed, Message
from engine.contracts import EngineBusy, EngineError, EngineFailed, EngineTimeout, Requester

log = logging.getLogger(__name__)

_STARTS_BEFORE_GIVING_UP = 3
_RESTART_DELAY_S = 0.5
_LONGEST_RESTART_DELAY_S = 30.0
_ATTEMPTS = 2
_PACE = 0.1  # the weight of the newest request in the average of how long one takes
_MIB = 1024 * 1024
_STOPPING = "Fieldmark is shutting down. Please try again in a minute."
_RESTARTING = "Fieldmark's engine is being restarted. Please try again in a minute."


@dataclass(slots=True, eq=False)
class _Job:
    request: Message
    answer: asyncio.Future[Message]
    attempts: int = 0
    queued_s: float = 0.0
    admitted: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class WorkerPool:
    """Hands requests to the workers of a backend, one at a time each."""

    def __init__(
        self,
        backend: Backend,
        *,
        queue_limit: int,
        queue_mb: int,
        deadline_s: float,
        stuck_after_s: float,
    ) -> None:
        self._backend = backend
        self._deadline_s = deadline_s
        self._stuck_after_s = stuck_after_s
        self._queue: FairQueue[_Job] = FairQueue(queue_limit, queue_mb * _MIB)
        self._idle: deque[Worker] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._staffing: asyncio.Task[None] | None = None
        self._tenders: dict[Seat, asyncio.Task[None]] = {}
        self._failures: dict[Seat, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Future[Message] | None = None
        self._stopped: str | None = None
        self._given_up = False
        self._drained = False
        self._service_s: float | None = None
        self._workers: set[Worker] = set()

    @property
    def pids(self) -> set[int]:
        """Process ids of the workers alive now, each on its machine, for monitoring."""
        return {worker.pid for worker in self._workers}

    @property
    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many requests a worker is at."""
        return len(self._running)

    async def start(self) -> Message:
        """Have the workers started; return what the first one ready said of itself.

        Raises:
            EngineFailed: no worker could be started, again and again, or the pool was closed.
        """
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._staffing = asyncio.create_task(self._staff())
        return await asyncio.shield(self._ready)

    def check_room(self, requester: Requester | None, size: int = 0) -> None:
        """Refuse what would be refused now, before anything is done for it.

        ``size`` is in bytes, 0 where it is not known yet.

        Raises:
            EngineBusy: too many requests are waiting, in all or of the requester's.
            EngineFailed: no worker can be started at present, or the pool has stopped.
        """
        if self._stopped:
            raise EngineFailed(self._stopped)
        if self._out_of_workers():
            raise EngineFailed(_RESTARTING)
        if refusal := self._queue.refusal(requester, size):
            raise EngineBusy(max(1.0, self._expected_s(refusal.turns)), refusal.reason)

    async def submit(
        self,
        request: Message,
        requester: Requester | None = None,
        ticket: Ticket | None = None,
    ) -> tuple[Message, float]:
        """Have a worker answer ``request``; return the answer and the seconds it waited.

        While it waits ``ticket`` tells how many are ahead, those at work included.

        Raises:
            EngineBusy: too many requests are waiting, in all or of the requester's, or it would
                wait beyond the deadline.
            EngineTimeout: no answer before the deadline.
            EngineFailed: two workers died on this request, no worker can be started at present,
                or the pool has stopped.
        """
        size = sum(map(len, request.blobs))
        self.check_room(requester, size)
        job = _Job(request, asyncio.get_running_loop().create_future())
        self._queue.push(job, requester, size)
        wait_s = self._expected_s(self._queue.ahead(job) + self.running)
        if wait_s > self._deadline_s:
            self._queue.remove(job)
            raise EngineBusy(wait_s)
        if ticket is not None:
            ticket.issue(lambda: self._ahead(job))
        self._dispatch()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await job.answer, job.queued_s
        except TimeoutError as error:
            raise EngineTimeout(
                "That took too long, so I stopped. Please try again in a moment."
            ) from error
        finally:
            self._queue.remove(job)

    async def close(self, drain_s: float) -> None:
        """Take nothing new, let what runs finish for ``drain_s`` seconds, then stop."""
        self._stopped = self._stopped or _STOPPING
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                while self._running or (self._queue and self._tenders):
                    await asyncio.wait(self._running or set(self._tenders.values()), timeout=0.1)
        self._drained = True
        self._fail_waiting(self._stopped)
        if self._ready and not self._ready.done():
            self._ready.set_exception(EngineFailed(self._stopped))
        staffing = () if self._staffing is None else (self._staffing,)
        tasks = [*staffing, *self._tenders.values(), *self._leaving, *self._running]
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
        self._workers.add(worker)
        if self._ready and not self._ready.done():
            self._ready.set_result(ready)
        self._idle.append(worker)
        self._dispatch()
        try:
            end = await worker.wait()
            log.warning("Worker %s ended %s; starting another.", worker.name, end)
        finally:
            self._workers.discard(worker)
            with contextlib.suppress(ValueError):
                self._idle.remove(worker)
            await worker.stop()

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            job = self._queue.pop()
            if job.answer.done():
                continue
            task = asyncio.create_task(self._run(self._idle.pop(), job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, worker: Worker, job: _Job) -> None:
        started = asyncio.get_running_loop().time()
        job.queued_s = started - job.admitted
        try:
            async with asyncio.timeout(self._stuck_after_s):
                if job.attempts:
                    # What killed one worker often kills its neighbours, and a photo must not be
                    # blamed for dying on one that was dead already.
                    await worker.ask(PING)
                job.attempts += 1
                answer = await worker.ask(self._timed(job))
        except TimeoutError:
            log.error("Worker %s was stuck; killing it.", worker.name)  # noqa: TRY400
            worker.kill()
            self._settle(job, EngineTimeout("This photo took too long to look at, so I gave up."))
        except ChannelClosed:
            worker.kill()
            self._retry(worker, job)
        except asyncio.CancelledError:
            worker.kill()
            self._settle(job, EngineFailed(_STOPPING))
            raise
        else:
            if reason := answer.body.get(LEAVING):
                self._replace(worker, job, reason)
                return
            if EXHAUSTED in answer.body:
                worker.kill()
                self._retry(worker, job)
                return
            self._measure(asyncio.get_running_loop().time() - started)
            # Before whoever asked unpacks the answer: the worker would wait for that.
            self._idle.append(worker)
            self._dispatch()
            self._settle(job, answer)

    def _timed(self, job: _Job) -> Message:
        """Tell the worker how long the one who asks still waits, or this pool for the worker."""
        waited_s = asyncio.get_running_loop().time() - job.admitted
        within_s = min(self._deadline_s - waited_s, self._stuck_after_s)
        return Message({**job.request.body, WITHIN_S: within_s}, job.request.blobs)

    def _replace(self, worker: Worker, job: _Job, reason: str) -> None:
        """Have a fresh worker take the request of one that cannot go on, which is not its fault."""
        log.warning("Worker %s cannot go on: %s", worker.name, reason)
        worker.kill()
        job.attempts = 0
        self._ask_again(job)

    def _retry(self, worker: Worker, job: _Job) -> None:
        log.error("Worker %s died on a request (attempt %d).", worker.name, job.attempts)
        self._ask_again(job)

    def _ask_again(self, job: _Job) -> None:
        if self._drained:
            self._settle(job, EngineFailed(_STOPPING))
        elif job.attempts < _ATTEMPTS:
            self._queue.push_again(job)
            self._dispatch()
        else:
            self._settle(job, EngineFailed("This photo crashed me twice, so I gave up on it."))

    def _settle(self, job: _Job, outcome: Message | EngineError) -> None:
        if job.answer.done():
            return  # given up by whoever asked
        if isinstance(outcome, Message):
            job.answer.set_result(outcome)
        else:
            job.answer.set_exception(outcome)

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
            self._fail_waiting(_RESTARTING)

    def _give_up(self, reason: WorkerStartFailed) -> None:
        """Stop the pool: nothing will answer any more."""
        self._given_up = True
        self._stopped = f"The engine could not start: {reason}"
        if self._ready and not self._ready.done():
            self._ready.set_exception(EngineFailed(self._stopped))
        self._fail_waiting(self._stopped)

    def _fail_waiting(self, reason: str) -> None:
        for job in self._queue.clear():
            self._settle(job, EngineFailed(reason))

    def _ahead(self, job: _Job) -> int | None:
        return self._queue.ahead(job) + self.running if job in self._queue else None

    def _measure(self, service_s: float) -> None:
        before = service_s if self._service_s is None else self._service_s
        self._service_s = before + _PACE * (service_s - before)

    def _expected_s(self, turns: int) -> float:
        """Seconds until ``turns`` requests are through, at the pace of late."""
        return turns * (self._service_s or 0.0) / max(1, len(self._workers))
