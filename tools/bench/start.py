"""Start the bot against a sandbox and print when it was READY: ``python -m tools.bench.start T``.

``T`` is the time at which the caller started this process, in seconds since the epoch, so
the figure holds the interpreter, every import, the sandbox itself and the log-in.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from engine import Engine, EngineSettings
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot


async def _start(folder: Path) -> float:
    engine = Engine(EngineSettings(home=folder))
    async with (
        Sandbox() as sandbox,
        sandboxed_bot(sandbox, engine, sandbox_settings(folder), alone=True),
    ):
        return time.time()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(asyncio.run(_start(Path(temporary))) - float(sys.argv[1]))  # noqa: T201
