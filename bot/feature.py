"""What a feature hands to the bot: its commands, its buttons and the events it hears."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import discord
from discord import app_commands

AnyCommand: TypeAlias = (
    app_commands.Command[Any, ..., Any] | app_commands.ContextMenu | app_commands.Group
)
Listener: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing a user can do, ready to be added to a bot.

    ``commands`` join the command tree, ``dynamic_items`` are the buttons that outlive a
    restart, and ``listeners`` maps an event's name (``"on_message"``) to its coroutine.
    """

    commands: tuple[AnyCommand, ...] = ()
    dynamic_items: tuple[type[discord.ui.DynamicItem[Any]], ...] = ()
    listeners: Mapping[str, Listener] = field(default_factory=dict)
