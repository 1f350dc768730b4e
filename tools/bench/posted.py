"""The whole Discord way: a message posted to the sandbox, until its card is received."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import Engine, EngineSettings, Group
from tools.bench.figures import percentile
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedFigures:
    """Times of the same photos, asked in turns: as a message, of the engine, of its networks.

    ``network_p50_ms`` is what the worker spent in its networks alone, photo decoded.
    The overheads are differences of medians.
    """

    posts: int
    posted_p50_ms: float
    posted_p99_ms: float
    engine_p50_ms: float
    network_p50_ms: float
    overhead_over_engine_ms: float
    overhead_over_network_ms: float


async def measure_posts(
    settings: EngineSettings, photos: Sequence[Path], posts: int
) -> PostedFigures:
    """Post photos one after another, and ask the engine about each without Discord as well."""
    contents = [path.read_bytes() for path in photos]
    posted, asked, network = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        bot_settings = sandbox_settings(Path(folder))
        engine = Engine(settings)
        await engine.start()
        async with Sandbox() as sandbox, sandboxed_bot(sandbox, engine, bot_settings, alone=True):
            await _post(sandbox, contents[0])
            for turn in range(posts):
                photo = contents[turn % len(contents)]
                posted.append(await _post(sandbox, photo))
                begun = time.perf_counter()
                answer = await engine.identify([photo], Group.AUTO)
                asked.append(1000 * (time.perf_counter() - begun))
                network.append(answer.timings_ms["classify"])
    middle = statistics.median(posted)
    return PostedFigures(
        posts=posts,
        posted_p50_ms=round(middle, 1),
        posted_p99_ms=round(percentile(posted, 99), 1),
        engine_p50_ms=round(statistics.median(asked), 1),
        network_p50_ms=round(statistics.median(network), 1),
        overhead_over_engine_ms=round(middle - statistics.median(asked), 1),
        overhead_over_network_ms=round(middle - statistics.median(network), 1),
    )


async def _post(sandbox: Sandbox, photo: bytes) -> float:
    begun = time.perf_counter()
    message = await sandbox.member.post(sandbox.channel, sandbox.mention, [("photo.jpg", photo)])
    await sandbox.wait_for(
        lambda m: (m.get("message_reference") or {}).get("message_id") == message["id"]
    )
    return 1000 * (time.perf_counter() - begun)
