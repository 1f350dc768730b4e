"""Asking a moderator which species a photo shows: by a modal, and a menu of what may be meant."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import discord

from bot.errors import DELIVERY_ERRORS, tell
from bot.features.remove import RemoveButton, removable
from bot.taxon.typed_names import MAX_NAME

log = logging.getLogger(__name__)

_PATIENCE_S = 14 * 60.0
"""A minute less than Discord takes changes to an answer."""

_TOO_LATE = "Nobody chose in time: pick Apps > Teach on the photo's message again."

Answer = Callable[[discord.Interaction[Any], str], Awaitable[None]]
"""Takes the species' name, and the interaction to answer, which nobody has acknowledged yet."""


class SpeciesModal(discord.ui.Modal, title="What does the photo show?"):
    """Asks for the name of a species."""

    species: discord.ui.TextInput[SpeciesModal] = discord.ui.TextInput(
        custom_id="species",
        label="Species",
        placeholder="Its scientific or common name",
        max_length=MAX_NAME,
    )

    def __init__(self, answer: Answer) -> None:
        super().__init__(timeout=_PATIENCE_S)
        self._answer = answer

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on what was typed."""
        await self._answer(interaction, self.species.value)


class SpeciesMenu(discord.ui.View):
    """Offers species in the place of a name that is none's, to who typed that alone.

    ``offered`` are descriptions and names, at most 25. What was asked is kept nowhere: after a
    restart, and when nobody has chosen for a while, the photo's message is where to begin again.
    """

    def __init__(
        self, asked: discord.Interaction[Any], offered: Iterable[tuple[str, str]], answer: Answer
    ) -> None:
        super().__init__(timeout=_PATIENCE_S)
        self._asked = asked
        self._answer = answer
        self._menu: discord.ui.Select[SpeciesMenu] = discord.ui.Select(
            placeholder="Which one do you mean?",
            options=[discord.SelectOption(label=text, value=name) for text, name in offered],
        )
        self._menu.callback = self._choose  # type: ignore[method-assign]
        self.add_item(self._menu)
        # Answered by its id, after a restart too. Not the RemoveButton itself: a view that ends
        # takes what answers those with it, below all cards.
        self.add_item(RemoveButton(asked.user.id).item)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let whoever was asked choose, and leave Remove to what answers it below all cards."""
        used: Any = interaction.data
        if used["custom_id"] != self._menu.custom_id:
            return False
        if interaction.user.id == self._asked.user.id:
            return True
        await tell(interaction, "Only who was asked can choose here.")
        return False

    async def on_timeout(self) -> None:
        """Say that it is too late, while the message can be changed still."""
        try:
            await self._asked.edit_original_response(
                content=_TOO_LATE, view=removable(self._asked.user.id)
            )
        except DELIVERY_ERRORS as error:
            log.info("A menu could not be closed: %s", error)

    async def _choose(self, interaction: discord.Interaction[Any]) -> None:
        self.stop()
        (name,) = self._menu.values
        await self._answer(interaction, name)
