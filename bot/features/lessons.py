"""What becomes of a photo that is taught or suggested, and of the buttons below its card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import discord

from bot.config import TeachSection
from bot.errors import DELIVERY_ERRORS, Refusal
from bot.features.failure import failure_told
from bot.features.lesson_buttons import (
    LONGEST_NAME,
    AcceptButton,
    DeclineButton,
    UndoButton,
    buttons_of,
    message_with,
)
from bot.features.remove import removable
from bot.headline import Names
from bot.lesson_card import declined, forgotten, learnt_card, suggestion_card
from bot.naming import Naming
from bot.photos.intake import Intake, Photos, Selection, given
from bot.photos.request import place_of, requester_of
from bot.readers import Readers
from bot.taxon.species import Species
from bot.teacher import Taught, Teacher, new_identity
from bot.waiting import wait_shown
from engine import Requester

_NOT_HERE = (
    "This server may not teach me species: whoever runs me can allow it by adding its id, {id}, to"
    " `servers` under `[teach]` in my settings."
)
_NO_FILES = (
    "I may not attach files here, so nobody could see what you suggest: try another channel, or ask"
    " for the permission Attach Files for me."
)
_TOO_LONG = (
    f"I can't keep a name of more than {LONGEST_NAME} letters in a suggestion: ask somebody who may"
    " manage messages here to use `/teach`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Where a photo was posted that is taught from its message, and by whom."""

    link: str
    author_id: int


class Lessons:
    """Answers the command and the buttons below its cards."""

    def __init__(
        self, teacher: Teacher, intake: Intake, naming: Naming, section: TeachSection
    ) -> None:
        self._teacher = teacher
        self._intake = intake
        self._naming = naming
        self._section = section
        self._being_decided: set[int] = set()
        self.undo_button, self.accept_button, self.decline_button = buttons_of(self)

    def check_allowed(self, interaction: discord.Interaction[Any]) -> None:
        """Refuse what comes from a server that may not teach."""
        if not self._section.allows(interaction.guild_id):
            raise Refusal(_NOT_HERE.format(id=interaction.guild_id))

    async def find(
        self, interaction: discord.Interaction[Any], name: str, photo: Selection
    ) -> Species:
        """Return the species that a member called ``name``, for a lesson from ``photo``.

        Raises:
            Refusal: as ``Teacher.find``.
            EngineError: as ``Teacher.find``.
        """
        return await self._teacher.find(
            name,
            requester=requester_of(interaction),
            locale=interaction.locale.value,
            spoiler=photo.spoiler,
        )

    async def teach(
        self, interaction: discord.Interaction[Any], name: str, photo: Selection
    ) -> None:
        """Have a moderator's photo learnt."""
        await interaction.response.defer(thinking=True)
        species = await self.find(interaction, name, photo)
        await self.learn(interaction, species, photo)

    async def learn(
        self,
        interaction: discord.Interaction[Any],
        species: Species,
        photo: Selection,
        posted: Posted | None = None,
    ) -> None:
        """Have a photo learnt and say so; ``posted`` is where it was, if not given here."""
        requester = requester_of(interaction)
        giver_id = interaction.user.id if posted is None else posted.author_id
        undo = self.undo_button(giver_id, new_identity())
        async with wait_shown(interaction) as ticket:
            taught = await self._teacher.teach(
                species,
                self._intake.read(photo, requester),
                undo.identity,
                preview=posted is None,
                requester=requester,
                ticket=ticket,
            )
        place = "" if posted is None else f" from [this message]({posted.link})"
        by = f"Taught by {interaction.user.mention}{place}."
        await self._show_learnt(interaction, taught, by, undo)

    async def suggest(
        self, interaction: discord.Interaction[Any], name: str, photo: Selection
    ) -> None:
        """Put a member's photo before those who may accept it."""
        if not interaction.app_permissions.attach_files:
            raise Refusal(_NO_FILES)
        await interaction.response.defer(thinking=True)
        species = await self.find(interaction, name, photo)
        if len(species.name) > LONGEST_NAME:
            raise Refusal(_TOO_LONG)
        requester = requester_of(interaction)
        async with wait_shown(interaction) as ticket:
            suggested = await self._teacher.look_over(
                species, self._intake.read(photo, requester), requester=requester, ticket=ticket
            )
        member = interaction.user
        view = discord.ui.View(timeout=None)
        view.add_item(self.accept_button(member.id, new_identity(), species.name))
        view.add_item(self.decline_button(member.id))
        names = await self._names(interaction, suggested)
        allowed = interaction.app_permissions
        card = suggestion_card(suggested, member.mention, allowed, view, names)
        await interaction.edit_original_response(**card.to_edit())

    async def accept(self, interaction: discord.Interaction[Any], button: AcceptButton) -> None:
        """Have the photo of a suggestion learnt, for who may manage messages."""
        async with failure_told(interaction):
            self.check_allowed(interaction)
            if not moderates(interaction):
                raise Refusal("Only who may manage messages here can accept a suggestion.")
            async with self._deciding(interaction, button.custom_id) as message:
                requester = requester_of(interaction)
                species = await self._teacher.find(button.name, requester=requester)
                taught = await self._teacher.teach(
                    species,
                    self._photo_of(message, requester),
                    button.identity,
                    requester=requester,
                )
                by = f"Suggested by <@{button.member_id}>, accepted by {interaction.user.mention}."
                undo = self.undo_button(button.member_id, button.identity)
                await self._show_learnt(interaction, taught, by, undo)

    async def decline(self, interaction: discord.Interaction[Any], button: DeclineButton) -> None:
        """Close a suggestion, for who may manage messages; who made it takes it away."""
        async with failure_told(interaction):
            withdrawn = interaction.user.id == button.member_id
            if not (withdrawn or moderates(interaction)):
                raise Refusal(
                    "Only who suggested this, or somebody who may manage messages here, can"
                    " decline it."
                )
            async with self._deciding(interaction, button.custom_id) as message:
                if withdrawn:
                    await interaction.delete_original_response()
                    return
                card = declined(message, f"Declined by {interaction.user.mention}.")
                await interaction.edit_original_response(**card, view=removable(button.member_id))

    async def undo(self, interaction: discord.Interaction[Any], button: UndoButton) -> None:
        """Have a photo forgotten, for who gave it and for who may manage messages."""
        async with failure_told(interaction):
            if not (interaction.user.id == button.member_id or moderates(interaction)):
                raise Refusal(
                    "Only who gave me this photo, or somebody who may manage messages here, can"
                    " undo it."
                )
            async with self._deciding(interaction, button.custom_id) as message:
                said = f"Taken out of the index again by {interaction.user.mention}."
                if not await self._teacher.forget(
                    button.identity, requester=requester_of(interaction)
                ):
                    said = "It was not in the index any more."
                card = forgotten(message, said)
                await interaction.edit_original_response(**card, view=removable(button.member_id))

    async def _show_learnt(
        self, interaction: discord.Interaction[Any], taught: Taught, by: str, undo: UndoButton
    ) -> None:
        """Put the card in the place of "thinking...", or of the suggestion."""
        view = removable(undo.member_id)
        if taught.new:
            view = discord.ui.View(timeout=None).add_item(undo)
        names = await self._names(interaction, taught)
        card = learnt_card(taught, by, interaction.app_permissions, view, names)
        try:
            await interaction.edit_original_response(**card.to_edit())
        except DELIVERY_ERRORS as error:
            # Without the card nobody could undo it, or know of it. On nobody's behalf, so that
            # what else the member has waiting does not keep it from being taken back.
            if taught.new:
                await self._teacher.forget(undo.identity)
            if isinstance(error, discord.NotFound):
                raise Refusal("The message is gone, so nothing was learnt.") from None
            raise

    async def _names(self, interaction: discord.Interaction[Any], taught: Taught) -> Names:
        readers = Readers.of_interaction(interaction, private=False)
        return await self._naming.called([taught.taxon], readers, interaction.guild_id)

    async def _photo_of(self, message: discord.Message, requester: Requester) -> Photos:
        """Read the photo of a suggestion from its message."""
        if not message.attachments:
            raise Refusal("The photo of this suggestion is gone: ask for it to be made again.")
        return await self._intake.read(given(message.attachments[0], None), requester)

    @asynccontextmanager
    async def _deciding(
        self, interaction: discord.Interaction[Any], custom_id: str
    ) -> AsyncIterator[discord.Message]:
        """Acknowledge a button and give its message as it is now; one decides at a time.

        Raises:
            Refusal: somebody else does, or has done so.
        """
        await interaction.response.defer()
        place = place_of(interaction)
        if place in self._being_decided:
            raise Refusal("Somebody else has pressed a button here just now: see what comes of it.")
        self._being_decided.add(place)
        try:
            yield await message_with(interaction, custom_id)
        finally:
            self._being_decided.discard(place)


def moderates(interaction: discord.Interaction[Any]) -> bool:
    """Tell whether a member may manage messages where they are."""
    return interaction.permissions.manage_messages
