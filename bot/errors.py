"""The one surface that turns any error into one sentence for people."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import aiohttp
import discord
from discord import app_commands

from engine import EngineError

log = logging.getLogger(__name__)

# Without the answer: it may repeat what a member typed, or the name of their file.
_UNDELIVERED = "An answer could not be delivered: %s"
_CALLED_OTHERWISE = {
    "manage_guild": "Manage Server",
    "send_messages_in_threads": "Send Messages in Threads",
}

DELIVERY_ERRORS = (discord.HTTPException, aiohttp.ClientError, OSError)
"""What handing Discord something fails with: it refuses, or it or the network is away."""

# Unknown message, webhook or interaction, and an expired token.
_OUT_OF_REACH = {10008, 10015, 10062, 50027}


class Refusal(Exception):
    """A request that cannot be served. ``str(refusal)`` is one sentence that people may see."""


def sentence(error: BaseException) -> str:
    """Say in one sentence what went wrong; log what nobody expected, under an id."""
    error = _cause(error)
    if isinstance(error, Refusal | EngineError):
        return str(error)
    if isinstance(error, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        return (
            "This command has changed since Discord last looked: restart Discord, then try again."
        )
    if isinstance(error, app_commands.MissingPermissions):
        names = ", ".join(map(permission_name, error.missing_permissions))
        return f"You need the permission {names} for that."
    if isinstance(error, app_commands.NoPrivateMessage):
        return "That works only in a server."
    if isinstance(error, app_commands.CheckFailure):
        return "You may not do that here."
    identifier = secrets.token_hex(4)
    log.error("Error %s", identifier, exc_info=error)
    return (
        "Something went wrong on my side. Please try again; if it happens again, tell whoever"
        f" runs me that it was error {identifier}."
    )


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, app_commands.CommandInvokeError | app_commands.TransformerError):
        return error.__cause__ or error
    return error


def answer_is_gone(error: BaseException) -> bool:
    """Tell, and log, whether nobody can be answered any more.

    So it is where a moderator deleted the answer, or where it comes too late for Discord.
    """
    error = _cause(error)
    gone = isinstance(error, discord.HTTPException) and error.code in _OUT_OF_REACH
    if gone:
        log.info("An answer is not wanted any more, or comes too late: %s", error)
    return gone


def permission_name(flag: str) -> str:
    """Return what Discord's own menus call the permission that its API calls ``flag``."""
    return _CALLED_OTHERWISE.get(flag) or flag.replace("_", " ").title()


async def tell(
    interaction: discord.Interaction[Any], text: str, view: discord.ui.View | None = None
) -> None:
    """Say ``text`` to whoever started ``interaction``, for their eyes only where still possible.

    ``view`` goes below it where everybody sees it.
    """
    try:
        if not interaction.response.is_done():
            await interaction.response.send_message(text, ephemeral=True)
        elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
            await say_instead(interaction, text, view)
        else:
            await interaction.followup.send(text, ephemeral=True)
    except DELIVERY_ERRORS as error:
        log.warning(_UNDELIVERED, error)


async def say_instead(
    interaction: discord.Interaction[Any], text: str, view: discord.ui.View | None
) -> None:
    """Put ``text`` and ``view`` in the place of "thinking...", or of what a button stood below."""
    try:
        await interaction.edit_original_response(content=text, embeds=[], view=view)
    except DELIVERY_ERRORS as error:
        log.warning(_UNDELIVERED, error)


class Tree(app_commands.CommandTree[Any]):
    """A command tree whose errors reach the member as one sentence."""

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer the member with what went wrong."""
        if not answer_is_gone(error):
            await tell(interaction, sentence(error))
