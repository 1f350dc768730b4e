"""A race: contestants take turns, each turn a fresh process alone on the machine.

Turns go A B C A B C, so that what else the machine does at times falls on all alike. A fresh
process each turn makes every one of them a cold start. A contestant of several workers shares
its libraries among those, and memory that is shared counts in equal parts for each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from engine import EngineError
from tools.bench.material import ChosenPhotos, Contestant
from tools.bench.processes import cpu_seconds, family, resident_mb

AT_ONCE = (1, 4, 16, 64)
MOST_AT_ONCE = max(AT_ONCE)
_WARM_UPS = 8
_PHONE_PHOTOS = 12
_PHONE_PHOTOS_AT_ONCE = 4


class ContestantFailed(EngineError):
    """A contestant died or did not start; ``str`` says which, and the last that it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often is measured.

    Each contestant takes ``turns``. A turn asks about ``alone`` photos one at a time, and under
    each load makes ``together`` requests, or twice as many as are under way, if that is more.
    """

    turns: int
    alone: int
    together: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Many requests at once: ``seconds`` of those answered, and how many were not.

    ``longest_block_s`` is how long the event loop stood still at most, where that was watched.
    """

    wall_s: float
    seconds: tuple[float, ...]
    lost: int
    problems: tuple[str, ...]
    longest_block_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn measured. ``names`` are the answers to the photos asked about alone.

    ``cpu_s`` is how long each of those kept a core busy. ``phone_s`` and ``phone_load`` are of
    photos as phones take them, ``phone_watched`` too: a load for the sake of the event loop.
    """

    runtime: str
    cold_start_s: float
    worker_mb: float
    all_mb: float
    cpu_s: float
    alone_s: tuple[float, ...]
    phone_s: tuple[float, ...]
    names: tuple[str, ...]
    loads: dict[int, Load]
    phone_load: Load
    phone_watched: Load


def race(
    contestants: dict[str, Contestant], photos: ChosenPhotos, plan: Plan, work: Path
) -> Iterator[tuple[str, Turn]]:
    """Yield each contestant's turns, in the order in which they are taken.

    Raises:
        ContestantFailed: one of them cannot take its turn.
    """
    for _ in range(plan.turns):
        for name, contestant in contestants.items():
            with _started(name, contestant, (*photos.small, *photos.phone), work) as running:
                yield name, _take_turn(running, len(photos.small), len(photos.phone), plan)


def _take_turn(running: _Running, small: int, phone: int, plan: Plan) -> Turn:
    around = [position % small for position in range(max(plan.alone, _WARM_UPS))]
    phones = [small + position for position in range(phone)]
    running.order(do="settle")
    running.order(do="alone", photos=around[:_WARM_UPS])
    said = running.order(do="workers")
    workers = said["workers"]
    worker_mb = resident_mb(workers) / len(workers)
    everyone = family(running.pid)
    all_mb = resident_mb(everyone)
    before = cpu_seconds(everyone)
    alone = running.order(do="alone", photos=around[: plan.alone])
    cpu_s = (cpu_seconds(everyone) - before) / len(alone["seconds"])
    loads = {
        at_once: _take_load(
            running,
            range(small),
            at_once,
            max(plan.together, 2 * at_once),
            # Under the greatest load alone, because to watch an event loop slows it down.
            watched=at_once == MOST_AT_ONCE,
        )
        for at_once in AT_ONCE
    }
    many = max(phone, min(plan.together, _PHONE_PHOTOS))
    phone_alone = running.order(do="alone", photos=[phones[n % phone] for n in range(many)])
    phone_load, phone_watched = (
        _take_load(running, phones, _PHONE_PHOTOS_AT_ONCE, 2 * many, watched=watched)
        for watched in (False, True)
    )
    return Turn(
        runtime=said["runtime"],
        cold_start_s=running.cold_start_s,
        worker_mb=worker_mb,
        all_mb=all_mb,
        cpu_s=cpu_s,
        alone_s=tuple(alone["seconds"]),
        phone_s=tuple(phone_alone["seconds"]),
        names=tuple(alone["names"]),
        loads=loads,
        phone_load=phone_load,
        phone_watched=phone_watched,
    )


def _take_load(
    running: _Running, photos: Sequence[int], at_once: int, requests: int, *, watched: bool
) -> Load:
    done = running.order(
        do="together",
        photos=list(photos),
        at_once=at_once,
        requests=requests,
        watched=watched,
    )
    return Load(
        wall_s=done["wall_s"],
        seconds=tuple(done["seconds"]),
        lost=done["lost"],
        problems=tuple(done["problems"]),
        longest_block_s=done["longest_block_s"],
    )


class _Running:
    """A contestant's process that has answered its first photo."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        begun = time.perf_counter()
        self._name = name
        self._process = process
        self._orders, self._answers = cast(TextIO, process.stdin), cast(TextIO, process.stdout)
        self._log = log
        self._read()
        self.cold_start_s = time.perf_counter() - begun

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, **order: Any) -> dict[str, Any]:
        try:
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        except BrokenPipeError as error:
            raise self._failed() from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise self._failed()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self) -> ContestantFailed:
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return ContestantFailed(f"{self._name} ended: {said[-1] if said else 'it said nothing'}")


@contextmanager
def _started(
    name: str, contestant: Contestant, photos: Sequence[Path], work: Path
) -> Iterator[_Running]:
    spec, log = work / "spec.json", work / "contestant.log"
    spec.write_text(
        json.dumps(
            {
                "way": contestant.way,
                "options": contestant.options,
                "photos": [str(path.resolve()) for path in photos],
            }
        ),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "tools.bench.contestant", str(spec)]
    with (
        log.open("w", encoding="utf-8") as said,
        # Our own interpreter and module; nothing of it comes from outside.
        subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        try:
            yield _Running(name, process, log)
        except BaseException:
            process.kill()
            raise
