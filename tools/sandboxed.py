"""The bot in a sandbox: the real one, brought online and taken down again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app import FieldmarkBot
from bot.config import DiscordSection, GbifSection, Settings, StoreSection
from engine import Engine, TaxonTable
from tools.sandbox import Sandbox

_READY_WITHIN_S = 30.0


def sandbox_settings(folder: Path, *, gbif: bool = False) -> Settings:
    """Return settings for a sandbox: channels may be watched, the store is in ``folder``.

    ``gbif`` says whether the bot may ask gbif.org.
    """
    return Settings(
        discord=DiscordSection(message_content=True),
        store=StoreSection(path=folder / "bot.sqlite"),
        gbif=GbifSection(enabled=gbif),
    )


@asynccontextmanager
async def sandboxed_bot(
    sandbox: Sandbox, engine: Engine, settings: Settings
) -> AsyncIterator[asyncio.Task[None]]:
    """Bring the bot online in ``sandbox``; yield the task that runs it, and stop it after.

    The engine is closed with the bot.

    Raises:
        TimeoutError: the bot did not come online.
    """
    bot = FieldmarkBot(
        settings,
        engine,
        TaxonTable.load(),
        connector=sandbox.connector(),
        guild_ready_timeout=0.05,
    )
    running = asyncio.create_task(bot.start(sandbox.token))
    try:
        await sandbox.online(_READY_WITHIN_S)
        await bot.wait_until_ready()
        yield running
    finally:
        await bot.close()
        await asyncio.gather(running, return_exceptions=True)
