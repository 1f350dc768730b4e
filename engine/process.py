"""One worker process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from engine.channel import ChannelClosed, Message, receive, send

_SECRETS_BEGIN_WITH = "FIELDMARK_"
_GRACE_S = 2.0


class WorkerStartFailed(Exception):
    """The worker ended or said nothing before it was ready."""


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

    @classmethod
    async def spawn(
        cls, module: str, hello: Message, *, within_s: float
    ) -> tuple[WorkerProcess, Message]:
        """Start a process, greet it, and return it with its answer.

        A fresh interpreter, not a fork: a fork after TensorFlow or OpenMP has started
        threads hangs. The environment goes along without Fieldmark's own variables, so
        the bot's token never enters a process that decodes strangers' files.

        Raises:
            WorkerStartFailed: it died, or was not ready ``within_s`` seconds.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={k: v for k, v in os.environ.items() if not k.startswith(_SECRETS_BEGIN_WITH)},
            )
        worker = cls(process, *await asyncio.open_unix_connection(sock=ours))
        try:
            return worker, await worker._greet(hello, within_s)
        except BaseException:
            worker.kill()
            await worker.stop()
            raise

    async def _greet(self, hello: Message, within_s: float) -> Message:
        try:
            async with asyncio.timeout(within_s):
                return await self.ask(hello)
        except ChannelClosed as error:
            status = await self._process.wait()
            raise WorkerStartFailed(f"a worker ended at start with status {status}.") from error
        except TimeoutError as error:
            raise WorkerStartFailed(f"a worker was not ready after {within_s:.0f} s.") from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def ask(self, request: Message) -> Message:
        """Send a message and wait for the answer.

        Raises:
            ChannelClosed: the process died.
        """
        await send(self._writer, request)
        return await receive(self._reader)

    async def wait(self) -> int:
        """Wait until the process ends; return its exit status."""
        return await self._process.wait()

    def kill(self) -> None:
        """End the process now, whatever it does."""
        if self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End the process: close its channel, and kill it if it does not go by itself."""
        self._writer.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
