"""Whether the bot is connected: a file that it touches, and a command that looks at its age.

``python -m bot.health`` exits with status 0 while the bot is connected to Discord, for a
container's health check.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from pathlib import Path

import discord

from bot.config import Settings
from bot.config_file import ConfigError, load

log = logging.getLogger(__name__)

BEAT_S = 15.0
FRESH_S = 4 * BEAT_S


def heartbeat_file(settings: Settings) -> Path:
    """Return the file that is touched, beside the database."""
    return settings.store.path.expanduser().with_suffix(".alive")


async def keep_beating(bot: discord.Client, path: Path) -> None:
    """Beat every ``BEAT_S`` seconds until cancelled; say once if ``path`` cannot be touched."""
    said = False
    while True:
        try:
            await beat(bot, path)
            said = False
        except OSError as error:
            if not said:
                log.error("The health check will fail: %s cannot be touched: %s", path, error)  # noqa: TRY400
            said = True
        await asyncio.sleep(BEAT_S)


async def beat(bot: discord.Client, path: Path) -> None:
    """Touch ``path`` if ``bot`` is connected."""
    if is_connected(bot):
        await asyncio.to_thread(path.touch)


def is_connected(bot: discord.Client) -> bool:
    """Tell whether Discord has acknowledged the bot's heartbeats of late."""
    return bot.is_ready() and not bot.is_closed() and math.isfinite(bot.latency)


def is_fresh(path: Path) -> bool:
    """Tell whether ``path`` was touched within the last ``FRESH_S`` seconds."""
    try:
        return time.time() - path.stat().st_mtime <= FRESH_S
    except OSError:
        return False


def main() -> int:
    """Return 0 if the bot of these settings is connected, 1 if not, 2 if badly set up."""
    try:
        path = heartbeat_file(load())
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line a person sees
        return 2
    if is_fresh(path):
        return 0
    print(f"The bot has not been connected for {FRESH_S:.0f} s.", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
