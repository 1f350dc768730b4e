"""Start the bot in a sandbox, with no model, and print what of the pixels' it imported."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bot.app import FieldmarkBot
from bot.config import Settings, StoreSection
from engine import Engine, EngineSettings, TaxonTable
from tools.sandbox import Sandbox

HEAVY = ("tensorflow", "tensorflow_hub", "openvino", "PIL", "numpy", "sklearn", "scipy")


async def main(folder: Path) -> None:
    settings = Settings(store=StoreSection(path=folder / "bot.sqlite"))
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
        print("ready", [name for name in HEAVY if name in sys.modules])  # noqa: T201
        await bot.close()
        await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
