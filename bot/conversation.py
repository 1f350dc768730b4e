"""Photos posted as messages: which ones ask for a card, and cards that follow their source.

A message asks by mentioning the bot, by replying to a photo with a mention, by being a
direct message, or by being posted in a watched channel. For a day its card follows it: the
source deleted, the card goes; the photos or the named group edited, the card is redone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import discord

from bot.answer import Answer, identify, render
from bot.groups import group_in
from bot.identifier import Identifier
from bot.intake import Intake, Selection, describe_leftovers
from bot.store import Reply, Store
from engine import Group

log = logging.getLogger(__name__)

_HOW_TO = (
    "Post a photo and mention me, or mention me in a reply to a photo, and I'll name the species;"
    " a word such as `bird`, `insect` or `plant` tells me what to look for, and `/identify`"
    " takes a photo or a link."
)
_NOT_SEEN = (
    "I see no photo in the message you replied to: open its menu and choose Apps > Identify,"
    " or post the photo with a mention of me."
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


@dataclass(slots=True, eq=False)
class _Work:
    """A card being made. ``gone`` is set when its source is deleted or changed meanwhile."""

    fingerprint: str
    task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)
    sending: bool = False
    gone: bool = False


class Conversation:
    """Answers messages and keeps the answers true to them."""

    def __init__(
        self,
        client: discord.Client,
        identifier: Identifier,
        intake: Intake,
        store: Store,
        *,
        message_content: bool,
    ) -> None:
        self._client = client
        self._identifier = identifier
        self._intake = intake
        self._store = store
        self._message_content = message_content
        self._works: dict[int, set[_Work]] = {}

    async def on_message(self, message: discord.Message) -> None:
        """Answer ``message`` if it asks for something."""
        if message.author.bot or message.is_system():
            return
        asked = await self._asked(message)
        if isinstance(asked, Request):
            await self._answer(asked)
        elif asked is not None:
            await self._send(message, Answer(sentence=asked))

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Redo or remove the cards that follow the edited message, where the edit matters."""
        message = event.message
        if message.author.bot or not self._can_read(message):
            return
        works = self._works.get(message.id)
        if works:
            asked = await self._asked(message)
            made = {work.fingerprint for work in works}
            if not isinstance(asked, Request) or made != {asked.fingerprint}:
                self._cancel(message.id)
                await self.on_message(message)
            return
        for reply in await self._store.replies_to(message.id):
            await self._refresh(reply, message)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted message."""
        await self._deleted(event.message_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted messages."""
        for message_id in event.message_ids:
            await self._deleted(message_id)

    async def _asked(self, message: discord.Message) -> Request | str | None:
        """Return what ``message`` asks for, or what to tell its author, or None."""
        named = self._names_me(message)
        addressed = named or message.guild is None
        group = group_in(message.content) if addressed else None
        selection = self._intake.select(message)
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
        if message.attachments:
            return describe_leftovers(message.attachments)
        if message.reference is None or message.reference.message_id is None:
            return _HOW_TO
        return await self._asked_of_reference(message, group or Group.AUTO)

    async def _asked_of_reference(self, message: discord.Message, group: Group) -> Request | str:
        photo_message = await self._referenced(message)
        selection = self._intake.select(photo_message) if photo_message else Selection()
        if photo_message is None or not selection:
            return _NOT_SEEN
        return Request(message=message, photo_id=photo_message.id, selection=selection, group=group)

    async def _referenced(self, message: discord.Message) -> discord.Message | None:
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        if isinstance(reference.resolved, discord.Message):
            return reference.resolved
        try:
            return await message.channel.fetch_message(reference.message_id)
        except (discord.NotFound, discord.Forbidden):
            return None

    def _names_me(self, message: discord.Message) -> bool:
        """Tell whether the text mentions the bot; the ping of a mere reply does not count."""
        me = self._client.user
        return me is not None and any(
            mention in message.content for mention in (f"<@{me.id}>", f"<@!{me.id}>")
        )

    def _can_read(self, message: discord.Message) -> bool:
        """Tell whether Discord shows the bot the content of ``message``."""
        return (
            self._message_content or message.guild is None or self._client.user in message.mentions
        )

    async def _answer(self, request: Request) -> None:
        with self._work(request.fingerprint, request.message.id, request.photo_id) as work:
            async with _typing(request.message.channel):
                answer = await identify(
                    self._identifier, self._intake.read(request.selection), request.group
                )
            work.sending = True
            sent = await self._send(request.message, answer)
            if sent is None:
                return
            reply = Reply(
                reply_id=sent.id,
                channel_id=sent.channel.id,
                request_id=request.message.id,
                photo_id=request.photo_id,
                asker_id=request.message.author.id,
                group=request.group,
                fingerprint=request.fingerprint,
            )
            await self._store.remember(reply)
            if work.gone:
                await self._remove(reply)

    async def _send(self, message: discord.Message, answer: Answer) -> discord.Message | None:
        """Reply to ``message`` as far as the bot may in its channel."""
        allowed = _permissions(message)
        if not _may_send(message.channel, allowed):
            log.info("May not answer in channel %d.", message.channel.id)
            return None
        rendered = render(answer, allowed, asker_id=message.author.id).to_send()
        if allowed.read_message_history:
            rendered["reference"] = message
        try:
            return await message.channel.send(**rendered)
        except discord.HTTPException as error:
            # Most often the message was deleted meanwhile, or a permission was withdrawn.
            log.info("No answer in channel %d: %s", message.channel.id, error)
            return None

    async def _refresh(self, reply: Reply, message: discord.Message) -> None:
        """Bring ``reply`` up to date with ``message``, its edited request or photo."""
        request = await self._edited(reply, message)
        if request is None:
            await self._remove(reply)
            return
        if request.fingerprint == reply.fingerprint:
            return
        with self._work(request.fingerprint, message.id) as work:
            answer = await identify(
                self._identifier, self._intake.read(request.selection), request.group
            )
            work.sending = True
            rendered = render(
                answer,
                _permissions(message),
                asker_id=reply.asker_id,
                source_url=message.jump_url if reply.request_id is None else None,
            )
            try:
                await self._partial(reply).edit(**rendered.to_edit())
            except discord.HTTPException as error:
                log.info("Reply %d could not be edited: %s", reply.reply_id, error)
                return
            await self._store.remember(
                replace(reply, group=request.group, fingerprint=request.fingerprint)
            )

    async def _edited(self, reply: Reply, message: discord.Message) -> Request | None:
        """Return what ``reply`` should answer now, or None where there is nothing left."""
        group = reply.group
        if reply.request_id == message.id and self._names_me(message):
            group = group_in(message.content) or Group.AUTO
        photo_message = message if reply.photo_id == message.id else await self._referenced(message)
        if photo_message is None:
            return None
        selection = self._intake.select(photo_message, embeds=reply.request_id is None)
        if not selection:
            return None
        return Request(message=message, photo_id=photo_message.id, selection=selection, group=group)

    async def _deleted(self, message_id: int) -> None:
        self._cancel(message_id)
        await self._store.forget(message_id)
        for reply in await self._store.replies_to(message_id):
            await self._remove(reply)

    async def _remove(self, reply: Reply) -> None:
        with contextlib.suppress(discord.NotFound):
            try:
                await self._partial(reply).delete()
            except discord.Forbidden as error:
                log.info("Reply %d could not be deleted: %s", reply.reply_id, error)
        await self._store.forget(reply.reply_id)

    def _partial(self, reply: Reply) -> discord.PartialMessage:
        channel = self._client.get_partial_messageable(reply.channel_id)
        return channel.get_partial_message(reply.reply_id)

    @contextlib.contextmanager
    def _work(self, fingerprint: str, *message_ids: int) -> Iterator[_Work]:
        """Register the current task as working for the messages, so that it can be stopped."""
        work = _Work(fingerprint)
        for message_id in message_ids:
            self._works.setdefault(message_id, set()).add(work)
        try:
            yield work
        finally:
            for message_id in set(message_ids):
                self._works[message_id].discard(work)
                if not self._works[message_id]:
                    del self._works[message_id]

    def _cancel(self, message_id: int) -> None:
        """Stop the work for a message that has changed or is gone."""
        for work in self._works.get(message_id, ()):
            work.gone = True
            if not work.sending and work.task is not None:
                work.task.cancel()


def fingerprint(group: Group, selection: Selection) -> str:
    """Name what a card depends on, to tell an edit that matters from one that does not."""
    return f"{group}:{selection.fingerprint}"


@contextlib.asynccontextmanager
async def _typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show the typing indicator; an answer is not given up because it cannot be shown."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(channel.typing())
        except discord.HTTPException as error:
            log.info("No typing indicator: %s", error)
        yield


def _channel_ids(channel: Any) -> tuple[int, ...]:
    """Return the ids under which a channel may be watched: its own, then its parent's."""
    if isinstance(channel, discord.Thread):
        return (channel.id, channel.parent_id)
    return (channel.id,)


def _permissions(message: discord.Message) -> discord.Permissions:
    """Return what the bot may do where ``message`` is; all where that cannot be known."""
    channel, guild = message.channel, message.guild
    known = isinstance(channel, discord.abc.GuildChannel | discord.Thread)
    if guild is None or not known:
        return discord.Permissions.all()
    return channel.permissions_for(guild.me)


def _may_send(channel: Any, allowed: discord.Permissions) -> bool:
    if isinstance(channel, discord.Thread):
        return allowed.view_channel and allowed.send_messages_in_threads
    return allowed.view_channel and allowed.send_messages
