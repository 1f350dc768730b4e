"""The cluster of ``tests.engine.ray_nodes`` as a test sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.engine.process_tree import title_of

ROOT = Path(__file__).parent.parent.parent


class Nodes:
    """A cluster in processes of its own; ``address`` is its head's."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.ray_nodes", "2"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address = self._read()
        assert ":" in self.address

    def add(self) -> None:
        self._order("add")

    def lose(self, pid: int) -> None:
        """Kill the node whose actor has the process id ``pid``."""
        self._order(f"lose {pid}")

    def shards(self) -> set[int]:
        """Return the process ids of the actors that are shards of an index."""
        return {pid for pid in session_of(self.process.pid) if b"IndexShard" in title_of(pid)}

    def _order(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        assert self._read() == "done"

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> set[int]:
        """End the cluster; return what did not go with it, which is killed now."""
        try:
            self.process.communicate(timeout=30)
            return {pid for pid in session_of(self.process.pid) if not gone(pid, within_s=5)}
        finally:
            for pid in session_of(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def session_of(leader: int) -> set[int]:
    """Return the process ids of a session that are alive."""
    members = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, _, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                members.add(int(stat.parent.name))
    return members


def gone(pid: int, *, within_s: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)
