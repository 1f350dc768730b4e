"""A worker process: opens the networks, then answers one request at a time.

Run as ``python -m engine.worker FD``, where FD is its end of a socket pair. The first
message holds the settings; the answer to it says which networks are open.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, BinaryIO, cast

from engine.network import begin_networks
from engine.workers.channel import ChannelClosed, Message, read_message, write_message
from engine.workers.encoding import decode_settings, encode_models

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.worker")

_STATUS = Path("/proc/self/status")
_LARGEST_LIMIT = 2**63 - 1  # all that the system's number for it holds
_LONGEST_SLEEP_S = 86_400.0  # for ever, as far as a thread is concerned that may be told "inf"


def main() -> None:
    """Serve until the other side closes the channel."""
    # Results travel on the channel; what a library prints must not mix with the CLI's output.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        stream = channel.makefile("rwb")
        try:
            _serve(cast(BinaryIO, stream))
        except (ChannelClosed, BrokenPipeError):
            return


def _serve(stream: BinaryIO) -> None:
    ready, answer_to = open_worker(read_message(stream))
    write_message(stream, ready)
    while True:
        write_message(stream, answer_to(read_message(stream)))


def open_worker(hello: Message) -> tuple[Message, Callable[[Message], Message]]:
    """Open the networks; return what is to be said of them, and what answers requests.

    From here on this process may grow only as far as its settings let it.
    """
    settings = decode_settings(hello)
    networks = begin_networks(settings)
    # Imported while the networks are compiled, as are the taxa read: that needs no interpreter.
    from engine.answering import answer, warm_up
    from engine.pipeline import Pipeline

    pipeline = Pipeline(settings, networks)
    warm_up(pipeline)
    _give_back_memory()
    _cap_memory(settings.decode_memory_mb)
    if settings.unload_after_s:
        idle = (pipeline, settings.unload_after_s)
        Thread(target=_unload_idle, args=idle, name="unloads networks", daemon=True).start()
    return encode_models(pipeline.models), partial(answer, pipeline)


def _unload_idle(pipeline: Pipeline, after_s: float) -> None:
    """Let go of networks that nobody asked for, for as long as this process lives."""
    while True:
        sleep(min(after_s / 2, _LONGEST_SLEEP_S))
        if pipeline.let_go(after_s):
            _give_back_memory()


def _give_back_memory() -> None:
    """Give what was freed, as after networks were opened, from the allocator to the system.

    Glibc's allocator keeps it for itself until it is told; others have no such call.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _cap_memory(headroom_mb: int) -> None:
    """Let this process grow by ``headroom_mb`` MiB and no more: a bomb gets a MemoryError."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        log.warning("This system does not say how much memory a process has; no limit is set.")
        return
    (held_kb,) = (int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    largest = _LARGEST_LIMIT if most == resource.RLIM_INFINITY else most
    limit = min(held_kb * 1024 + headroom_mb * 1024 * 1024, largest)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main()
