"""How much memory processes hold, counted so that what they share counts once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def resident_mb(pids: Iterable[int]) -> float:
    """Return the proportional set size (PSS) of processes together, in MiB.

    A page that two processes have mapped counts half for each.
    """
    return sum(_pss_kb(pid) for pid in pids) / 1024


def family(pid: int) -> frozenset[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; the parent is the second field after it.
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        children.setdefault(int(after_name.split()[1]), []).append(int(stat.parent.name))
    found, next_ones = {pid}, [pid]
    while next_ones:
        own = children.get(next_ones.pop(), [])
        found.update(own)
        next_ones.extend(own)
    return frozenset(found)


def _pss_kb(pid: int) -> int:
    rollup = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8")
    (line,) = (line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1])
