"""Which processes are whose children, for tests that end one."""

from __future__ import annotations

import contextlib
from pathlib import Path


def parent_of(pid: int) -> int:
    """Return the parent of a process; ``OSError`` where it has ended."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(parent: int) -> list[int]:
    """Return the children of a process that live while this looks."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if parent_of(int(folder.name)) == parent:
                children.append(int(folder.name))
    return children


def title_of(pid: int) -> bytes:
    """Return the command line of a process, nothing where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
