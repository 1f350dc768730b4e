"""What processes hold of memory and have used of the processor, told by ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def resident_mb(pids: Iterable[int]) -> float:
    """Return the proportional set size (PSS) of processes together, in MiB.

    A page that two processes have mapped counts half for each.
    """
    return sum(_pss_kb(pid) for pid in pids) / 1024


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return how long processes have kept a core busy so far, all their threads together."""
    ticks = sum(int(field) for pid in pids for field in _stat_fields(_PROC / str(pid))[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> frozenset[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            parent = int(_stat_fields(stat.parent)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        children.setdefault(parent, []).append(int(stat.parent.name))
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


def _stat_fields(process: Path) -> list[str]:
    """Return the fields of ``stat`` from the state on; the name before them may hold anything."""
    text = (process / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()
