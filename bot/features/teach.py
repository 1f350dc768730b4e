"""/teach and Apps > Teach: a moderator teaches what a photo shows, anybody else suggests it.

Kept: see ``bot.teacher``. A suggestion is nothing but its message.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.config import TeachSection
from bot.feature import Feature
from bot.features.failure import failure_told
from bot.features.lessons import Lessons, moderates
from bot.features.message_lessons import MessageLessons
from bot.naming import Naming
from bot.photos.intake import Intake, given
from bot.taxon.typed_names import MAX_NAME
from bot.teacher import Teacher


def feature(teacher: Teacher, intake: Intake, naming: Naming, section: TeachSection) -> Feature:
    """Build the feature; without a server that may teach it has no command, only the buttons."""
    lessons = Lessons(teacher, intake, naming, section)
    message_lessons = MessageLessons(lessons, teacher.finder, intake)

    @app_commands.command(name="teach", description="Teach me what species a photo shows.")
    @app_commands.describe(
        species="The species, by its scientific or common name",
        photo="The photo, uploaded",
        url="Or a link to the photo",
    )
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    @app_commands.allowed_installs(guilds=True, users=False)
    async def teach_command(
        interaction: discord.Interaction[Any],
        species: app_commands.Range[str, 1, MAX_NAME],
        photo: discord.Attachment | None = None,
        url: str | None = None,
    ) -> None:
        give = lessons.teach if moderates(interaction) else lessons.suggest
        async with failure_told(interaction):
            selection = given(photo, url)
            lessons.check_allowed(interaction)
            await give(interaction, species, selection)

    @app_commands.context_menu(name="Teach")
    @app_commands.default_permissions(manage_messages=True)
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    @app_commands.allowed_installs(guilds=True, users=False)
    async def teach_message(
        interaction: discord.Interaction[Any], message: discord.Message
    ) -> None:
        async with failure_told(interaction):
            lessons.check_allowed(interaction)
            await message_lessons.ask(interaction, message)

    @teach_command.autocomplete("species")
    async def offer(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        offered = await teacher.finder.suggest(current, locale=interaction.locale.value)
        return [app_commands.Choice(name=text, value=name) for text, name in offered]

    return Feature(
        commands=(teach_command, teach_message) if section.servers else (),
        dynamic_items=(lessons.undo_button, lessons.accept_button, lessons.decline_button),
    )
