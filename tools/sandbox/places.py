"""Where things are said in the sandbox: guilds, their channels, and direct messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tools.sandbox.people import ALL, IN_A_DM, Json, Membership, Permission, Role, User

if TYPE_CHECKING:
    from tools.sandbox.messages import Message

GUILD_TEXT = 0
DM = 1


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """A text channel of a guild, or a direct message where ``guild`` is None.

    ``denied`` holds, by user id, what a permission overwrite takes from that user here.
    """

    id: int
    name: str
    guild: Guild | None = None
    topic: str | None = None
    position: int = 0
    recipient: User | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    denied: dict[int, Permission] = field(default_factory=dict)

    @property
    def last_message_id(self) -> str | None:
        """The newest message everyone may see, as an id."""
        public = [m.id for m in self.messages.values() if not m.ephemeral]
        return str(max(public)) if public else None

    def permissions(self, user: User) -> Permission:
        """Compute what ``user`` may do here, as Discord does: roles, then the overwrite."""
        if self.guild is None:
            return IN_A_DM
        granted = self.guild.permissions(user)
        if Permission.ADMINISTRATOR in granted:
            return ALL
        return granted & ~self.denied.get(user.id, Permission(0))

    def payload(self) -> Json:
        """Return the channel object as Discord sends it."""
        channel: Json = {"id": str(self.id), "flags": 0, "last_message_id": self.last_message_id}
        if self.guild is None:
            recipients = [self.recipient.payload()] if self.recipient else []
            return channel | {"type": DM, "recipients": recipients}
        return channel | {
            "type": GUILD_TEXT,
            "guild_id": str(self.guild.id),
            "name": self.name,
            "topic": self.topic,
            "position": self.position,
            "parent_id": None,
            "nsfw": False,
            "rate_limit_per_user": 0,
            "permission_overwrites": [
                {"id": str(user), "type": 1, "allow": "0", "deny": str(int(denied))}
                for user, denied in self.denied.items()
                if denied
            ],
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Guild:
    """A server. ``installed`` says whether it added the application as a member."""

    id: int
    name: str
    owner: User
    created_at: datetime
    installed: bool = True
    roles: list[Role] = field(default_factory=list)
    members: dict[int, Membership] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)

    def permissions(self, user: User) -> Permission:
        """Compute what ``user`` may do in general; everything for the owner."""
        if user is self.owner:
            return ALL
        granted = self.roles[0].permissions
        membership = self.members.get(user.id)
        for role in membership.roles if membership else ():
            granted |= role.permissions
        return ALL if Permission.ADMINISTRATOR in granted else granted

    def payload(self) -> Json:
        """Return the guild object as REST sends it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "description": None,
            "home_header": None,
            "splash": None,
            "discovery_splash": None,
            "features": [],
            "banner": None,
            "owner_id": str(self.owner.id),
            "application_id": None,
            "region": "deprecated",
            "afk_channel_id": None,
            "afk_timeout": 300,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "widget_enabled": False,
            "widget_channel_id": None,
            "verification_level": 0,
            "roles": [role.payload() for role in self.roles],
            "default_message_notifications": 1,
            "mfa_level": 0,
            "explicit_content_filter": 0,
            "max_presences": None,
            "max_members": 500000,
            "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25,
            "vanity_url_code": None,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "preferred_locale": "en-US",
            "rules_channel_id": None,
            "safety_alerts_channel_id": None,
            "public_updates_channel_id": None,
            "premium_progress_bar_enabled": False,
            "nsfw": False,
            "nsfw_level": 0,
            "emojis": [],
            "stickers": [],
            "incidents_data": None,
        }

    def create_payload(self, *, members: list[Membership]) -> Json:
        """Return the guild as GUILD_CREATE sends it, naming only ``members``."""
        return self.payload() | {
            "unavailable": False,
            "large": False,
            "joined_at": self.created_at.isoformat(),
            "member_count": len(self.members),
            "members": [member.payload() for member in members],
            "channels": [
                {k: v for k, v in channel.payload().items() if k != "guild_id"}
                for channel in self.channels.values()
            ],
            "threads": [],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
