"""Telling who used a command or a button what went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord

from bot.errors import answer_is_gone, sentence, tell
from bot.features.remove import removable


@asynccontextmanager
async def failure_told(interaction: discord.Interaction[Any]) -> AsyncIterator[None]:
    """Tell whoever asked, or pressed a button, what went wrong."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the shared surface logs what is unexpected
        if not answer_is_gone(error):
            await tell(interaction, sentence(error), removable(interaction.user.id))
