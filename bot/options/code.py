"""A command's option that takes one of many things by its name, offered while it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands

from bot.errors import Refusal
from bot.markdown import escape, one_line
from bot.options.named_codes import NamedCodes

_MAX_CHOICES = 25
_MAX_CHOICE = 100
_MAX_SHOWN = 60
_LIKELY = 3


class CodeOption(app_commands.Transformer):
    """Takes a name and hands on its code.

    ``kind`` says what is named, such as "country or continent", and ``advice`` what to do instead
    of naming anything else. ``others`` are further choices that stand first, by their codes.
    """

    def __init__(
        self, codes: NamedCodes, *, kind: str, advice: str, others: Mapping[str, str] | None = None
    ) -> None:
        self._codes = codes
        self._kind = kind
        self._advice = advice
        self._others = others or {}

    async def transform(self, interaction: discord.Interaction[Any], value: Any, /) -> str:
        """Return the code of what was chosen, or typed without choosing.

        Raises:
            Refusal: it is no name of one.
        """
        typed, locale = str(value), interaction.locale.value
        plain = typed.casefold().strip()
        for code, name in self._others.items():
            if plain in (code, name.casefold()):
                return code
        found = self._codes.find(typed, locale)
        if found is None:
            raise Refusal(self._unknown(typed, locale))
        return found

    async def autocomplete(
        self, interaction: discord.Interaction[Any], value: Any, /
    ) -> list[app_commands.Choice[Any]]:
        """Offer names in the member's language."""
        typed, locale = str(value), interaction.locale.value
        offered = [
            (name, code)
            for code, name in self._others.items()
            if _begins_a_word(typed.casefold().strip(), name.casefold())
        ]
        offered += [
            (self._codes.name(code, locale), code)
            for code in self._codes.suggest(typed, locale, _MAX_CHOICES)
        ]
        return [
            app_commands.Choice(name=name[:_MAX_CHOICE], value=code)
            for name, code in offered[:_MAX_CHOICES]
        ]

    def _unknown(self, typed: str, locale: str) -> str:
        near = [
            self._codes.name(code, locale) for code in self._codes.suggest(typed, locale, _LIKELY)
        ]
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        shown = escape(one_line(typed, _MAX_SHOWN))
        return f"I know no {self._kind} called “{shown}”.{meant} {self._advice}"


def _begins_a_word(typed: str, name: str) -> bool:
    return f" {typed}" in f" {name}"
