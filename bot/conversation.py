"""Answer messages that ask, and keep the answers true to them.

For a day a card follows its source: the source deleted, the card goes; the photos or the
named group edited, the card is redone.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import replace
from functools import partial

import discord

from bot.answer import Answer, Answerer, render
from bot.delivery import may_reply, permissions_at, send_reply, typing
from bot.errors import DELIVERY_ERRORS
from bot.photos.intake import Intake, Selection
from bot.photos.request import Asking, Request, fingerprint
from bot.readers import Readers
from bot.store import Reply, Store
from bot.turns import Turns
from bot.work import Make, Work, Works
from engine import Group, Requester

log = logging.getLogger(__name__)


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
        self._turns = Turns()
        self._works = Works()

    async def on_message(self, message: discord.Message) -> None:
        """Answer ``message`` if it asks for something, once however often Discord tells of it."""
        if message.author.bot or message.is_system():
            return
        async with self._turns.of(message.id):
            asked = await self._asking.asked(message)
            if asked is None or await self._taken_up(message.id):
                return
            works = self._begin(message, asked)
        await _finished(works)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Redo or remove the cards that follow the edited message, where the edit matters."""
        message = event.message
        if message.author.bot or not self._asking.can_read(message):
            return
        async with self._turns.of(message.id):
            works = await self._follow_edit(message)
        await _finished(works)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted message."""
        await self._deleted(event.message_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Remove the cards that follow the deleted messages."""
        await asyncio.gather(*map(self._deleted, event.message_ids))

    async def follow(self, photo: discord.Message, fingerprint: str, make: Make) -> bool:
        """Have the answer to a command made, unless its photo's message is deleted meanwhile.

        Returns whether there is an answer. One that ``make`` has put into the store goes when
        its photo goes, from the moment on that this was called.
        """
        work = Work(message_ids=frozenset({photo.id}), fingerprint=fingerprint)
        return await self._works.start(work, partial(self._make_true, make)).finished()

    async def _make_true(self, make: Make, work: Work) -> None:
        """Make an answer, and begin to redo it where its photo's message was edited meanwhile.

        Who stops the answer waits for its end, which is why the other is not waited for here.
        """
        await make(work)
        if work.edited is not None:
            for reply in await self._store.replies_to(work.edited.id):
                await self._refresh(reply, work.edited)

    async def _taken_up(self, message_id: int) -> bool:
        """Tell whether a message has been answered, or is being."""
        try:
            replies = await self._store.replies_to(message_id)
        except sqlite3.Error as error:
            log.warning("What was answered cannot be read, so a message may be twice: %s", error)
            replies = []
        answered = any(reply.request_id == message_id for reply in replies)
        return answered or self._works.answering(message_id) is not None

    def _begin(self, message: discord.Message, asked: Request | str) -> list[Work]:
        """Start to answer a message, where the bot may."""
        if not may_reply(message):
            log.info("May not answer in channel %d.", message.channel.id)
            return []
        make = partial(self._answer, message, asked)
        photo_id = asked.photo_id if isinstance(asked, Request) else message.id
        work = Work(
            message_ids=frozenset({message.id, photo_id}),
            fingerprint=_fingerprint(asked),
            request_id=message.id,
        )
        return [self._works.start(work, partial(self._make_true, make))]

    async def _answer(self, message: discord.Message, asked: Request | str, work: Work) -> None:
        """Answer a message that asks, be it for nothing that can be done."""
        if isinstance(asked, Request):
            async with typing(message.channel):
                answer = await self._identify(message, asked.selection, asked.group)
        else:
            answer = Answer(sentence=asked)
        work.sending = True
        sent = await send_reply(message, answer)
        if sent is None:
            return
        await self._store.remember(
            Reply(
                reply_id=sent.id,
                channel_id=sent.channel.id,
                request_id=message.id,
                photo_id=asked.photo_id if isinstance(asked, Request) else message.id,
                asker_id=message.author.id,
                group=asked.group if isinstance(asked, Request) else Group.AUTO,
                fingerprint=work.fingerprint,
            )
        )

    async def _identify(
        self, message: discord.Message, selection: Selection, group: Group
    ) -> Answer:
        requester = _requester(message)
        return await self._answerer.answer(
            partial(self._intake.read, selection, requester),
            group,
            requester=requester,
            readers=Readers.of_message(message),
        )

    async def _follow_edit(self, message: discord.Message) -> list[Work]:
        """Start what an edit asks for: a first answer, or others in the place of those given."""
        for work in self._works.about(message.id):
            work.edited = message
        asked = await self._asking.asked(message)
        first = self._works.answering(message.id)
        if first is not None:
            if first.fingerprint == _fingerprint(asked):
                return []
            await self._works.stop([first])
        replies = await self._store.replies_to(message.id)
        own = [reply for reply in replies if reply.request_id == message.id]
        works = []
        if asked is not None and self._asks_anew(message, asked, own, stopped=first is not None):
            for told in own:
                await self._remove(told)
            works = self._begin(message, asked)
            replies = [reply for reply in replies if reply not in own]
        for reply in replies:
            works += await self._refresh(reply, message)
        return works

    def _asks_anew(
        self, message: discord.Message, asked: Request | str, own: list[Reply], *, stopped: bool
    ) -> bool:
        """Tell whether an edited message is to be answered as if it had been posted just now.

        So it is where it had no card, or none but the advice how to get one; a card is redone, and
        one that somebody removed, which is still in the store, stays away.
        """
        if any(reply.fingerprint for reply in own):
            return False
        if stopped and not own:
            return True
        return isinstance(asked, Request) and (bool(own) or self._asking.asks_late(message))

    async def _refresh(self, reply: Reply, message: discord.Message) -> list[Work]:
        """Bring ``reply`` up to date with ``message``, its edited request or photo."""
        async with self._turns.of(reply.reply_id):
            return await self._refresh_in_turn(await self._as_kept(reply), message)

    async def _refresh_in_turn(self, reply: Reply, message: discord.Message) -> list[Work]:
        selection = await self._asking.photos_now(reply, message)
        if selection is None or not reply.fingerprint:
            return []
        group = self._asking.group_now(reply, message)
        running = self._works.redoing(reply.reply_id)
        if running is not None and running.group is not None and message.id != reply.request_id:
            # What the request asks for now is not in the store yet.
            group = running.group
        now = fingerprint(group, selection)
        if running is not None:
            if running.fingerprint == now:
                return []
            await self._works.stop([running])
            reply = await self._as_kept(reply)
        if not selection:
            await self._remove(reply)
            return []
        if now == reply.fingerprint:
            return []
        work = Work(
            message_ids=frozenset({message.id, reply.photo_id}),
            fingerprint=now,
            reply_id=reply.reply_id,
            group=group,
        )
        return [self._works.start(work, partial(self._redo, reply, message, selection, group))]

    async def _as_kept(self, reply: Reply) -> Reply:
        """Return a reply as it is in the store by now."""
        current = await self._store.replies_to(reply.photo_id)
        return next((one for one in current if one.reply_id == reply.reply_id), reply)

    async def _redo(
        self,
        reply: Reply,
        message: discord.Message,
        selection: Selection,
        group: Group,
        work: Work,
    ) -> None:
        """Put another answer in the place of ``reply``."""
        answer = await self._identify(message, selection, group)
        work.sending = True
        rendered = render(
            answer,
            permissions_at(message),
            asker_id=reply.asker_id,
            source_url=message.jump_url if reply.request_id is None else None,
        )
        try:
            await self._partial(reply).edit(**rendered.to_edit())
        except DELIVERY_ERRORS as error:
            log.info("Reply %d could not be edited: %s", reply.reply_id, error)
            return
        await self._store.remember(replace(reply, group=group, fingerprint=work.fingerprint))

    async def _deleted(self, message_id: int) -> None:
        async with self._turns.of(message_id):
            await self._works.stop(self._works.about(message_id))
            for reply in await self._store.replies_to(message_id):
                await self._remove(reply)

    async def _remove(self, reply: Reply) -> None:
        try:
            await self._partial(reply).delete()
        except DELIVERY_ERRORS as error:
            # Most often somebody has removed it already.
            log.info("Reply %d could not be deleted: %s", reply.reply_id, error)
        await self._store.forget(reply.reply_id)

    def _partial(self, reply: Reply) -> discord.PartialMessage:
        channel = self._client.get_partial_messageable(reply.channel_id)
        return channel.get_partial_message(reply.reply_id)


async def _finished(works: list[Work]) -> None:
    await asyncio.gather(*(work.finished() for work in works))


def _fingerprint(asked: Request | str | None) -> str:
    """Name what the answer depends on; advice depends on nothing."""
    return asked.fingerprint if isinstance(asked, Request) else ""


def _requester(message: discord.Message) -> Requester:
    return Requester(member=message.author.id, server=message.guild.id if message.guild else None)
