"""Errors as people see them, and what the log says of them."""

from __future__ import annotations

from unittest.mock import create_autospec

import aiohttp
import discord
import pytest

from bot.errors import say_instead, tell


def unreachable() -> discord.Interaction[discord.Client]:
    """Return an interaction whose answers Discord does not take."""
    response = create_autospec(aiohttp.ClientResponse, instance=True, status=404, reason="Gone")
    gone = discord.NotFound(response, "Unknown interaction")
    interaction = create_autospec(discord.Interaction, instance=True)
    interaction.response = create_autospec(discord.InteractionResponse, instance=True)
    interaction.response.is_done.return_value = False
    interaction.response.send_message.side_effect = gone
    interaction.edit_original_response.side_effect = gone
    return interaction  # type: ignore[no-any-return]


async def test_an_answer_that_cannot_be_delivered_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await tell(unreachable(), "`at_home.jpg` is not a photo.")
    await say_instead(unreachable(), "I know no place called “Foo Street 1”.", None)
    assert caplog.text.count("could not be delivered: 404") == 2
    assert "at_home" not in caplog.text
    assert "Foo Street" not in caplog.text
