"""Tell who waits for an answer how many are ahead of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import discord

from bot.errors import DELIVERY_ERRORS
from engine import Ticket

log = logging.getLogger(__name__)

_FIRST_AFTER_S = 1.0
_EVERY_S = 2.0


@contextlib.asynccontextmanager
async def wait_shown(interaction: discord.Interaction[Any]) -> AsyncIterator[Ticket]:
    """Show in a deferred answer how many are ahead of the request that holds the ticket.

    A wait of less than a second is not worth a word. Once the block is left nothing more is
    said, so that the answer is the last word.
    """
    ticket = Ticket()
    telling = asyncio.Lock()
    teller = asyncio.create_task(_keep_telling(interaction, ticket, telling))
    try:
        yield ticket
    finally:
        try:
            async with telling:
                pass
        finally:
            # Also where this is cancelled while it waits.
            teller.cancel()


async def _keep_telling(
    interaction: discord.Interaction[Any], ticket: Ticket, telling: asyncio.Lock
) -> None:
    said = None
    await asyncio.sleep(_FIRST_AFTER_S)
    while True:
        text = _sentence(ticket.ahead, told=said is not None)
        if text is not None and text != said:
            async with telling:
                try:
                    await interaction.edit_original_response(content=text)
                except DELIVERY_ERRORS as error:
                    log.info("The place in the queue could not be shown: %s", error)
                    return
            said = text
        await asyncio.sleep(_EVERY_S)


def _sentence(ahead: int | None, *, told: bool) -> str | None:
    if ahead is None:
        return "I'm looking at it now." if told else None
    if ahead == 1:
        return "1 request is ahead of yours."
    return f"{ahead} requests are ahead of yours." if ahead else None
