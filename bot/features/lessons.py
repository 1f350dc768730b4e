"""What becomes of a photo that is taught or suggested, and of the buttons below its card."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import discord

from bot.config import TeachSection
from bot.errors import Refusal, answer_is_gone, say_instead, sentence
from bot.features.failure import failure_told
from bot.features.lesson_buttons import (
    LONGEST_NAME,
    AcceptButton,
    DeclineButton,
    UndoButton,
    buttons_of,
    message_with,
)
from bot.features.lesson_modal import SpeciesMenu, SpeciesModal
from bot.features.remove import removable
from bot.headline import Names
from bot.intake import NO_PHOTO, Intake, Photos, Selection
from bot.lesson_card import declined, forgotten, learnt_card, suggestion_card
from bot.naming import Naming
from bot.readers import Readers
from bot.request import is_answer, photographed, place_of, requester_of
from bot.species import Species
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
_LOOKING = "I'm looking at the photo."

Read = Callable[[], Awaitable[Photos]]
"""Reads the photo of a lesson, once it is clear that it is wanted."""


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

    async def teach(self, interaction: discord.Interaction[Any], name: str, read: Read) -> None:
        """Have a moderator's photo learnt."""
        await interaction.response.defer(thinking=True)
        species = await self._teacher.finder.find(name, locale=interaction.locale.value)
        await self._learn(interaction, species, read)

    async def ask(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask a moderator what the photo of somebody's message shows, and have it learnt.

        Of several photos that is the first, and of a card those of the message that it answers.
        The new card leads to the message and shows no copy of the photo, and whoever posted that
        may have it forgotten.
        """
        if not moderates(interaction):
            raise Refusal(
                "Only who may manage messages here can teach me from a message: suggest it with"
                " `/teach`."
            )
        if not self._intake.select(message, embeds=True) and not is_answer(message):
            raise Refusal(NO_PHOTO)
        # A modal is the first answer or none, and what is answered may take a while to be found.
        await interaction.response.send_modal(SpeciesModal(partial(self._answered, message)))

    async def _answered(
        self, message: discord.Message, interaction: discord.Interaction[Any], name: str
    ) -> None:
        """Have the photo learnt as the species that was named, or offer what is meant by that."""
        async with failure_told(interaction):
            await interaction.response.defer(thinking=True)
            message, selection = await photographed(self._intake, message)
            if not selection:
                raise Refusal(NO_PHOTO)
            read = partial(self._intake.read, _first_of(selection), requester_of(interaction))
            posted = Posted(link=message.jump_url, author_id=_poster_id(message))
            try:
                species = await self._teacher.finder.find(name, locale=interaction.locale.value)
            except Refusal as refusal:
                offered = await self._teacher.finder.suggest(name, locale=interaction.locale.value)
                if not offered:
                    raise
                chosen = partial(self._chosen, read, posted)
                menu = SpeciesMenu(interaction, offered, chosen)
                await interaction.edit_original_response(content=str(refusal), view=menu)
            else:
                await self._learn(interaction, species, read, posted)

    async def _chosen(
        self, read: Read, posted: Posted, interaction: discord.Interaction[Any], name: str
    ) -> None:
        """Have the photo learnt as the species that was chosen, or say there why not."""
        try:
            # In the place of the menu, which works no more.
            view = removable(interaction.user.id)
            await interaction.response.edit_message(content=_LOOKING, view=view)
            species = await self._teacher.finder.find(name)
            await self._learn(interaction, species, read, posted)
        except Exception as error:  # noqa: BLE001 - the shared surface logs what is unexpected
            if not answer_is_gone(error):
                await say_instead(interaction, sentence(error), removable(interaction.user.id))

    async def _learn(
        self,
        interaction: discord.Interaction[Any],
        species: Species,
        read: Read,
        posted: Posted | None = None,
    ) -> None:
        """Have a photo learnt and say so; ``posted`` is where it was, if not given here."""
        giver_id = interaction.user.id if posted is None else posted.author_id
        undo = self.undo_button(giver_id, new_identity())
        async with wait_shown(interaction) as ticket:
            taught = await self._teacher.teach(
                species,
                read(),
                undo.identity,
                preview=posted is None,
                requester=requester_of(interaction),
                ticket=ticket,
            )
        place = "" if posted is None else f" from [this message]({posted.link})"
        by = f"Taught by {interaction.user.mention}{place}."
        await self._show_learnt(interaction, taught, by, undo)

    async def suggest(self, interaction: discord.Interaction[Any], name: str, read: Read) -> None:
        """Put a member's photo before those who may accept it."""
        if not interaction.app_permissions.attach_files:
            raise Refusal(_NO_FILES)
        await interaction.response.defer(thinking=True)
        species = await self._teacher.finder.find(name, locale=interaction.locale.value)
        if len(species.name) > LONGEST_NAME:
            raise Refusal(_TOO_LONG)
        async with wait_shown(interaction) as ticket:
            suggested = await self._teacher.look_over(
                species,
                read(),
                requester=requester_of(interaction),
                ticket=ticket,
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
                species = await self._teacher.finder.find(button.name)
                taught = await self._teacher.teach(
                    species,
                    self._photo_of(message, requester_of(interaction)),
                    button.identity,
                    requester=requester_of(interaction),
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
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
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
        return await self._intake.read_one(message.attachments[0], None, requester)

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


def _poster_id(message: discord.Message) -> int:
    """Return who posted a message; what a command answered belongs to who gave the command."""
    command = message.interaction_metadata
    return message.author.id if command is None else command.user.id


def _first_of(selection: Selection) -> Selection:
    """Leave of several photos the first, and say so."""
    many = len(selection.attachments)
    if many <= 1:
        return selection
    first = selection.attachments[0]
    return Selection(
        attachments=(first,),
        spoiler=first.is_spoiler(),
        notes=(f"Of the message's {many} photos, the first.",),
    )
