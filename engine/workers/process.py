"""Worker processes of this machine as their supervisor sees them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from engine.workers.backend import Seat, WorkerStartFailed
from engine.workers.channel import ChannelClosed, Message, receive
from engine.workers.sender import Sender

_SECRETS_BEGIN_WITH = "FIELDMARK_"
_GRACE_S = 2.0
_FIRST: Seat = "0"
# NumPy's BLAS would start threads of its own, a third of the time that it takes to import, for
# products of one photo's features that are too small to share.
_ENVIRONMENT = MappingProxyType({"OPENBLAS_NUM_THREADS": "1"})


def _nothing() -> None:
    pass


class ProcessBackend:
    """A fixed number of worker processes of this machine, each running ``module``.

    ``hello`` is the first message every worker gets. ``meanwhile`` is called in a thread while the
    first of them starts, for what this process will need when it has.
    """

    def __init__(
        self,
        module: str,
        hello: Message,
        *,
        workers: int,
        start_timeout_s: float,
        meanwhile: Callable[[], None] = _nothing,
    ) -> None:
        self._module = module
        self._hello = hello
        self._workers = workers
        self._start_timeout_s = start_timeout_s
        self._meanwhile = meanwhile
        self._first_tried = asyncio.Event()

    async def run(self, offer: Callable[[frozenset[Seat]], None]) -> None:
        """Offer a seat for each worker."""
        offer(frozenset(str(number) for number in range(self._workers)))

    async def spawn(self, seat: Seat) -> tuple[WorkerProcess, Message]:
        """Start a process.

        The others wait until the first is up: it has the cores to itself, and members have
        somebody who answers them sooner.

        Raises:
            WorkerStartFailed: it could not be started, died, or was not ready in time.
        """
        if seat != _FIRST:
            await self._first_tried.wait()
        try:
            return await WorkerProcess.spawn(
                self._module,
                self._hello,
                within_s=self._start_timeout_s,
                meanwhile=self._meanwhile if seat == _FIRST else _nothing,
            )
        finally:
            self._first_tried.set()

    async def close(self) -> None:
        """Do nothing: the processes are stopped one by one."""


class WorkerProcess:
    """A Python process that runs ``module`` and answers one message at a time."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._sender = Sender(writer)

    @classmethod
    async def spawn(
        cls,
        module: str,
        hello: Message,
        *,
        within_s: float,
        environment: Mapping[str, str] = MappingProxyType({}),
        meanwhile: Callable[[], None] = _nothing,
    ) -> tuple[WorkerProcess, Message]:
        """Start a process, greet it, and return it with its answer.

        A fresh interpreter, not a fork: a fork after TensorFlow or OpenMP has started
        threads hangs. The environment goes along without Fieldmark's own variables, so
        the bot's token never enters a process that decodes strangers' files; ``environment``
        is what it gets besides. ``meanwhile`` is called in a thread until it answers.

        Raises:
            WorkerStartFailed: the machine has no room for it, it died, or it was not ready in
                ``within_s`` seconds.
        """
        try:
            worker = await cls._launch(module, environment)
            try:
                answer, _ = await asyncio.gather(
                    worker._greet(hello, within_s), asyncio.to_thread(meanwhile)
                )
            except BaseException:
                worker.kill()
                await worker.stop()
                raise
        except (OSError, RuntimeError, MemoryError) as error:
            # Memory, processes, threads or descriptors have run out, which may pass.
            reason = str(error) or type(error).__name__
            raise WorkerStartFailed(f"a worker could not be started ({reason}).") from error
        return worker, answer

    @classmethod
    async def _launch(cls, module: str, environment: Mapping[str, str]) -> WorkerProcess:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_SECRETS_BEGIN_WITH)}
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    module,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    # Ctrl-C in a terminal reaches every process of the group, and whoever else
                    # stops it may signal all; but the engine decides when its workers stop.
                    process_group=0,
                    env={**_ENVIRONMENT, **inherited, **environment},
                )
            try:
                return cls(process, *await asyncio.open_unix_connection(sock=ours))
            except BaseException:
                # One that is gone already cannot be killed, and saying so would hide what happened.
                if process.returncode is None:
                    process.kill()
                await process.wait()
                raise
        except BaseException:
            ours.close()
            raise

    async def _greet(self, hello: Message, within_s: float) -> Message:
        try:
            async with asyncio.timeout(within_s):
                try:
                    return await self.ask(hello)
                except ChannelClosed as error:
                    status = await self._process.wait()
                    raise WorkerStartFailed(
                        f"a worker ended at start with status {status}."
                    ) from error
        except TimeoutError as error:
            raise WorkerStartFailed(f"a worker was not ready after {within_s:.0f} s.") from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def name(self) -> str:
        """What the log calls it."""
        return str(self.pid)

    async def ask(self, request: Message) -> Message:
        """Send a message and wait for the answer.

        Raises:
            ChannelClosed: the process died.
        """
        await self.send(request)
        return await self.receive()

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ChannelClosed: the process died.
        """
        await self._sender.send(message)

    def post(self, message: Message) -> None:
        """Send a small message without waiting until it is on its way."""
        self._sender.post(message)

    async def receive(self) -> Message:
        """Wait for a message.

        Raises:
            ChannelClosed: the process died.
        """
        return await receive(self._reader)

    async def wait(self) -> str:
        """Wait until the process ends; return with which status it did."""
        return f"with status {await self._process.wait()}"

    def kill(self) -> None:
        """End the process now, whatever it does."""
        if self._process.returncode is None:
            # Not by asyncio's own call, which looks first whether it has ended: then nobody else
            # finds out how.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        """End the process: close its channel, and kill it if it does not go by itself."""
        self._writer.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        finally:
            self.kill()  # also where who waits for it is cancelled
        await self._process.wait()
