"""One at a time: the lock of a folder, which the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.contracts import EngineError

_LOCK = "lock"


class IndexBusy(EngineError):
    """Another process is at work in the folder; ``str`` is one sentence for people."""


@contextmanager
def folder_locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of ``folder``; with ``wait``, wait for one's turn.

    Raises:
        IndexBusy: another process holds it.
        OSError: the folder cannot be written.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise IndexBusy(
                f"Another process is at work in {folder}: try again when it is done."
            ) from error
        yield
    finally:
        os.close(descriptor)
