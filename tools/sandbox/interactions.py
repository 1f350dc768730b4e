"""Interactions: what a person asks of the application, and how far the answer has come."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from enum import IntEnum

from tools.sandbox.messages import (
    Message,
)
from tools.sandbox.people import Json, User
from tools.sandbox.places import Channel
from tools.sandbox.state import World

NO_ANSWER = "The application did not respond"


class Kind(IntEnum):
    """What a person did."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class Callback(IntEnum):
    """How the application acknowledges."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


class NoResponse(Exception):
    """The application did not do what it owed the person in time."""


@dataclass(slots=True, kw_only=True, eq=False)
class Interaction:
    """One thing asked, and how far its answer has come.

    ``original`` is the message that ``@original`` means: the answer, or the message whose
    button was pressed. ``choices`` and ``modal`` hold those kinds of answer.
    """

    id: int
    token: str
    kind: Kind
    user: User
    channel: Channel
    data: Json
    world: World
    message: Message | None = None
    command_name: str = ""
    command_type: int = 1
    started: float = field(default_factory=time.monotonic)
    callback: Callback | None = None
    original: Message | None = None
    choices: list[Json] | None = None
    modal: Json | None = None
    followups: int = 0
    failure: str | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def installed(self) -> bool:
        """Whether the place it was asked in has the application installed."""
        return self.channel.guild is None or self.channel.guild.installed

    def owners(self) -> Json:
        """Return who authorised the application for this: the guild, or the user."""
        guild = self.channel.guild
        if guild is None:
            return {"0": "0", "1": str(self.user.id)}
        return {"0": str(guild.id)} if guild.installed else {"1": str(self.user.id)}

    def message_fields(self) -> Json:
        """Return what an answer says about the question it answers."""
        metadata: Json = {
            "id": str(self.id),
            "type": int(self.kind),
            "user": self.user.payload(),
            "authorizing_integration_owners": self.owners(),
        }
        fields: Json = {
            "application_id": str(self.world.bot.id),
            "webhook_id": str(self.world.bot.id),
            "interaction_metadata": metadata,
        }
        if self.kind is Kind.COMMAND:
            if "target_id" in self.data:
                metadata["target_message_id"] = self.data["target_id"]
            fields["interaction"] = {
                "id": str(self.id),
                "type": int(self.kind),
                "name": self.command_name,
                "user": self.user.payload(),
            }
        elif self.kind is Kind.COMPONENT and self.message is not None:
            metadata["interacted_message_id"] = str(self.message.id)
        elif self.message is not None:
            metadata["triggering_interaction_metadata"] = {
                "id": str(self.id),
                "type": int(Kind.COMPONENT),
                "user": self.user.payload(),
                "authorizing_integration_owners": self.owners(),
                "interacted_message_id": str(self.message.id),
            }
        else:
            metadata["triggering_interaction_metadata"] = {
                "id": str(self.id),
                "type": int(Kind.COMMAND),
                "user": self.user.payload(),
                "authorizing_integration_owners": self.owners(),
            }
        return fields

    async def acknowledged(self) -> Callback:
        """Wait until the application acknowledges.

        Raises:
            NoResponse: It did not within Discord's 3 seconds.
        """
        await self.settled.wait()
        if self.callback is None:
            raise NoResponse(f"{NO_ANSWER}: {self.describe()}")
        return self.callback

    async def answer(self, timeout: float = 10.0) -> Json:  # noqa: ASYNC109 -- the error says it
        """Wait for the finished answer: a message that no longer says "thinking".

        Args:
            timeout: Seconds to wait for a deferred answer.

        Raises:
            NoResponse: No acknowledgement, no answer in time, or an answer of another kind.
        """
        callback = await self.acknowledged()
        if self.original is None:
            raise NoResponse(f"{self.describe()} was answered with {callback.name}, not a message")
        if self.original.loading:
            original = self.original
            try:
                await self.world.feed.first(
                    lambda event: event.message is original and not original.loading, timeout
                )
            except TimeoutError:
                raise NoResponse(
                    f"{self.describe()} was deferred and not answered within {timeout} s"
                ) from None
        return self.original.payload(bot_id=self.world.bot.id)

    def describe(self) -> str:
        """Name the interaction in an error's sentence."""
        what = self.command_name or self.data.get("custom_id", "")
        return f"{self.kind.name.lower()} {what!r} of {self.user.username}"


def new_token() -> str:
    """Return a token nobody can guess."""
    return secrets.token_urlsafe(48)
