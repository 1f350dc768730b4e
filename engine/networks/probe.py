"""Run modules in a process of its own, so that a runtime can neither leak nor crash into this one.

TensorFlow costs seconds and 500 MB to import, and a module that a converter chokes on may
end its process: both stay on the other side of a socket. This module is both sides; the
far one is ``python -m engine.networks.probe FD``.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from engine.networks.runtime import (
    Images,
    Network,
    NetworkUnreadable,
    RuntimeName,
    choose_output,
    open_network,
)
from engine.precision import Precision
from engine.workers.backend import WorkerStartFailed
from engine.workers.channel import ChannelClosed, Message, read_message, write_message
from engine.workers.process import WorkerProcess

_START_S = 60.0
_ANSWER_S = 300.0


@dataclass(slots=True, kw_only=True)
class Probe:
    """One runtime in a process of its own; use it as an asynchronous context manager.

    The process starts with the first question and again after a module has ended it. What
    the runtime prints goes to ``log``, which each start begins anew.
    """

    runtime: RuntimeName
    log: Path
    precision: Precision = "f32"
    threads: int = 2
    _worker: WorkerProcess | None = field(default=None, init=False)

    async def __aenter__(self) -> Probe:
        """Start nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        await self._stop()

    async def classify(self, folder: Path, images: Images, classes: int) -> NDArray[np.float32]:
        """Run ``(n, h, w, 3)`` uint8; return the ``(n, classes)`` output.

        Raises:
            NetworkUnreadable: this runtime cannot take the module, or has no such output.
        """
        request = Message(
            {"folder": str(folder), "shape": images.shape, "classes": classes},
            (images.tobytes(),),
        )
        try:
            worker = await self._start()
            async with asyncio.timeout(_ANSWER_S):
                answer = await worker.ask(request)
        except (ChannelClosed, WorkerStartFailed) as error:
            await self._stop()
            raise NetworkUnreadable(
                f"The {self.runtime} process died of {folder.name}: {self.log} has its last words."
            ) from error
        except TimeoutError as error:
            await self._stop()
            raise NetworkUnreadable(
                f"The {self.runtime} process was stuck on {folder.name} for {_ANSWER_S:.0f} s."
            ) from error
        if "unreadable" in answer.body:
            raise NetworkUnreadable(answer.body["unreadable"])
        return np.frombuffer(answer.blobs[0], "<f4").reshape(len(images), classes)

    async def _start(self) -> WorkerProcess:
        if self._worker is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            options = {
                "runtime": self.runtime,
                "precision": self.precision,
                "threads": self.threads,
            }
            hello = Message({"log": str(self.log.absolute()), "options": options})
            self._worker, _ = await WorkerProcess.spawn(
                "engine.networks.probe", hello, within_s=_START_S
            )
        return self._worker

    async def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            await worker.stop()


def main() -> None:
    """Answer until the other side closes the channel."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        stream = cast(BinaryIO, channel.makefile("rwb"))
        try:
            _serve(stream)
        except (ChannelClosed, BrokenPipeError):
            return


def _serve(stream: BinaryIO) -> None:
    hello = read_message(stream)
    _print_to(Path(hello.body["log"]))
    write_message(stream, hello)
    answering = _Answering(hello.body["options"])
    while True:
        write_message(stream, answering.answer(read_message(stream)))


def _print_to(log: Path) -> None:
    """Send what this process prints, native code included, to a file."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


class _Answering:
    """The far side: keeps the last module open, because photos come in batches."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._folder: str | None = None
        self._network: Network | None = None

    def answer(self, request: Message) -> Message:
        body = request.body
        images = np.frombuffer(request.blobs[0], np.uint8).reshape(body["shape"])
        try:
            probabilities = choose_output(self._open(body["folder"])(images), body["classes"])
        except NetworkUnreadable as error:
            return Message({"unreadable": str(error)})
        return Message({}, (np.ascontiguousarray(probabilities, "<f4").tobytes(),))

    def _open(self, folder: str) -> Network:
        if self._network is None or folder != self._folder:
            self._network = open_network(Path(folder), **self._options)
            self._folder = folder
        return self._network


if __name__ == "__main__":
    main()
