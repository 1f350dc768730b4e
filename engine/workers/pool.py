"""A pool of workers: admission, deadlines, and recovery from crashes.

The supervisor is ours because nothing that exists does all of it (docs/decisions.md):
one bounded queue in which everybody gets a turn; a worker that hangs is killed; a request whose
worker died is tried once more on another. That there are workers is the business of
``engine.workers.staff``, and what they are the backend's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, field

from engine.contracts import EngineBusy, EngineError, EngineFailed, EngineTimeout, Requester
from engine.workers.admission import FairQueue, Ticket
from engine.workers.backend import EXHAUSTED, LEAVING, PING, WITHIN_S, Backend, Worker
from engine.workers.channel import ChannelClosed, Message
from engine.workers.staff import Staff

log = logging.getLogger(__name__)

_ATTEMPTS = 2
_PACE = 0.1  # the weight of the newest request in the average of how long one takes
_START_S = 10.0  # who finds no worker at all is told that one takes so long to start
_MIB = 1024 * 1024
_STOPPING = "Fieldmark is shutting down. Please try again in a minute."


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
        self._staff = Staff(backend, comes=self._employ, goes=self._miss, lacks=self._fail_waiting)
        self._deadline_s = deadline_s
        self._stuck_after_s = stuck_after_s
        self._queue: FairQueue[_Job] = FairQueue(queue_limit, queue_mb * _MIB)
        self._unanswered: set[_Job] = set()
        self._idle: deque[Worker] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False
        self._service_s: float | None = None

    @property
    def pids(self) -> set[int]:
        """Process ids of the workers alive now, each on its machine, for monitoring."""
        return {worker.pid for worker in self._staff.workers}

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
        return await self._staff.start()

    def check_room(self, requester: Requester | None, size: int = 0) -> None:
        """Refuse what would be refused now, before anything is done for it.

        ``size`` is in bytes, 0 where it is not known yet.

        Raises:
            EngineBusy: too many requests are waiting, in all or of the requester's.
            EngineFailed: no worker can be started at present, or the pool has stopped.
        """
        if reason := _STOPPING if self._closing else self._staff.lack:
            raise EngineFailed(reason)
        if refusal := self._queue.refusal(requester, size):
            least_s = 1.0 if self._staff.workers else _START_S
            raise EngineBusy(max(least_s, self._expected_s(refusal.turns)), refusal.reason)

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
        self._unanswered.add(job)
        self._dispatch()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await job.answer, job.queued_s
        except TimeoutError as error:
            raise EngineTimeout(
                "That took too long, so I stopped. Please try again in a moment."
            ) from error
        finally:
            self._unanswered.discard(job)
            self._queue.remove(job)

    async def close(self, drain_s: float) -> None:
        """Take nothing new, let what runs finish for ``drain_s`` seconds, then stop."""
        self._closing = True
        if self._unanswered and (self._running or self._staff.is_expected):
            await asyncio.wait([job.answer for job in self._unanswered], timeout=drain_s)
        self._queue.clear()
        # Those of the tasks below too, of which one may not even have begun.
        for job in self._unanswered:
            self._settle(job, EngineFailed(_STOPPING))
        for task in self._running:
            task.cancel()
        await self._staff.close(_STOPPING)
        await asyncio.gather(*self._running, return_exceptions=True)

    def _employ(self, worker: Worker) -> None:
        self._idle.append(worker)
        self._dispatch()

    def _miss(self, worker: Worker) -> None:
        with contextlib.suppress(ValueError):  # it died at work
            self._idle.remove(worker)

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
            if worker in self._staff.workers:  # it may have died once the answer was on its way
                # Before whoever asked unpacks the answer: the worker would wait for that.
                self._employ(worker)
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
        if job.attempts < _ATTEMPTS:
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
        return turns * (self._service_s or 0.0) / max(1, len(self._staff.workers))
