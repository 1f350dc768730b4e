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

from bot.app import FieldmarkBot
from bot.config import GbifSection, Settings, StoreSection
from engine import Engine, EngineSettings, TaxonTable
from tools.sandbox import Sandbox


async def _start(folder: Path) -> float:
    settings = Settings(
        store=StoreSection(path=folder / "bot.sqlite"), gbif=GbifSection(enabled=False)
    )
    async with Sandbox() as sandbox:
        bot = FieldmarkBot(
            settings,
            Engine(EngineSettings(home=folder)),
            TaxonTable.load(),
            connector=sandbox.connector(),
            guild_ready_timeout=0.05,
        )
        running = asyncio.create_task(bot.start(sandbox.token))
        await sandbox.online()
        await bot.wait_until_ready()
        ready = time.time()
        await bot.close()
        await running
    return ready


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(asyncio.run(_start(Path(temporary))) - float(sys.argv[1]))  # noqa: T201
