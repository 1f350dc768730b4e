"""One way to name photos, in a process of its own: ``python -m tools.bench.contestant SPEC``.

``SPEC`` is a JSON file: ``way`` names one of ``WAYS``, ``options`` are its arguments, and
``photos`` the files to ask about. The first line that this process prints says that it has
answered a photo; after that it carries out one order a line: photos one after another, or many
at once, or to say which of its processes hold a network, and what runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from tools.bench.ways import WAYS, Way

_TICK_S = 0.001


async def serve(spec: dict[str, Any], orders: TextIO, answers: TextIO) -> None:
    """Start, answer the first photo, and carry out orders until there are no more."""
    way: Way = WAYS[spec["way"]](**spec["options"])
    paths = [Path(path) for path in spec["photos"]]
    first = paths[0].read_bytes()
    await way.start()
    try:
        _say(answers, {"first": await way.identify(first)})
        photos = [path.read_bytes() for path in paths]
        while line := await asyncio.to_thread(orders.readline):
            _say(answers, await _carry_out(way, photos, json.loads(line)))
    finally:
        await way.close()


async def _carry_out(way: Way, photos: list[bytes], order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "alone":
            return await _alone(way, [photos[position] for position in order["photos"]])
        case "settle":
            await way.settle()
            return {}
        case "together":
            chosen = [photos[position] for position in order["photos"]]
            return await _together(
                way, chosen, order["at_once"], order["requests"], watched=order["watched"]
            )
        case _:
            return {"workers": sorted(way.worker_pids()), "runtime": way.runtime()}


async def _alone(way: Way, photos: list[bytes]) -> dict[str, Any]:
    seconds, names = [], []
    for photo in photos:
        begun = time.perf_counter()
        names.append(await way.identify(photo))
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "names": names}


async def _together(
    way: Way, photos: list[bytes], at_once: int, requests: int, *, watched: bool
) -> dict[str, Any]:
    """Keep ``at_once`` requests under way until ``requests`` have been answered.

    Where it is ``watched`` how long the event loop stood still is measured too, which takes a
    part of a core.
    """
    seconds: list[float] = []
    problems: list[str] = []
    turns = iter(range(requests))

    async def client() -> None:
        for turn in turns:
            begun = time.perf_counter()
            await asyncio.sleep(0)  # who blocks the event loop keeps the others waiting
            try:
                await way.identify(photos[turn % len(photos)])
            # Whatever a library raises, the request is lost, and that is what is counted.
            except Exception as error:  # noqa: BLE001
                problems.append(repr(error))
            else:
                seconds.append(time.perf_counter() - begun)

    with _longest_block() if watched else nullcontext() as block:
        begun = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(at_once)))
        wall_s = time.perf_counter() - begun
        await asyncio.sleep(2 * _TICK_S)  # a block that has just ended is seen now
    return {
        "wall_s": wall_s,
        "seconds": seconds,
        "lost": requests - len(seconds),
        "problems": sorted(set(problems)),
        "longest_block_s": None if block is None else max(block),
    }


@contextmanager
def _longest_block() -> Iterator[list[float]]:
    """Tick on this event loop; give the delays of the ticks."""
    delays: list[float] = [0.0]

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            delays.append(time.perf_counter() - begun - _TICK_S)

    ticking = asyncio.create_task(tick())
    try:
        yield delays
    finally:
        ticking.cancel()


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main() -> None:
    """Serve on standard input and output; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(serve(spec, sys.stdin, answers))


if __name__ == "__main__":
    main()
