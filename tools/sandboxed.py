"""The bot in a sandbox: the real one, brought online and taken down again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app import FieldmarkBot
from bot.collector import spare_what_stays
from bot.config import DiscordSection, GbifSection, Settings, StoreSection, TeachSection
from engine import Engine, TaxonTable
from tools.sandbox import Sandbox

_READY_WITHIN_S = 30.0


def sandbox_settings(folder: Path, *, gbif: bool = False) -> Settings:
    """Return settings for a sandbox: channels may be watched, and its servers may teach.

    The store is in ``folder``. ``gbif`` says whether the bot may ask gbif.org.
    """
    return Settings(
        discord=DiscordSection(message_content=True),
        store=StoreSection(path=folder / "bot.sqlite"),
        gbif=GbifSection(enabled=gbif),
        teach=TeachSection(servers="all"),
    )


@asynccontextmanager
async def sandboxed_bot(
    sandbox: Sandbox, engine: Engine, settings: Settings, *, alone: bool = False
) -> AsyncIterator[asyncio.Task[None]]:
    """Bring the bot online in ``sandbox``; yield the task that runs it, and stop it after.

    The engine is closed with the bot. ``alone`` says that the process is the bot's, as it is of
    ``python -m bot``: the garbage collector is told so.

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
    tasks = [asyncio.create_task(bot.start(sandbox.token))]
    if alone:
        tasks.append(asyncio.create_task(spare_what_stays(bot.wait_until_prepared())))
    try:
        await sandbox.online(_READY_WITHIN_S)
        await bot.wait_until_ready()
        yield tasks[0]
    finally:
        await bot.close()
        for sparing in tasks[1:]:
            sparing.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
