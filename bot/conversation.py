"""Answer messages that ask, and keep the answers true to them.

For a day a card follows its source: the source deleted, the card goes; the photos or the
named group edited, the card is redone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import discord

from bot.answer import Answer, Answerer, render
from bot.intake import Intake
from bot.readers import Readers
from bot.request import Asking, Request, fingerprint
from bot.store import Reply, Store
from engine import Group, Requester

log = logging.getLogger(__name__)

# "Missing permissions", and "cannot send an empty message", which is what is left of a card
# whose embed Discord dropped. Both come as a surprise in channels that are not cached.
_EMBED_FORBIDDEN = {50013, 50006}


@dataclass(slots=True, eq=False)
class _Work:
    """A card being made. ``gone`` is set when its source is deleted or changed meanwhile."""

    request_id: int
    fingerprint: str
    task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)
    sending: bool = False
    gone: bool = False


class Conversation:
    """Answers messages and keeps the answers true to them."""

    def __init__(
        self,
        client: discord.Client,
        answerer: Answerer,
        intake: Intake,
        store: Store,
        *,
        message_content: bool,
    ) -> None:
        self._client = client
        self._answerer = answerer
        self._intake = intake
        self._store = store
        self._asking = Asking(client, intake, store, message_content=message_content)
        self._works: dict[int, set[_Work]] = {}

    async def on_message(self, message: discord.Message) -> None:
        """Answer ``message`` if it asks for something."""
        if message.author.bot or message.is_system():
            return
        asked = await self._asking.asked(message)
        if isinstance(asked, Request):
            await self._answer(asked)
        elif asked is not None:
            await self._tell(message, asked)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Redo or remove the cards that follow the edited message, where the edit matters."""
        message = event.message
        if message.author.bot or not self._asking.can_read(message):
            return
        if await self._restarted(message):
            return
        for reply in await self._store.replies_to(message.id):
            await self._refresh(reply, message)

    async def _restarted(self, message: discord.Message) -> bool:
        """Start over a first card that is still being made; return whether there is one."""
        works = [work for work in self._works.get(message.id, ()) if work.request_id == message.id]
        if not works or await self._store.replies_to(message.id):
            return False
        asked = await self._asking.asked(message)
        if not isinstance(asked, Request) or works[0].fingerprint != asked.fingerprint:
            self._cancel(message.id)
            await self.on_message(message)
        return True

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted message."""
        await self._deleted(event.message_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted messages."""
        for message_id in event.message_ids:
            await self._deleted(message_id)

    async def _answer(self, request: Request) -> None:
        message = request.message
        requester = _requester(message)
        with self._work(message.id, request.fingerprint, also=request.photo_id) as work:
            async with _typing(message.channel):
                answer = await self._answerer.answer(
                    self._intake.read(request.selection, requester),
                    request.group,
                    requester=requester,
                    readers=Readers.of_message(message),
                )
            work.sending = True
            sent = await self._send(message, answer)
            if sent is None:
                return
            reply = Reply(
                reply_id=sent.id,
                channel_id=sent.channel.id,
                request_id=message.id,
                photo_id=request.photo_id,
                asker_id=message.author.id,
                group=request.group,
                fingerprint=request.fingerprint,
            )
            await self._store.remember(reply)
            if work.gone:
                await self._remove(reply)

    async def _tell(self, message: discord.Message, sentence: str) -> None:
        """Answer a message that asks for nothing that can be done."""
        sent = await self._send(message, Answer(sentence=sentence))
        if sent is not None:
            reply = Reply(
                reply_id=sent.id,
                channel_id=sent.channel.id,
                request_id=message.id,
                photo_id=message.id,
                asker_id=message.author.id,
                group=Group.AUTO,
                fingerprint="",
            )
            await self._store.remember(reply)

    async def _send(self, message: discord.Message, answer: Answer) -> discord.Message | None:
        """Reply to ``message`` as far as the bot may in its channel."""
        allowed = _permissions(message)
        if not _may_send(message.channel, allowed):
            log.info("May not answer in channel %d.", message.channel.id)
            return None
        try:
            return await _post(message, answer, allowed)
        except discord.HTTPException as error:
            # Most often the message was deleted meanwhile, or a permission was withdrawn.
            log.info("No answer in channel %d: %s", message.channel.id, error)
            return None

    async def _refresh(self, reply: Reply, message: discord.Message) -> None:
        """Bring ``reply`` up to date with ``message``, its edited request or photo."""
        selection = await self._asking.photos_now(reply, message)
        if selection is None or not reply.fingerprint:
            return
        if not selection:
            await self._remove(reply)
            return
        group = self._asking.group_now(reply, message)
        now = fingerprint(group, selection)
        if now == reply.fingerprint:
            return
        requester = _requester(message)
        with self._work(message.id, now) as work:
            answer = await self._answerer.answer(
                self._intake.read(selection, requester),
                group,
                requester=requester,
                readers=Readers.of_message(message),
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
            await self._store.remember(replace(reply, group=group, fingerprint=now))

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
    def _work(
        self, request_id: int, fingerprint: str, *, also: int | None = None
    ) -> Iterator[_Work]:
        """Register the current task as working for one or two messages, so it can be stopped."""
        work = _Work(request_id, fingerprint)
        message_ids = {request_id, also if also is not None else request_id}
        for message_id in message_ids:
            self._works.setdefault(message_id, set()).add(work)
        try:
            yield work
        finally:
            for message_id in message_ids:
                self._works[message_id].discard(work)
                if not self._works[message_id]:
                    del self._works[message_id]

    def _cancel(self, message_id: int) -> None:
        """Stop the work for a message that has changed or is gone."""
        for work in self._works.get(message_id, ()):
            work.gone = True
            if not work.sending and work.task is not None:
                work.task.cancel()


@contextlib.asynccontextmanager
async def _typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show the typing indicator; an answer is not given up because it cannot be shown."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(channel.typing())
        except discord.HTTPException as error:
            log.info("No typing indicator: %s", error)
        yield


def _requester(message: discord.Message) -> Requester:
    return Requester(member=message.author.id, server=message.guild.id if message.guild else None)


def _permissions(message: discord.Message) -> discord.Permissions:
    """Return what the bot may do where ``message`` is; all where that cannot be known."""
    channel, guild = message.channel, message.guild
    known = isinstance(channel, discord.abc.GuildChannel | discord.Thread)
    if guild is None or not known:
        return discord.Permissions.all()
    return channel.permissions_for(guild.me)


async def _post(
    message: discord.Message, answer: Answer, allowed: discord.Permissions
) -> discord.Message:
    """Reply to ``message``, with plain text where an embed turns out to be forbidden."""
    rendered = render(answer, allowed, asker_id=message.author.id)
    parts = rendered.to_send()
    if allowed.read_message_history:
        parts["reference"] = message
    try:
        return await message.channel.send(**parts)
    except discord.HTTPException as error:
        if rendered.embed is None or error.code not in _EMBED_FORBIDDEN:
            raise
    plain = discord.Permissions(allowed.value)
    plain.embed_links = False
    return await _post(message, answer, plain)


def _may_send(channel: Any, allowed: discord.Permissions) -> bool:
    if isinstance(channel, discord.Thread):
        return allowed.view_channel and allowed.send_messages_in_threads
    return allowed.view_channel and allowed.send_messages
