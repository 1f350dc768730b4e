"""Answering a message: whether the bot may, typing meanwhile, and as well as it may."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import discord

from bot.answer import Answer, render
from bot.errors import DELIVERY_ERRORS

log = logging.getLogger(__name__)

# "Missing permissions", and "cannot send an empty message", which is what is left of a card
# whose embed Discord dropped. Both come as a surprise in channels that are not cached.
_EMBED_FORBIDDEN = {50013, 50006}

_TYPING_AGAIN_S = 8.0
"""Two seconds less than Discord shows a typing indicator."""


@contextlib.asynccontextmanager
async def typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show the typing indicator, as far as that works; nothing waits for it."""
    task = asyncio.create_task(_keep_typing(channel))
    try:
        yield
    finally:
        task.cancel()


async def _keep_typing(channel: discord.abc.Messageable) -> None:
    try:
        while True:
            await channel.typing()
            await asyncio.sleep(_TYPING_AGAIN_S)
    except DELIVERY_ERRORS as error:
        log.info("No typing indicator: %s", error)


def permissions_at(message: discord.Message) -> discord.Permissions:
    """Return what the bot may do where ``message`` is; all where that cannot be known."""
    channel, guild = message.channel, message.guild
    known = isinstance(channel, discord.abc.GuildChannel | discord.Thread)
    if guild is None or not known:
        return discord.Permissions.all()
    return channel.permissions_for(guild.me)


def may_reply(message: discord.Message) -> bool:
    """Tell whether the bot may answer where ``message`` is."""
    allowed = permissions_at(message)
    if isinstance(message.channel, discord.Thread):
        return allowed.view_channel and allowed.send_messages_in_threads
    return allowed.view_channel and allowed.send_messages


async def send_reply(message: discord.Message, answer: Answer) -> discord.Message | None:
    """Answer ``message`` as well as the bot may; None where it could not, which is logged."""
    try:
        return await _post(message, answer, permissions_at(message))
    except DELIVERY_ERRORS as error:
        # Most often the message was deleted meanwhile, or a permission was withdrawn.
        log.info("No answer in channel %d: %s", message.channel.id, error)
        return None


async def _post(
    message: discord.Message, answer: Answer, allowed: discord.Permissions
) -> discord.Message:
    """Reply to ``message``, with plain text where an embed turns out to be forbidden."""
    rendered = render(answer, allowed, asker_id=message.author.id)
    parts = rendered.to_send()
    if allowed.read_message_history:
        parts["reference"] = message
    try:
        return await message.channel.send(**parts)
    except discord.HTTPException as error:
        if rendered.embed is None or error.code not in _EMBED_FORBIDDEN:
            raise
    plain = discord.Permissions(allowed.value)
    plain.embed_links = False
    return await _post(message, answer, plain)
