"""Files that only the bot's account may read: what it keeps is nobody else's business."""

from __future__ import annotations

import contextlib
from pathlib import Path


def create_private(path: Path) -> None:
    """Make an empty file at ``path``, and its folder, where there is none.

    A database is made so before SQLite opens it, which gives the files that it puts beside it
    (``-wal``, ``-shm``) the same mode. What is there already is left as it is.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened where it is there: closing it would drop the locks of other connections.
    with contextlib.suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)
