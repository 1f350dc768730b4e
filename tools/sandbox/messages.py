"""Messages and the files they carry."""

from __future__ import annotations

import io
import mimetypes
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tools.sandbox.people import Json, User
from tools.sandbox.places import Channel

if TYPE_CHECKING:
    from tools.sandbox.interactions import Interaction

EPHEMERAL = 1 << 6
LOADING = 1 << 7
HAS_SNAPSHOT = 1 << 14
COMPONENTS_V2 = 1 << 15
SUPPRESS_EMBEDS = 1 << 2
LASTING_FLAGS = COMPONENTS_V2 | SUPPRESS_EMBEDS
SPOILER = "SPOILER_"

DEFAULT = 0
REPLY = 19
CHAT_INPUT_COMMAND = 20
CONTEXT_MENU_COMMAND = 23

_FORWARDED = (
    "type",
    "content",
    "mentions",
    "mention_roles",
    "attachments",
    "embeds",
    "timestamp",
    "edited_timestamp",
    "flags",
    "components",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as its sender names it. ``content_type`` is a claim nobody has checked."""

    filename: str
    data: bytes
    content_type: str | None = None

    def claimed_type(self) -> str | None:
        """Return the sender's claim, or what the extension suggests where there is none."""
        if self.content_type in (None, "", "application/octet-stream"):
            guessed, _ = mimetypes.guess_type(self.filename)
            return guessed or self.content_type or None
        return self.content_type


def picture_size(upload: Upload) -> tuple[int, int] | None:
    """Read width and height from a picture's header; None where it is no picture."""
    if not (upload.claimed_type() or "").startswith("image/"):
        return None
    # Only here: a bot that shares the process never needs it.
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(upload.data)) as picture:
                return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


@dataclass(slots=True, kw_only=True, eq=False)
class Attachment:
    """A stored file. ``path`` is where the CDN serves it, ``sign`` makes a query that opens it.

    An address expires, but every reading of the message gives a new one.
    """

    id: int
    path: str
    sign: Callable[[str], str]
    upload: Upload
    description: str | None = None
    ephemeral: bool = False

    @property
    def url(self) -> str:
        """The signed address, which expires."""
        return f"https://cdn.discordapp.com{self.path}?{self.sign(self.path)}"

    @property
    def proxy_url(self) -> str:
        """The address of the resizing proxy."""
        return f"https://media.discordapp.net{self.path}?{self.sign(self.path)}"

    def payload(self) -> Json:
        """Return the attachment object as Discord sends it."""
        attachment: Json = {
            "id": str(self.id),
            "filename": self.upload.filename,
            "size": len(self.upload.data),
            "url": self.url,
            "proxy_url": self.proxy_url,
        }
        content_type = self.upload.claimed_type()
        if content_type:
            attachment["content_type"] = content_type
        if size := picture_size(self.upload):
            attachment["width"], attachment["height"] = size
        if self.description:
            attachment["description"] = self.description
        if self.ephemeral:
            attachment["ephemeral"] = True
        return attachment


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """A message, or the placeholder of an answer still being worked on (``LOADING``).

    ``embeds`` and ``components`` are kept in the shape Discord answers with. Files that they
    show (``embedded``) are not listed as attachments of the message; ``files`` holds them all.
    ``snapshot`` is what a forwarded message said when it was forwarded.
    """

    id: int
    channel: Channel
    author: User
    timestamp: datetime
    type: int = DEFAULT
    flags: int = 0
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    embedded: set[int] = field(default_factory=set)
    mentions: list[User] = field(default_factory=list)
    mention_everyone: bool = False
    edited: datetime | None = None
    nonce: str | int | None = None
    tts: bool = False
    reference: Json | None = None
    replied_to: Message | None = None
    snapshot: Json | None = None
    interaction: Interaction | None = None
    reactions: dict[str, set[int]] = field(default_factory=dict)

    @property
    def ephemeral(self) -> bool:
        """Whether only the person who asked sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it still says "thinking"."""
        return bool(self.flags & LOADING)

    def payload(self, *, bot_id: int = 0, nested: bool = False) -> Json:
        """Return the message object as Discord sends it to somebody who may see all of it.

        Args:
            bot_id: Whose reactions count as ``me``.
            nested: Leave out the message replied to, as Discord does one level down.
        """
        message: Json = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": self.type,
            "flags": self.flags,
            "author": self.author.payload(),
            "content": self.content,
            "embeds": self.embeds,
            "components": self.components,
            "attachments": [f.payload() for f in self.files if f.id not in self.embedded],
            "mentions": [user.payload() for user in self.mentions],
            "mention_roles": [],
            "mention_everyone": self.mention_everyone,
            "timestamp": self.timestamp.isoformat(),
            "edited_timestamp": self.edited.isoformat() if self.edited else None,
            "pinned": False,
            "tts": self.tts,
        }
        if self.nonce is not None:
            message["nonce"] = self.nonce
        if self.interaction is not None:
            message |= self.interaction.message_fields()
        if self.reactions and not nested:
            message["reactions"] = [
                reaction_payload(emoji, users, bot_id) for emoji, users in self.reactions.items()
            ]
        if self.reference is not None:
            message["message_reference"] = self.reference
            if self.snapshot is not None:
                message["message_snapshots"] = [{"message": self.snapshot}]
            elif not nested:
                replied = self.replied_to
                message["referenced_message"] = replied.payload(nested=True) if replied else None
        return message

    def reference_payload(self, *, kind: int) -> Json:
        """Return how another message refers to this one: 0 as a reply, 1 as a forward."""
        reference: Json = {
            "type": kind,
            "channel_id": str(self.channel.id),
            "message_id": str(self.id),
        }
        if self.channel.guild:
            reference["guild_id"] = str(self.channel.guild.id)
        return reference

    def snapshot_payload(self) -> Json:
        """Return what a forward of the message shows, which names no author."""
        whole = self.payload()
        return {name: whole[name] for name in _FORWARDED}


def reaction_payload(emoji: str, users: set[int], bot_id: int) -> Json:
    """Return one line of a message's reactions."""
    return {
        "emoji": {"id": None, "name": emoji},
        "count": len(users),
        "count_details": {"burst": 0, "normal": len(users)},
        "burst_colors": [],
        "me": bot_id in users,
        "me_burst": False,
    }


_HIDDEN: Json = {"content": "", "embeds": [], "attachments": [], "components": []}


def without_content(message: Json, bot_id: int) -> Json:
    """Empty what the Message Content intent protects, unless Discord would still show it.

    It shows the bot's own messages, direct messages (the caller's business: they carry no
    ``guild_id`` here) and messages that mention the bot, replies that ping it included. The
    message replied to is judged by the same rule on its own.
    """
    shown = dict(message)
    mentioned = any(user["id"] == str(bot_id) for user in message["mentions"])
    if message["author"]["id"] != str(bot_id) and not mentioned:
        shown |= _HIDDEN
        if "message_snapshots" in shown:
            forwarded = [snapshot["message"] | _HIDDEN for snapshot in shown["message_snapshots"]]
            shown["message_snapshots"] = [{"message": message} for message in forwarded]
    if shown.get("referenced_message"):
        shown["referenced_message"] = without_content(shown["referenced_message"], bot_id)
    return shown
