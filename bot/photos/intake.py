"""What counts as a photo, and reading it from Discord or from a link, within limits."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath
from weakref import WeakValueDictionary

import aiohttp
import discord

from bot.config import IntakeSection
from bot.errors import Refusal
from bot.photos.fetch import PhotoFetcher
from bot.photos.filetype import file_type
from engine import Requester

log = logging.getLogger(__name__)

_IMAGE_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".png", ".tif", ".tiff", ".webp",
}  # fmt: skip
_ACCEPTED = "JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, BMP or JPEG 2000"

_MOST_AT_ONCE = 16
_ATTACHMENTS_PER_MEMBER = 4
_LINKS_PER_MEMBER = 2
_CODE_SPAN = re.compile(r"`([^`]*)`")
_BEHIND_SPOILER = re.compile(r"\|\|(.+?)\|\|", re.DOTALL)

NO_PHOTO = "I see no photo in that message: choose one that has a photo."
"""What is said where a message was chosen that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The attachments or links of a message that are taken as its photos.

    ``spoiler`` is set where one of them is hidden behind a spoiler. ``notes`` are sentences
    about what was left out.
    """

    attachments: tuple[discord.Attachment, ...] = ()
    links: tuple[str, ...] = ()
    spoiler: bool = False
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Name what was selected, so that an edited message can be compared."""
        ids = [str(attachment.id) for attachment in self.attachments]
        return ",".join([*ids, *self.links, "spoiler" if self.spoiler else ""])

    def __bool__(self) -> bool:
        return bool(self.attachments or self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photos:
    """Photos as bytes, several views of one individual, with what people should know."""

    data: tuple[bytes, ...]
    spoiler: bool = False
    notes: tuple[str, ...] = ()


class _Places:
    """How many are read at a time, however many are posted: in all, and of a member."""

    def __init__(self, of_a_member: int) -> None:
        self._all = asyncio.Semaphore(_MOST_AT_ONCE)
        self._of_a_member = of_a_member
        # A share is there while somebody reads or waits in it.
        self._shares: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, requester: Requester) -> AsyncIterator[None]:
        """Hold one of the places, within the member's share of them."""
        share = self._shares.setdefault(requester.member, asyncio.Semaphore(self._of_a_member))
        async with share, self._all:
            yield


class Intake:
    """Reads the photos of a selection or a link within the limits of the settings."""

    def __init__(self, settings: IntakeSection, fetcher: PhotoFetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher
        # Slow links hold up no attachments.
        self._attachments = _Places(_ATTACHMENTS_PER_MEMBER)
        self._links = _Places(_LINKS_PER_MEMBER)

    def select(self, message: discord.Message, *, embeds: bool = False) -> Selection:
        """Choose the photos of ``message``: its own attachments, then forwarded ones.

        ``embeds`` also takes the picture of a link's preview where nothing was attached.
        """
        attachments = attachments_of(message)
        likely = [attachment for attachment in attachments if _may_be_photo(attachment)]
        taken = tuple(likely[: self._settings.max_photos])
        if not taken and embeds:
            return _previewed(message)
        notes = []
        if len(likely) > len(taken):
            notes.append(f"Only the first {len(taken)} photos were looked at.")
        if taken and any(_is_video(attachment) for attachment in attachments):
            notes.append("Videos are left out.")
        spoiler = any(attachment.is_spoiler() for attachment in taken)
        return Selection(attachments=taken, spoiler=spoiler, notes=tuple(notes))

    async def read(self, selection: Selection, requester: Requester) -> Photos:
        """Read what was selected; leave out what is no photo as long as one is left.

        For each member only some are read at a time, so that many or slow ones hold up nobody
        else's.

        Raises:
            Refusal: nothing of it is an acceptable photo; the sentence is the first reason.
        """
        pending = [self.attachment(attachment, requester) for attachment in selection.attachments]
        pending += [self.link(link, requester) for link in selection.links]
        results = await asyncio.gather(*pending, return_exceptions=True)
        data = [result for result in results if isinstance(result, bytes)]
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, Refusal):
                raise failure
        if not data:
            raise failures[0]
        notes = [*selection.notes, *(f"Left out: {_plain(failure)}" for failure in failures)]
        return Photos(data=tuple(data), spoiler=selection.spoiler, notes=tuple(notes))

    def check(self, attachment: discord.Attachment) -> None:
        """Refuse ``attachment`` before its download where its size already forbids it."""
        if attachment.size > self._settings.max_bytes:
            size = math.ceil(attachment.size / 2**20)
            raise Refusal(
                f"`{_name(attachment)}` is {size} MB and I read at most"
                f" {self._settings.max_bytes / 2**20:.0f} MB. Please send a smaller copy."
            )

    async def attachment(self, attachment: discord.Attachment, requester: Requester) -> bytes:
        """Download ``attachment`` and return its bytes if they are a photo.

        Raises:
            Refusal: it is too large, gone, too slow, or not a photo.
        """
        self.check(attachment)
        name = _name(attachment)
        try:
            async with self._attachments.one(requester):
                async with asyncio.timeout(self._settings.attachment_timeout_s):
                    data = await attachment.read()
        except TimeoutError:
            raise Refusal(
                f"Discord did not hand me `{name}` in time. Please try again in a moment."
            ) from None
        except discord.NotFound:
            raise Refusal(f"`{name}` is gone from Discord. Please upload it again.") from None
        except (discord.HTTPException, aiohttp.ClientError) as error:
            # Not the error's own text: it may hold the address, with the file's name.
            log.warning(
                "An attachment could not be read: %s, status %s.",
                type(error).__name__,
                getattr(error, "status", None),
            )
            raise Refusal(
                f"Discord did not hand me `{name}`. Please try again in a moment."
            ) from error
        return self._photo(data, f"`{name}`")

    async def link(self, link: str, requester: Requester) -> bytes:
        """Fetch what ``link`` leads to and return its bytes if they are a photo.

        Raises:
            Refusal: the link is not acceptable, leads to no photo, or had to wait too long for
                others.
        """
        wait_s = self._settings.url_timeout_s
        async with AsyncExitStack() as place:
            try:
                async with asyncio.timeout(wait_s):
                    await place.enter_async_context(self._links.one(requester))
            except TimeoutError:
                raise Refusal(
                    f"Too many links are being fetched just now. Please try again in {wait_s:g}"
                    " seconds, or upload the photo instead."
                ) from None
            data = await self._fetcher.fetch(link)
        return self._photo(data, "What that link leads to")

    def _photo(self, data: bytes, subject: str) -> bytes:
        kind = file_type(data)
        if not kind.photo:
            raise Refusal(f"{subject} is {kind.name}, not a photo I can read. Send a {_ACCEPTED}.")
        return data


def given(photo: discord.Attachment | None, url: str | None) -> Selection:
    """Take the one photo of a command, whichever way it was given.

    Raises:
        Refusal: it was given none, or two.
    """
    if photo is not None and url is None:
        return Selection(attachments=(photo,), spoiler=photo.is_spoiler())
    if url is not None and photo is None:
        return Selection(links=(url,))
    raise Refusal("Give me one photo: upload it as `photo`, or link to it as `url`.")


def attachments_of(message: discord.Message) -> list[discord.Attachment]:
    """Return the files of a message: its own, then those of what it forwards."""
    forwarded = (a for snapshot in message.message_snapshots for a in snapshot.attachments)
    return [*message.attachments, *forwarded]


def _name(attachment: discord.Attachment) -> str:
    """Shorten a file's name and take out what would end the code span it is shown in."""
    return attachment.filename.replace("`", "'")[:60]


def _plain(failure: BaseException) -> str:
    """Say why for a card's footer, which knows no Markdown."""
    return _CODE_SPAN.sub(r"“\1”", str(failure))


def _may_be_photo(attachment: discord.Attachment) -> bool:
    """Go by what the sender's client claims; the bytes are judged after the download."""
    if attachment.content_type is not None and attachment.content_type.startswith("image/"):
        return True
    suffix = PurePath(attachment.filename).suffix.lower()
    return suffix in _IMAGE_SUFFIXES or (not suffix and not _is_video(attachment))


def _is_video(attachment: discord.Attachment) -> bool:
    return (attachment.content_type or "").startswith("video/")


def describe_leftovers(attachments: Sequence[discord.Attachment]) -> str:
    """Say why none of ``attachments`` was taken as a photo."""
    if any(_is_video(attachment) for attachment in attachments):
        return "I can't watch videos. Please send a photo, or a frame of the video."
    return f"`{_name(attachments[0])}` is not a photo I can read. Send a {_ACCEPTED}."


def _previewed(message: discord.Message) -> Selection:
    """Take the first picture that the message's embeds show, by Discord's own copy of it.

    Those of what it forwards come after its own.
    """
    sources: list[discord.Message | discord.MessageSnapshot] = [message, *message.message_snapshots]
    for source in sources:
        hidden = _BEHIND_SPOILER.findall(source.content)
        for embed in source.embeds:
            for picture in (embed.image, embed.thumbnail):
                if picture.url is not None:
                    spoiler = any((embed.url or picture.url) in text for text in hidden)
                    return Selection(links=(picture.proxy_url or picture.url,), spoiler=spoiler)
    return Selection()
