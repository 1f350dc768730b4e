"""Kill a change to an index at each of its lines in turn: ``python -m ... CHANGE BASE CASES``.

For the n-th line of the writer's own modules that the change comes to, a copy of the index
is made and a forked process makes the change and dies, without any clean-up, when it comes
there. Line by line is finer than any list of steps, and needs no hook in the code. Cases in
which the disk looks as it did a line before are dropped.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import engine.index.change
import engine.index.segment_builder
import engine.index.writer
from engine.index import lock, manifest
from engine.index.writer import IndexWriter
from tests.engine.small_index import EMBEDDER, references, species, units

KILLED, DONE = 9, 0
_MODULES = (
    engine.index.change,
    engine.index.writer,
    engine.index.segment_builder,
    lock,
    manifest,
)
_FILES = frozenset(module.__file__ for module in _MODULES)

CHANGES: dict[str, Callable[[IndexWriter], object]] = {
    "add": lambda writer: writer.add(units(6, seed=9), references("new", [7, 7, 7, 8, 8, 1])),
    "forget": lambda writer: writer.forget("b0"),
    "remove": lambda writer: writer.remove(species(1)),
    "compact": lambda writer: writer.compact(),
}


def die_at_line(number: int) -> None:
    """Trace this process, and end it when it comes to the ``number``-th line for the first time."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in _FILES:
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == number:
                os._exit(KILLED)
        return trace

    sys.settrace(trace)


def kill_everywhere(change: str, base: Path, cases: Path) -> int:
    """Return how many lines there were; a case is left for each that changed what is on the disk.

    The last case is that of the change made whole.
    """
    number, before = 0, look_of(base)
    while True:
        number += 1
        case = cases / f"{number:03d}"
        shutil.copytree(base, case)
        child = os.fork()
        if child == 0:
            writer = IndexWriter(case, embedder=EMBEDDER)
            die_at_line(number)
            CHANGES[change](writer)
            os._exit(DONE)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == DONE:
            return number - 1
        if status != KILLED:
            raise SystemExit(f"the writer ended with {status} at line {number}")
        after = look_of(case)
        if number > 1 and after == before:
            shutil.rmtree(case)
        before = after


def look_of(folder: Path) -> list[tuple[str, int]]:
    """Return the files of an index with their sizes, whatever its segments are called."""
    segments = sorted(path.name for path in (folder / "segments").iterdir())
    return sorted(
        (
            "/".join(
                str(segments.index(part)) if part in segments else part
                for part in path.relative_to(folder).parts
            ),
            path.stat().st_size,
        )
        for path in folder.rglob("*")
    )


if __name__ == "__main__":
    print(kill_everywhere(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))  # noqa: T201
