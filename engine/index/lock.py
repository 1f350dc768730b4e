"""One at a time: the lock of a folder, which the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.contracts import EngineError

_LOCK = "lock"
PATIENCE_S = 2.0
"""How long a lesson waits for another's, and so occupies a worker."""
_LOOK_AGAIN_S = 0.02


class IndexBusy(EngineError):
    """Another process is at work on the index; ``str`` is one sentence for people."""


@contextmanager
def folder_locked(folder: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of ``folder``; wait for one's turn for ``wait_s`` seconds.

    Raises:
        IndexBusy: another process holds it, and held it all the time.
        OSError: the folder cannot be written.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, time.monotonic() + wait_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            # The system could wait for it, but for no limited time.
            if time.monotonic() >= until:
                raise IndexBusy(
                    "Another process is at work on the index: try again when it is done."
                ) from error
            time.sleep(_LOOK_AGAIN_S)
        else:
            return
