"""From what turns measured to the figures of a comparison: medians, p99, ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.bench.race import AT_ONCE, MOST_AT_ONCE, Load, Turn

Ratios = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """``photos_per_s`` is the median of the turns; the latencies are of all turns together."""

    photos_per_s: float
    p50_ms: float
    p99_ms: float
    answered: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFigures:
    """What one contestant's turns came to.

    Latency is from a photo's bytes to the answer, one at a time; ``phone`` figures are of photos of
    4,000 pixels, four at once for the throughput. ``core_ms_per_photo`` is how long a photo keeps a
    core busy. ``throughput_per_s`` is the best of the loads. ``p99_over_ideal`` is the p99 with 64
    requests at once over 64 times the median latency by cores. ``longest_block_ms`` is the longest
    that the event loop stood still with 64 at once, in the median turn and in the worst;
    ``phone_longest_block_ms`` the longest in any turn with four phone photos at once. Memory is
    PSS: of a process that holds a network, and of all the contestant's processes. ``cold_start_s``
    is from the start of the process to the first answer, of an installation that ran before: ours
    compiles its network in the first turn, and finds it on disk in the others.
    ``same_answer_as_original`` is the share of the photos that are given any species: ours gives
    none where a network is sure of ``background``.
    """

    runtime: str
    turns: int
    latency_p50_ms: float
    latency_p99_ms: float
    phone_latency_p50_ms: float
    phone_throughput_per_s: float
    core_ms_per_photo: float
    loads: dict[str, LoadFigures]
    throughput_per_s: float
    p99_over_ideal: float
    longest_block_ms: float
    longest_block_worst_ms: float
    phone_longest_block_ms: float
    worker_mb: float
    all_mb: float
    cold_start_s: float
    same_answer_as_original: float | None
    problems: list[str]


def summarise(turns: Sequence[Turn], original: Sequence[Turn] | None, cores: int) -> WayFigures:
    """Sum up one contestant's turns; ``original`` are those to compare its answers with."""
    alone = [s for turn in turns for s in turn.alone_s]
    loads = {str(at_once): _load(turns, at_once) for at_once in AT_ONCE}
    p50_ms = 1000 * statistics.median(alone)
    blocks = _blocks_ms(turn.loads[MOST_AT_ONCE] for turn in turns)
    return WayFigures(
        runtime=turns[0].runtime,
        turns=len(turns),
        latency_p50_ms=round(p50_ms, 2),
        latency_p99_ms=round(1000 * percentile(alone, 99), 2),
        phone_latency_p50_ms=round(
            1000 * statistics.median(s for turn in turns for s in turn.phone_s), 1
        ),
        phone_throughput_per_s=round(
            statistics.median(len(t.phone_load.seconds) / t.phone_load.wall_s for t in turns), 1
        ),
        core_ms_per_photo=round(1000 * statistics.median(turn.cpu_s for turn in turns), 1),
        loads=loads,
        throughput_per_s=max(load.photos_per_s for load in loads.values()),
        p99_over_ideal=round(loads[str(MOST_AT_ONCE)].p99_ms / (MOST_AT_ONCE * p50_ms / cores), 2),
        longest_block_ms=round(statistics.median(blocks), 1),
        longest_block_worst_ms=round(max(blocks), 1),
        phone_longest_block_ms=round(max(_blocks_ms(turn.phone_watched for turn in turns)), 1),
        worker_mb=round(statistics.median(turn.worker_mb for turn in turns), 1),
        all_mb=round(statistics.median(turn.all_mb for turn in turns), 1),
        cold_start_s=round(statistics.median(turn.cold_start_s for turn in turns), 2),
        same_answer_as_original=None if original is None else _same(turns[0], original[0]),
        problems=sorted(
            {
                problem
                for turn in turns
                for load in (*turn.loads.values(), turn.phone_load, turn.phone_watched)
                for problem in load.problems
            }
        ),
    )


def ratios(theirs: WayFigures, ours: WayFigures) -> Ratios:
    """Return how many times better ours is: more is better in each."""
    return {
        "latency_p50": round(theirs.latency_p50_ms / ours.latency_p50_ms, 2),
        "throughput": round(ours.throughput_per_s / theirs.throughput_per_s, 2),
        "phone_latency_p50": round(theirs.phone_latency_p50_ms / ours.phone_latency_p50_ms, 2),
        "phone_throughput": round(ours.phone_throughput_per_s / theirs.phone_throughput_per_s, 2),
        "worker_memory": round(theirs.worker_mb / ours.worker_mb, 2),
        "cold_start": round(theirs.cold_start_s / ours.cold_start_s, 2),
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that ``percent`` of all do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _load(turns: Sequence[Turn], at_once: int) -> LoadFigures:
    loads = [turn.loads[at_once] for turn in turns]
    seconds = [s for load in loads for s in load.seconds] or [math.inf]
    return LoadFigures(
        photos_per_s=round(statistics.median(len(o.seconds) / o.wall_s for o in loads), 1),
        p50_ms=round(1000 * statistics.median(seconds), 1),
        p99_ms=round(1000 * percentile(seconds, 99), 1),
        answered=sum(len(load.seconds) for load in loads),
        lost=sum(load.lost for load in loads),
    )


def _blocks_ms(loads: Iterable[Load]) -> list[float]:
    watched = (load.longest_block_s for load in loads)
    return [1000 * seconds for seconds in watched if seconds is not None]


def _same(turn: Turn, original: Turn) -> float:
    named = [pair for pair in zip(turn.names, original.names, strict=True) if all(pair)]
    return round(sum(a == b for a, b in named) / len(named), 4) if named else 0.0
