"""Run the bot: ``python -m bot``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import aiohttp
import discord

from bot.app import FieldmarkBot, TooManyLogins
from bot.collector import spare_what_stays
from bot.config import Settings
from bot.config_file import ConfigError, check_folders, load
from bot.database import StoreError
from bot.only_bot import only_bot
from engine import Engine, EngineError, TaxonTable, load_catalog

log = logging.getLogger(__name__)

_PORTAL = "https://discord.com/developers/applications"
_NO_TOKEN = (
    "There is no Discord token: create an application at " + _PORTAL + ", copy the token from its"
    " Bot page, and set FIELDMARK_DISCORD__TOKEN to it."
)
_BAD_TOKEN = (
    "Discord does not accept the token: reset it on the Bot page of your application at "
    + _PORTAL
    + " and set FIELDMARK_DISCORD__TOKEN to the new one."
)
_NO_INTENT = (
    'The setting message_content is on, but the intent is off at Discord: turn on "Message'
    ' Content Intent" on the Bot page of your application at ' + _PORTAL + ", or set"
    " message_content = false and go without watched channels."
)

_DISCORD_ERRORS = (
    discord.LoginFailure,
    discord.PrivilegedIntentsRequired,
    discord.HTTPException,
    discord.ConnectionClosed,
    discord.GatewayNotFound,
    aiohttp.ClientError,
    TimeoutError,
)
_TOKEN_REVOKED = 4004  # Discord's code for closing a connection whose token is no longer valid

_UNREACHABLE = "Discord cannot be reached ({}): check the network, then try again."
_REFUSED = (
    "Discord does not let me in ({}): that is no fault of the network. Wait some minutes before you"
    " try again, and see the status of Discord's API at https://discordstatus.com."
)


def main() -> int:
    """Run until stopped; return the exit status: 0 stopped, 1 failed, 2 badly set up."""
    try:
        settings = load()
        engine = settings.engine.settings()
        check_folders(engine)
        if engine.backend == "process":  # the nodes of a cluster have files of their own
            load_catalog(engine.catalog)
    except (ConfigError, EngineError) as error:
        return _fail(str(error), 2)
    if settings.discord.token is None:
        return _fail(_NO_TOKEN, 2)
    discord.utils.setup_logging(level=logging.getLevelName(settings.logging.level))
    logging.getLogger("discord.client").setLevel(logging.WARNING)
    try:
        with only_bot(settings.store.path.expanduser()):
            asyncio.run(_run(settings, settings.discord.token.get_secret_value()))
    except (StoreError, EngineError, TooManyLogins) as error:
        return _fail(str(error), 1)
    except _DISCORD_ERRORS as error:
        return _fail(*_explain(error))
    return 0


async def _run(settings: Settings, token: str) -> None:
    bot = FieldmarkBot(settings, Engine(settings.engine.settings()), TaxonTable.load())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with bot:
        sparing = asyncio.create_task(spare_what_stays(bot.wait_until_prepared()))
        running = asyncio.create_task(bot.start(token))
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(bot.wait_until_engine_fails())
        ends = {running, stopping, failing}
        ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (sparing, stopping, failing):
            task.cancel()
        if running in ended:
            running.result()
            return
        log.info("Stopping.")
        await bot.close()
        running.cancel()
        await asyncio.wait({running})
        if failing in ended:
            failing.result()


def _explain(error: Exception) -> tuple[str, int]:
    """Return what to say of a failure with Discord, and the exit status."""
    code = error.code if isinstance(error, discord.ConnectionClosed) else None
    if isinstance(error, discord.LoginFailure) or code == _TOKEN_REVOKED:
        return _BAD_TOKEN, 2
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return _NO_INTENT, 2
    said = " ".join(str(error).split()) or type(error).__name__
    return (_REFUSED if _is_refusal(error) else _UNREACHABLE).format(said), 1


def _is_refusal(error: Exception) -> bool:
    """Tell whether Discord was there and said no, rather than the network or Discord being away."""
    if isinstance(error, discord.HTTPException):
        return error.status < 500
    return isinstance(error, discord.ConnectionClosed)


def _fail(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - the one line a person sees
    return status


if __name__ == "__main__":
    sys.exit(main())
