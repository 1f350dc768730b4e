"""A pool of worker processes: admission, deadlines, and recovery from crashes.

The supervisor is small because nothing that exists does all of it (docs/decisions.md):
one queue with a limit; a worker that hangs is killed and replaced; a request whose worker
died is tried once more on another; workers that keep dying at start stop the pool instead
of spinning.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, field

from engine.channel import ChannelClosed, Message
from engine.contracts import EngineBusy, EngineError, EngineFailed, EngineTimeout
from engine.process import WorkerProcess, WorkerStartFailed

log = logging.getLogger(__name__)

_STARTS_BEFORE_GIVING_UP = 3
_RESTART_DELAY_S = 0.5
_ATTEMPTS = 2
_STOPPING = "Fieldmark is shutting down. Please try again in a minute."


@dataclass(slots=True, eq=False)
class _Job:
    request: Message
    answer: asyncio.Future[Message]
    attempts: int = 0
    queued_s: float = 0.0
    admitted: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class WorkerPool:
    """Hands requests to worker processes, one at a time each.

    ``hello`` is the first message every worker gets; what it answers is ``ready``.
    """

    def __init__(
        self,
        module: str,
        hello: Message,
        *,
        workers: int,
        queue_limit: int,
        deadline_s: float,
        stuck_after_s: float,
        start_timeout_s: float,
    ) -> None:
        self._module = module
        self._hello = hello
        self._workers = workers
        self._queue_limit = queue_limit
        self._deadline_s = deadline_s
        self._stuck_after_s = stuck_after_s
        self._start_timeout_s = start_timeout_s
        self._waiting: deque[_Job] = deque()
        self._idle: deque[WorkerProcess] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._tenders: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Future[Message] | None = None
        self._stopped: str | None = None
        self._service_s = 0.1
        self.pids: set[int] = set()
        """Process ids of the workers alive now, for monitoring."""

    @property
    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many requests a worker is at."""
        return len(self._running)

    async def start(self) -> Message:
        """Spawn the workers; return what the first one ready said of itself.

        Raises:
            EngineFailed: every worker died at start, again and again.
        """
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._tenders = {asyncio.create_task(self._tend()) for _ in range(self._workers)}
        return await asyncio.shield(self._ready)

    async def submit(self, request: Message) -> tuple[Message, float]:
        """Have a worker answer ``request``; return the answer and the seconds it waited.

        Raises:
            EngineBusy: too many requests are waiting.
            EngineTimeout: no answer before the deadline.
            EngineFailed: two workers died on this request, or the pool has stopped.
        """
        if self._stopped:
            raise EngineFailed(self._stopped)
        if len(self._waiting) >= self._queue_limit:
            raise EngineBusy(self._expected_wait())
        job = _Job(request, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._dispatch()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await job.answer, job.queued_s
        except TimeoutError as error:
            raise EngineTimeout(
                "That took too long, so I stopped. Please try again in a moment."
            ) from error
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)

    async def close(self, drain_s: float) -> None:
        """Take nothing new, let what runs finish for ``drain_s`` seconds, then stop."""
        self._stopped = self._stopped or _STOPPING
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                while self._running or (self._waiting and self.pids):
                    await asyncio.wait(self._running or self._tenders, timeout=0.1)
        self._fail_waiting(self._stopped)
        tasks = [*self._tenders, *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tend(self) -> None:
        """Keep one worker alive: spawn it, watch it, replace it when it dies."""
        failures = 0
        while True:
            try:
                worker, ready = await WorkerProcess.spawn(
                    self._module, self._hello, within_s=self._start_timeout_s
                )
            except WorkerStartFailed as error:
                failures += 1
                log.error("A worker did not start (%d): %s", failures, error)  # noqa: TRY400
                if failures == _STARTS_BEFORE_GIVING_UP:
                    return self._give_up(error)
                await asyncio.sleep(_RESTART_DELAY_S * failures)
            else:
                failures = 0
                await self._watch(worker, ready)

    async def _watch(self, worker: WorkerProcess, ready: Message) -> None:
        self.pids.add(worker.pid)
        if self._ready and not self._ready.done():
            self._ready.set_result(ready)
        self._idle.append(worker)
        self._dispatch()
        try:
            status = await worker.wait()
            log.warning("Worker %d ended with status %d; starting another.", worker.pid, status)
        finally:
            self.pids.discard(worker.pid)
            with contextlib.suppress(ValueError):
                self._idle.remove(worker)
            await worker.stop()

    def _dispatch(self) -> None:
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            if job.answer.done():
                continue
            task = asyncio.create_task(self._run(self._idle.popleft(), job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, worker: WorkerProcess, job: _Job) -> None:
        started = asyncio.get_running_loop().time()
        job.attempts += 1
        job.queued_s = started - job.admitted
        try:
            async with asyncio.timeout(self._stuck_after_s):
                answer = await worker.ask(job.request)
        except TimeoutError:
            log.error("Worker %d was stuck; killing it.", worker.pid)  # noqa: TRY400
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
            self._service_s += 0.1 * (asyncio.get_running_loop().time() - started - self._service_s)
            self._settle(job, answer)
            self._idle.append(worker)
            self._dispatch()

    def _retry(self, worker: WorkerProcess, job: _Job) -> None:
        log.error("Worker %d died on a request (attempt %d).", worker.pid, job.attempts)
        if job.attempts < _ATTEMPTS and not self._stopped:
            self._waiting.appendleft(job)
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

    def _give_up(self, reason: WorkerStartFailed) -> None:
        """Stop the pool if this was the last slot that still tried to start a worker."""
        if sum(not tender.done() for tender in self._tenders) > 1:
            return
        self._stopped = f"The engine could not start: {reason}"
        if self._ready and not self._ready.done():
            self._ready.set_exception(EngineFailed(self._stopped))
        self._fail_waiting(self._stopped)

    def _fail_waiting(self, reason: str) -> None:
        for job in self._waiting:
            self._settle(job, EngineFailed(reason))
        self._waiting.clear()

    def _expected_wait(self) -> float:
        """Seconds until the queue, at the pace of late, has room; at least one."""
        return max(1.0, len(self._waiting) * self._service_s / self._workers)
