"""Identify what a photo shows: /identify, Apps > Identify, a mention, a DM, a watched channel."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord
from discord import app_commands

from bot.answer import Answer, Answerer, render
from bot.conversation import Conversation
from bot.errors import Refusal, tell
from bot.feature import Feature
from bot.features.remove import RemoveButton, removable
from bot.groups import CHOICES
from bot.options.place import PlaceOfPhoto
from bot.photos.intake import NO_PHOTO, Intake, Selection, given
from bot.photos.request import fingerprint, is_answer, photographed, requester_of
from bot.readers import Readers
from bot.store import Reply, Store
from bot.waiting import wait_shown
from bot.work import Work
from engine import Group


def feature(
    client: discord.Client,
    answerer: Answerer,
    intake: Intake,
    store: Store,
    *,
    message_content: bool,
) -> Feature:
    """Build the feature for ``client``."""
    conversation = Conversation(client, answerer, intake, store, message_content=message_content)

    @app_commands.command(name="identify", description="Name the species in a photo.")
    @app_commands.describe(
        photo="The photo, uploaded",
        url="Or a link to the photo",
        group="What is in the photo",
        place="The country or continent it was taken in",
        private="Show the answer to you alone",
    )
    @app_commands.choices(group=CHOICES)
    async def identify_command(
        interaction: discord.Interaction[Any],
        photo: discord.Attachment | None = None,
        url: str | None = None,
        group: str = Group.AUTO.value,
        place: PlaceOfPhoto | None = None,
        private: bool = False,
    ) -> None:
        try:
            selection = given(photo, url)
        except Refusal as refusal:
            await tell(interaction, str(refusal))
            return
        await interaction.response.defer(ephemeral=private, thinking=True)
        requester = requester_of(interaction)
        async with wait_shown(interaction) as ticket:
            answer = await answerer.answer(
                partial(intake.read, selection, requester),
                Group(group),
                requester=requester,
                readers=Readers.of_interaction(interaction, private=private),
                where=place,
                preview=True,
                ticket=ticket,
            )
        await _respond(interaction, answer, asker_id=None if private else interaction.user.id)

    @app_commands.context_menu(name="Identify")
    async def identify_message(
        interaction: discord.Interaction[Any], message: discord.Message
    ) -> None:
        if not intake.select(message, embeds=True) and not is_answer(message):
            await tell(interaction, NO_PHOTO)
            return
        # First of all: to find the photo that a message answers may take Discord a while.
        await interaction.response.defer(thinking=True)
        photo, selection = await photographed(intake, message)
        if not selection:
            await tell(interaction, NO_PHOTO, removable(interaction.user.id))
            return
        named = fingerprint(Group.AUTO, selection)
        make = partial(_identify, interaction, photo, selection, named)
        if not await conversation.follow(photo, named, make):
            await interaction.delete_original_response()

    async def _identify(
        interaction: discord.Interaction[Any],
        photo: discord.Message,
        selection: Selection,
        named: str,
        work: Work,
    ) -> None:
        """Answer Apps > Identify, and have the answer follow the photo where it can."""
        requester = requester_of(interaction)
        async with wait_shown(interaction) as ticket:
            answer = await answerer.answer(
                partial(intake.read, selection, requester),
                Group.AUTO,
                requester=requester,
                readers=Readers.of_interaction(interaction, private=False),
                ticket=ticket,
            )
        work.sending = True
        asker_id = interaction.user.id
        reply_id = await _respond(interaction, answer, asker_id=asker_id, source_url=photo.jump_url)
        if _in_reach(client, interaction):
            reply = Reply(
                reply_id=reply_id,
                channel_id=photo.channel.id,
                request_id=None,
                photo_id=photo.id,
                asker_id=asker_id,
                group=Group.AUTO,
                fingerprint=named,
            )
            await store.remember(reply)

    return Feature(
        commands=(identify_command, identify_message),
        dynamic_items=(RemoveButton,),
        listeners={
            "on_message": conversation.on_message,
            "on_raw_message_edit": conversation.on_raw_message_edit,
            "on_raw_message_delete": conversation.on_raw_message_delete,
            "on_raw_bulk_message_delete": conversation.on_raw_bulk_message_delete,
        },
    )


def _in_reach(client: discord.Client, interaction: discord.Interaction[Any]) -> bool:
    """Tell whether the bot itself is where ``interaction`` is, and so can follow up later."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    return client.get_guild(interaction.guild_id) is not None


async def _respond(
    interaction: discord.Interaction[Any],
    answer: Answer,
    *,
    asker_id: int | None,
    source_url: str | None = None,
) -> int:
    """Put ``answer`` in the place of "thinking..." and return the message's id."""
    # In a direct message there is nobody to withhold a permission.
    allowed = (
        discord.Permissions.all() if interaction.guild_id is None else (interaction.app_permissions)
    )
    rendered = render(answer, allowed, asker_id=asker_id, source_url=source_url)
    message = await interaction.edit_original_response(**rendered.to_edit())
    return message.id
