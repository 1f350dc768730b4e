"""One bot for each database: a second would answer every photo once more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.database import StoreError
from bot.private_file import create_private


@contextmanager
def only_bot(database: Path) -> Iterator[None]:
    """Keep other bots from the database at ``database`` meanwhile.

    A lock of the system's on a file beside it: it goes with the process, however that ends,
    and holds between containers that share a volume.

    Raises:
        StoreError: another bot has it, or the file cannot be made or locked.
    """
    path = database.with_suffix(".lock")
    try:
        create_private(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"The file {path} cannot be opened ({error}): check [store] path and its permissions."
        ) from None
    try:
        _lock(descriptor, database)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, database: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"Another Fieldmark is running with the database {database}: stop that one, or set"
            " [store] path to a file of this one's own."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The file beside the database {database} cannot be locked ({error}): set [store] path"
            " to a file on a disk that knows locks."
        ) from None
