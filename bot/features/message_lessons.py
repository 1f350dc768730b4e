"""Apps > Teach: a moderator says what the photo of somebody's message shows."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord

from bot.errors import Refusal, answer_is_gone, say_instead, sentence
from bot.features.failure import failure_told
from bot.features.lesson_modal import SpeciesMenu, SpeciesModal
from bot.features.lessons import Lessons, Posted, moderates
from bot.features.remove import removable
from bot.photos.intake import NO_PHOTO, Intake, Selection
from bot.photos.request import is_answer, photographed
from bot.taxon.species import SpeciesFinder

_LOOKING = "I'm looking at the photo."


class MessageLessons:
    """Answers the menu of a message, and the form and the menu of species that follow."""

    def __init__(self, lessons: Lessons, finder: SpeciesFinder, intake: Intake) -> None:
        self._lessons = lessons
        self._finder = finder
        self._intake = intake

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
            photo = _first_of(selection)
            posted = Posted(link=message.jump_url, author_id=_poster_id(message))
            try:
                species = await self._lessons.find(interaction, name, photo)
            except Refusal as refusal:
                offered = await self._finder.suggest(name, locale=interaction.locale.value)
                if not offered:
                    raise Refusal(f"{refusal} `/teach` offers names as they are typed.") from None
                chosen = partial(self._chosen, photo, posted)
                menu = SpeciesMenu(interaction, offered, chosen)
                await interaction.edit_original_response(content=str(refusal), view=menu)
            else:
                await self._lessons.learn(interaction, species, photo, posted)

    async def _chosen(
        self, photo: Selection, posted: Posted, interaction: discord.Interaction[Any], name: str
    ) -> None:
        """Have the photo learnt as the species that was chosen, or say there why not."""
        try:
            # In the place of the menu, which works no more.
            view = removable(interaction.user.id)
            await interaction.response.edit_message(content=_LOOKING, view=view)
            species = await self._lessons.find(interaction, name, photo)
            await self._lessons.learn(interaction, species, photo, posted)
        except Exception as error:  # noqa: BLE001 - the shared surface logs what is unexpected
            if not answer_is_gone(error):
                await say_instead(interaction, sentence(error), removable(interaction.user.id))


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
