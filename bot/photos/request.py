"""What a message asks for: which photos, wherever they are posted, and which group.

A message asks by mentioning the bot, by replying to a photo with a mention, by being a
direct message, or by being posted in a watched channel.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import discord

from bot.groups import group_in
from bot.photos.intake import Intake, Selection, attachments_of, describe_leftovers
from bot.store import Reply, Store
from engine import Group, Requester

_SECOND_THOUGHTS = timedelta(minutes=15)
"""For how long a message that was not answered may be edited into one that is."""

_HOW_TO = (
    "{ask}, and I'll name the species; a word such as `bird`, `insect` or `plant` tells me what to"
    " look for, and `/identify` takes a photo or a link. For a photo that is here already, hold its"
    " message down (or right-click it) and choose Apps > Identify."
)
_ASK = "Post a photo and mention me"
_OR_REPLY = ", or mention me in a reply to a photo"
_ASK_DIRECTLY = "Send me a photo"
_ONLY_MY_ROLE = (
    "You mentioned my role, and Discord shows me a photo only where I am mentioned myself: choose"
    " the name with my picture instead."
)
_NOT_SEEN = (
    "I see no photo in the message you replied to: hold that message down (or right-click it) and"
    " choose Apps > Identify, or post the photo with a mention of me."
)
_NOT_FORWARDED = (
    "I see no photo in what you forwarded: send me the photo itself, or a link to it with"
    " `/identify`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message that asks, and the photos it asks about, which may be in another message."""

    message: discord.Message
    photo_id: int
    selection: Selection
    group: Group

    @property
    def fingerprint(self) -> str:
        """Name what the card depends on."""
        return fingerprint(self.group, self.selection)


def fingerprint(group: Group, selection: Selection) -> str:
    """Name what a card depends on, to tell an edit that matters from one that does not.

    It is kept for a day, so nothing can be read from it: a link may be nobody else's business.
    """
    return hashlib.sha256(f"{group}:{selection.fingerprint}".encode()).hexdigest()


def requester_of(interaction: discord.Interaction[Any]) -> Requester:
    """Return on whose behalf a command or a button is answered."""
    return Requester(member=interaction.user.id, server=interaction.guild_id)


def place_of(interaction: discord.Interaction[Any]) -> int:
    """Return the message in which a button or a menu was used; the interaction's id without one."""
    return interaction.id if interaction.message is None else interaction.message.id


class Asking:
    """Reads messages for what they ask of the bot."""

    def __init__(
        self, client: discord.Client, intake: Intake, store: Store, *, message_content: bool
    ) -> None:
        self._client = client
        self._intake = intake
        self._store = store
        self._message_content = message_content

    async def asked(self, message: discord.Message) -> Request | str | None:
        """Return what ``message`` asks for, or what to tell its author, or None."""
        if not self.can_read(message):
            return _ONLY_MY_ROLE if _names_my_role(message) else None
        addressed = self._addressed(message)
        group = group_in(message.content) if addressed else None
        selection = self._own_photos(message)
        if selection:
            if not addressed and self._client.user not in message.mentions:
                watched = await self._store.watched(_channel_ids(message.channel))
                if watched is None:
                    return None
                group = watched.group
            return Request(
                message=message,
                photo_id=message.id,
                selection=selection,
                group=group or Group.AUTO,
            )
        if not addressed:
            return None
        if attachments := attachments_of(message):
            return describe_leftovers(attachments)
        if _is_forward(message):
            return _NOT_FORWARDED
        if not is_answer(message):
            return self._how_to(message)
        return await self._asked_of_reference(message, group)

    def _how_to(self, message: discord.Message) -> str:
        """Say how to ask where ``message`` is."""
        if message.guild is None:
            return _HOW_TO.format(ask=_ASK_DIRECTLY)
        # Without the intent Discord hides other people's photos, in replies to them too.
        return _HOW_TO.format(ask=_ASK + _OR_REPLY if self._message_content else _ASK)

    async def _asked_of_reference(
        self, message: discord.Message, group: Group | None
    ) -> Request | str | None:
        answered = await answered_by(message)
        if answered is None:
            return _NOT_SEEN
        to_me = answered.author == self._client.user
        if to_me and group is None and not self._mentioned(message):
            # "Thanks!" in a direct message, where nobody needs to mention the bot.
            return None
        photo_message, selection = await photographed(self._intake, answered)
        if not selection:
            return _NOT_SEEN
        return Request(
            message=message,
            photo_id=photo_message.id,
            selection=selection,
            group=group or Group.AUTO,
        )

    def _own_photos(self, message: discord.Message) -> Selection:
        """Choose the photos of a message that may ask.

        The picture of a link's preview is one only where it was forwarded to the bot alone.
        """
        return self._intake.select(message, embeds=message.guild is None and _is_forward(message))

    def _addressed(self, message: discord.Message) -> bool:
        """Tell whether ``message`` is for the bot."""
        return message.guild is None or self._mentioned(message)

    def _mentioned(self, message: discord.Message) -> bool:
        """Tell whether the text mentions the bot, or the role that Discord gave it.

        The ping of a mere reply does not count.
        """
        me = self._client.user
        named = me is not None and any(f"<@{mark}{me.id}>" in message.content for mark in ("", "!"))
        return named or _names_my_role(message)

    def asks_late(self, message: discord.Message) -> bool:
        """Tell whether ``message`` may ask only since an edit, soon after it was posted."""
        edited = message.edited_at is not None
        recent = discord.utils.utcnow() - message.created_at < _SECOND_THOUGHTS
        return edited and recent and self._addressed(message)

    def can_read(self, message: discord.Message) -> bool:
        """Tell whether Discord shows the bot the content of ``message``."""
        return (
            self._message_content or message.guild is None or self._client.user in message.mentions
        )

    async def photos_now(self, reply: Reply, message: discord.Message) -> Selection | None:
        """Return the photos ``reply`` should show now that ``message`` was edited.

        An empty selection says that they were removed, None that this cannot be known.
        """
        if reply.photo_id == message.id:
            if reply.request_id == message.id:
                return self._own_photos(message)
            return self._intake.select(message, embeds=True)
        answered = await answered_by(message)
        if answered is None:
            return None
        _, selection = await photographed(self._intake, answered)
        return selection or None

    def group_now(self, reply: Reply, message: discord.Message) -> Group:
        """Return the group ``reply`` should look for now that ``message`` was edited."""
        if reply.request_id == message.id and self._addressed(message):
            return group_in(message.content) or Group.AUTO
        return reply.group


async def photographed(
    intake: Intake, message: discord.Message
) -> tuple[discord.Message, Selection]:
    """Return the message whose photos are meant where ``message`` is chosen, and the photos.

    They are its own, or else those of the message that it answers, as a card or a question does.
    The selection is empty where neither has any.
    """
    selection = intake.select(message, embeds=True)
    answered = None if selection else await answered_by(message)
    if answered is None:
        return message, selection
    return answered, intake.select(answered, embeds=True)


def is_answer(message: discord.Message) -> bool:
    """Tell whether ``message`` answers another; what forwards one does not."""
    reference = message.reference
    return reference is not None and reference.message_id is not None and not _is_forward(message)


def _names_my_role(message: discord.Message) -> bool:
    """Tell whether ``message`` mentions the role that Discord gave the bot, called as it is."""
    return message.guild is not None and message.guild.self_role in message.role_mentions


def _is_forward(message: discord.Message) -> bool:
    kind = discord.MessageReferenceType.forward
    return message.reference is not None and message.reference.type is kind


async def answered_by(message: discord.Message) -> discord.Message | None:
    """Return the message that ``message`` answers, if it does and that can be read."""
    reference = message.reference
    if reference is None or reference.message_id is None or not is_answer(message):
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    try:
        return await message.channel.fetch_message(reference.message_id)
    except (discord.NotFound, discord.Forbidden):
        return None


def _channel_ids(channel: Any) -> tuple[int, ...]:
    """Return the ids under which a channel may be watched: its own, then its parent's."""
    if isinstance(channel, discord.Thread):
        return (channel.id, channel.parent_id)
    return (channel.id,)
