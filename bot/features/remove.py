"""The Remove button under a card: for whoever asked, and for moderators."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot.errors import DELIVERY_ERRORS, answer_is_gone, sentence, tell


class RemoveButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"fieldmark:remove:(?P<asker>[0-9]{1,20})",
):
    """Deletes the message it stands under. Its state is its id, so it outlives a restart."""

    def __init__(self, asker_id: int) -> None:
        super().__init__(
            discord.ui.Button(
                label="Remove",
                style=discord.ButtonStyle.secondary,
                custom_id=f"fieldmark:remove:{asker_id}",
            )
        )
        self.asker_id = asker_id

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - the library's signature
        item: discord.ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
        /,
    ) -> RemoveButton:
        """Rebuild the button that was pressed from its id."""
        return cls(int(match["asker"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Delete the message, or say who may."""
        if interaction.user.id != self.asker_id and not interaction.permissions.manage_messages:
            await tell(
                interaction, "Only the person who asked, or a moderator, can remove this card."
            )
            return
        try:
            await interaction.response.defer()
            # Through the interaction, which works where the bot itself is not a member too.
            await interaction.delete_original_response()
        except DELIVERY_ERRORS as error:
            if not answer_is_gone(error):
                await tell(interaction, sentence(error))


def removable(asker_id: int) -> discord.ui.View:
    """Make a view of nothing but the button."""
    return discord.ui.View(timeout=None).add_item(RemoveButton(asker_id))
