"""The buttons of teaching: Undo below what was learnt, Accept and Decline below a suggestion.

All they need to know is in their ids, which Discord keeps, so they outlive a restart.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Protocol

import discord

from bot.errors import Refusal

LONGEST_NAME = 50
"""Letters of a species' name that Accept's id has room for, which may have 100 in all."""

_MEMBER = r"(?P<member>[0-9]{1,20})"
_IDENTITY = r"(?P<identity>[A-Za-z0-9_-]{11})"
_UNDO = f"fieldmark:undo:{_MEMBER}:{_IDENTITY}"
_ACCEPT = f"fieldmark:accept:{_MEMBER}:{_IDENTITY}:(?P<name>.{{1,{LONGEST_NAME}}})"
_DECLINE = f"fieldmark:decline:{_MEMBER}"


class LessonAnswers(Protocol):
    """What answers the buttons."""

    async def undo(self, interaction: discord.Interaction[Any], button: UndoButton) -> None:
        """Have what was learnt forgotten."""

    async def accept(self, interaction: discord.Interaction[Any], button: AcceptButton) -> None:
        """Learn what was suggested."""

    async def decline(self, interaction: discord.Interaction[Any], button: DeclineButton) -> None:
        """Close or withdraw what was suggested."""


class UndoButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=_UNDO):
    """Has one photo forgotten, which ``member_id`` gave and which was learnt as ``identity``."""

    lessons: ClassVar[LessonAnswers]

    def __init__(self, member_id: int, identity: str) -> None:
        super().__init__(
            discord.ui.Button(
                label="Undo",
                style=discord.ButtonStyle.secondary,
                custom_id=f"fieldmark:undo:{member_id}:{identity}",
            )
        )
        self.member_id = member_id
        self.identity = identity

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - the library's signature
        item: discord.ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
        /,
    ) -> UndoButton:
        """Rebuild the button that was pressed from its id."""
        return cls(int(match["member"]), match["identity"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Have the photo forgotten."""
        await self.lessons.undo(interaction, self)


class AcceptButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=_ACCEPT):
    """Learns the photo of its message as the species ``name``, which ``member_id`` suggested."""

    lessons: ClassVar[LessonAnswers]

    def __init__(self, member_id: int, identity: str, name: str) -> None:
        super().__init__(
            discord.ui.Button(
                label="Accept",
                style=discord.ButtonStyle.success,
                custom_id=f"fieldmark:accept:{member_id}:{identity}:{name}",
            )
        )
        self.member_id = member_id
        self.identity = identity
        self.name = name

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - the library's signature
        item: discord.ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
        /,
    ) -> AcceptButton:
        """Rebuild the button that was pressed from its id."""
        return cls(int(match["member"]), match["identity"], match["name"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Learn what was suggested."""
        await self.lessons.accept(interaction, self)


class DeclineButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=_DECLINE):
    """Closes a suggestion; ``member_id``, who made it, withdraws it so."""

    lessons: ClassVar[LessonAnswers]

    def __init__(self, member_id: int) -> None:
        super().__init__(
            discord.ui.Button(
                label="Decline",
                style=discord.ButtonStyle.secondary,
                custom_id=f"fieldmark:decline:{member_id}",
            )
        )
        self.member_id = member_id

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - the library's signature
        item: discord.ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
        /,
    ) -> DeclineButton:
        """Rebuild the button that was pressed from its id."""
        return cls(int(match["member"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Close or withdraw what was suggested."""
        await self.lessons.decline(interaction, self)


def buttons_of(
    answering: LessonAnswers,
) -> tuple[type[UndoButton], type[AcceptButton], type[DeclineButton]]:
    """Make the buttons that ``answering`` answers."""

    class Undo(UndoButton, template=_UNDO):
        lessons = answering

    class Accept(AcceptButton, template=_ACCEPT):
        lessons = answering

    class Decline(DeclineButton, template=_DECLINE):
        lessons = answering

    return Undo, Accept, Decline


async def message_with(
    interaction: discord.Interaction[Any], custom_id: str
) -> discord.InteractionMessage:
    """Fetch the message of a button anew: links to its files expire, and others press too.

    Raises:
        Refusal: it is gone, or the button is.
    """
    try:
        message = await interaction.original_response()
    except discord.NotFound:
        raise Refusal("That message is gone.") from None
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    if all(custom_id != child.custom_id for row in rows for child in row.children):
        raise Refusal("Somebody else was faster: this has been decided.")
    return message
