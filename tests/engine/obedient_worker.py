"""A worker for tests of the pool: speaks the real channel and does what it is told to.

``{"do": "echo"}`` answers with the request's blobs and its own process id, ``"die"`` kills
itself with SIGKILL, ``"die once"`` does so the first time (a file remembers), ``"hang"``
never answers, ``"babble"`` says the request's blob in place of a message, ``"hold"`` answers
when the pipe named by ``until`` is opened, and ``"hold and die once"`` kills itself then, the
first time. ``"leave twice"`` says that it cannot go on, until two files remember it, and
``"exhaust"`` and ``"exhaust once"`` that the request took all memory. Greeted with ``die`` it ends
with status 3, and with ``deaf`` it closes its channel and lives on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from engine.workers.backend import EXHAUSTED, LEAVING, WITHIN_S
from engine.workers.channel import ChannelClosed, Message, read_message, write_message


def obey(request: Message) -> Message:
    order = request.body.get("do", "echo")
    if order == "die" or (order == "die once" and first_time(Path(request.body["remember"]))):
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "hold and die once" and first_time(Path(request.body["remember"])):
        Path(request.body["until"]).read_bytes()
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "leave twice" and any(first_time(Path(p)) for p in request.body["remember"]):
        return Message({LEAVING: "I was told to leave."})
    if order == "exhaust once" and first_time(Path(request.body["remember"])):
        return Message({EXHAUSTED: True})
    if order == "exhaust":
        return Message({EXHAUSTED: True})
    if order == "hang":
        threading.Event().wait()
    if order == "hold":
        # Opening a named pipe blocks until the test opens its other end.
        Path(request.body["until"]).read_bytes()
    body = {
        "pid": os.getpid(),
        "token": os.environ.get("FIELDMARK_TOKEN"),
        "within_s": request.body.get(WITHIN_S),
    }
    return Message(body, request.blobs)


def first_time(memory: Path) -> bool:
    try:
        memory.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def open_worker(hello: Message) -> tuple[Message, Callable[[Message], Message]]:
    if hello.body.get("die"):
        sys.exit(3)
    if hello.body.get("deaf"):
        os.close(int(sys.argv[1]))
        threading.Event().wait()
    return Message({"pid": os.getpid()}), obey


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        stream = cast(BinaryIO, channel.makefile("rwb"))
        ready, answer_to = open_worker(read_message(stream))
        write_message(stream, ready)
        try:
            while True:
                request = read_message(stream)
                if request.body.get("do") == "babble":
                    stream.write(request.blobs[0])
                    stream.flush()
                else:
                    write_message(stream, answer_to(request))
        except ChannelClosed:
            return


if __name__ == "__main__":
    main()
