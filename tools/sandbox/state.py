"""The sandbox's world: everything that exists in it, in memory, and every way it changes.

Whatever changes it goes through a method here, which also tells the feed; so the page,
the gateway and a waiting test always hear the same thing in the same order.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tools.sandbox.errors import unknown
from tools.sandbox.events import Event, Feed
from tools.sandbox.files import Files
from tools.sandbox.messages import EPHEMERAL, HAS_SNAPSHOT, LOADING, REPLY, Message
from tools.sandbox.people import EVERYONE, MODERATOR, Json, Membership, Permission, Role, User
from tools.sandbox.places import Channel, Guild
from tools.sandbox.settings import Settings

EPOCH_MS = 1_420_070_400_000


@dataclass(slots=True, kw_only=True)
class Commands:
    """The application commands registered, global ones under None, a guild's under its id."""

    by_scope: dict[int | None, list[Json]] = field(default_factory=dict)

    def all(self) -> list[Json]:
        """List every command of every scope."""
        return [command for scope in self.by_scope.values() for command in scope]

    def find(self, command_id: int) -> Json | None:
        """Return the command with this id."""
        return next((c for c in self.all() if int(c["id"]) == command_id), None)


class World:
    """Every user, guild, channel, message and file, and the operations on them."""

    def __init__(self, settings: Settings, *, bot_name: str) -> None:
        self.settings = settings
        self.feed = Feed()
        self.token = f"sandbox.{secrets.token_urlsafe(24)}"
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files = Files(settings, self.snowflake)
        self.commands = Commands()
        self._last_snowflake = 0
        self.bot = self.add_user(bot_name, bot=True)

    def snowflake(self) -> int:
        """Return a new id: milliseconds since Discord's epoch, then a counter."""
        now = (time.time_ns() // 1_000_000 - EPOCH_MS) << 22
        self._last_snowflake = max(now, self._last_snowflake + 1)
        return self._last_snowflake

    # Who and where -----------------------------------------------------------------

    def add_user(self, name: str, *, bot: bool = False) -> User:
        """Create an account."""
        username = name.lower().replace(" ", "_")
        user = User(id=self.snowflake(), username=username, global_name=name, bot=bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, *, owner: User, installed: bool = True) -> Guild:
        """Create a server with @everyone, a moderator role and, if installed, the bot."""
        guild = Guild(
            id=self.snowflake(),
            name=name,
            owner=owner,
            created_at=datetime.now(UTC),
            installed=installed,
        )
        guild.roles = [
            Role(id=guild.id, name="@everyone", permissions=EVERYONE, position=0),
            Role(id=self.snowflake(), name="moderator", permissions=MODERATOR, position=1),
        ]
        self.guilds[guild.id] = guild
        self.add_member(guild, owner)
        if installed:
            self.install(guild)
        return guild

    def install(self, guild: Guild) -> None:
        """Add the application to a server, and tell the bot."""
        guild.installed = True
        role = Role(
            id=self.snowflake(),
            name=self.bot.global_name or self.bot.username,
            permissions=EVERYONE,
            position=2,
            bot_id=self.bot.id,
        )
        guild.roles.append(role)
        self.add_member(guild, self.bot, role)
        joined = guild.create_payload(members=[guild.members[self.bot.id]])
        del joined["unavailable"]
        self.feed.publish(
            Event(name="GUILD_CREATE", data=joined, guild=guild, to_bot=True, to_page=False)
        )

    def uninstall(self, guild: Guild) -> None:
        """Throw the application out of a server, and tell the bot."""
        gone = {"id": str(guild.id)}
        self.feed.publish(
            Event(name="GUILD_DELETE", data=gone, guild=guild, to_bot=True, to_page=False)
        )
        guild.installed = False
        del guild.members[self.bot.id]
        guild.roles = [role for role in guild.roles if role.bot_id is None]

    def add_member(self, guild: Guild, user: User, *roles: Role) -> Membership:
        """Let ``user`` into ``guild``."""
        membership = Membership(user=user, joined_at=datetime.now(UTC), roles=list(roles))
        guild.members[user.id] = membership
        return membership

    def add_channel(self, guild: Guild, name: str, *, topic: str | None = None) -> Channel:
        """Create a text channel, and tell everyone."""
        channel = Channel(
            id=self.snowflake(), name=name, guild=guild, topic=topic, position=len(guild.channels)
        )
        guild.channels[channel.id] = self.channels[channel.id] = channel
        self._tell("CHANNEL_CREATE", channel.payload(), channel)
        return channel

    def direct_messages(self, user: User) -> Channel:
        """Return the channel of the bot with ``user``, opening it on first use."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        name = self.bot.global_name or self.bot.username
        channel = Channel(id=self.snowflake(), name=name, recipient=user)
        self.channels[channel.id] = channel
        return channel

    def deny(self, channel: Channel, user: User, denied: Permission) -> None:
        """Take ``denied`` from ``user`` in ``channel`` by an overwrite; nothing gives all back."""
        channel.denied[user.id] = denied
        self._tell("CHANNEL_UPDATE", channel.payload(), channel)

    def application_flags(self) -> int:
        """Return the application's flags: which privileged intents it may ask for."""
        bits = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}
        return sum(bits[name] for name in self.settings.privileged)

    # Messages ----------------------------------------------------------------------

    def message(self, channel: Channel, message_id: int) -> Message:
        """Return a message that everyone in the channel may see.

        Raises:
            ApiError: 10008 where there is none.
        """
        message = channel.messages.get(message_id)
        if message is None or message.ephemeral:
            raise unknown("Message")
        return message

    def everything_said(self) -> list[Message]:
        """List every message, oldest first, ephemeral ones included."""
        said = [m for channel in self.channels.values() for m in channel.messages.values()]
        return sorted(said, key=lambda message: message.id)

    def blank(self, channel: Channel, author: User, *, flags: int = 0) -> Message:
        """Return a new message that is not said yet."""
        return Message(
            id=self.snowflake(),
            channel=channel,
            author=author,
            timestamp=datetime.now(UTC),
            flags=flags,
        )

    def say(self, message: Message) -> None:
        """Add a written message to its channel and tell everyone."""
        message.channel.messages[message.id] = message
        self._publish("MESSAGE_CREATE", message)

    def change(self, message: Message, *, edited: bool = True) -> None:
        """Tell everyone that a message now reads differently.

        Args:
            message: The message, already rewritten.
            edited: Whether people see "(edited)"; not so when a placeholder becomes the answer.
        """
        if message.loading:
            message.flags &= ~LOADING
        elif edited:
            message.edited = datetime.now(UTC)
        self._publish("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        """Remove a message and its files."""
        self._remove(message, to_bot=not message.ephemeral)

    def delete_together(self, channel: Channel, messages: Iterable[Message]) -> None:
        """Remove messages of a server's channel and their files; the bot hears of all at once."""
        gone = {message.id: message for message in messages}
        for message in gone.values():
            self._remove(message, to_bot=False)
        data: Json = {"ids": [str(number) for number in gone], "channel_id": str(channel.id)}
        self._tell("MESSAGE_DELETE_BULK", data, channel, to_page=False)

    def _remove(self, message: Message, *, to_bot: bool) -> None:
        del message.channel.messages[message.id]
        for file in message.files:
            self.files.remove(file)
        data: Json = {"id": str(message.id), "channel_id": str(message.channel.id)}
        self._tell("MESSAGE_DELETE", data, message.channel, to_bot=to_bot)

    def refer(self, message: Message, target: Message) -> None:
        """Make ``message`` a reply to ``target``."""
        message.type = REPLY
        message.replied_to = target
        message.reference = target.reference_payload(kind=0)

    def forward(self, message: Message, target: Message) -> None:
        """Make ``message`` a forward of ``target`` as it is now, which names no author."""
        message.flags |= HAS_SNAPSHOT
        message.reference = target.reference_payload(kind=1)
        message.snapshot = target.snapshot_payload()

    def react(self, message: Message, user: User, emoji: str, *, present: bool) -> None:
        """Add or take back a reaction."""
        users = message.reactions.setdefault(emoji, set())
        (users.add if present else users.discard)(user.id)
        if not users:
            del message.reactions[emoji]
        data: Json = {
            "user_id": str(user.id),
            "channel_id": str(message.channel.id),
            "message_id": str(message.id),
            "message_author_id": str(message.author.id),
            "emoji": {"id": None, "name": emoji},
            "burst": False,
            "type": 0,
        }
        self._tell(
            "MESSAGE_REACTION_ADD" if present else "MESSAGE_REACTION_REMOVE", data, message.channel
        )
        self.feed.publish(
            Event(
                name="MESSAGE_UPDATE",
                data=message.payload(bot_id=self.bot.id),
                channel=message.channel,
                message=message,
            )
        )

    def typing(self, channel: Channel, user: User) -> None:
        """Show that somebody is typing."""
        data: Json = {
            "channel_id": str(channel.id),
            "user_id": str(user.id),
            "timestamp": int(time.time()),
        }
        self._tell("TYPING_START", data, channel)

    def _tell(
        self, name: str, data: Json, channel: Channel, *, to_bot: bool = True, to_page: bool = True
    ) -> None:
        if channel.guild:
            data["guild_id"] = str(channel.guild.id)
        self.feed.publish(
            Event(name=name, data=data, channel=channel, to_bot=to_bot, to_page=to_page)
        )

    def _publish(self, name: str, message: Message) -> None:
        channel = message.channel
        data = message.payload(bot_id=self.bot.id)
        if channel.guild:
            data["guild_id"] = str(channel.guild.id)
            membership = channel.guild.members.get(message.author.id)
            if membership:
                data["member"] = membership.payload(with_user=False)
        self.feed.publish(
            Event(
                name=name,
                data=data,
                channel=channel,
                message=message,
                to_bot=not message.flags & EPHEMERAL,
            )
        )
