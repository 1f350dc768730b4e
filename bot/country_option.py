"""A command's option that takes a country, offered by name while it is typed."""

from __future__ import annotations

from typing import Any, TypeAlias

import discord
from discord import app_commands

from bot.countries import country_name, find_country, suggest_countries
from bot.errors import Refusal
from bot.markdown import escape, one_line

ANYWHERE = "anywhere"
"""Stands for a country where none is to be taken into account."""

_MAX_CHOICES = 25
_MAX_CHOICE = 100
_LIKELY = 3


class Country(app_commands.Transformer):
    """Takes a country and hands on its code; ``anywhere`` also offers none in particular."""

    def __init__(self, *, anywhere: bool = False) -> None:
        self._anywhere = anywhere

    async def transform(self, interaction: discord.Interaction[Any], value: Any, /) -> str:
        """Return the code of what was chosen, or typed without choosing.

        Raises:
            Refusal: it is no country.
        """
        typed, locale = str(value), interaction.locale.value
        if self._anywhere and typed.casefold() == ANYWHERE:
            return ANYWHERE
        found = find_country(typed, locale)
        if found is None:
            raise Refusal(_unknown(typed, locale))
        return found

    async def autocomplete(
        self, interaction: discord.Interaction[Any], value: Any, /
    ) -> list[app_commands.Choice[Any]]:
        """Offer countries by their names in the member's language."""
        typed, locale = str(value), interaction.locale.value
        choices = [
            app_commands.Choice(name=country_name(code, locale)[:_MAX_CHOICE], value=code)
            for code in suggest_countries(typed, locale, _MAX_CHOICES)
        ]
        if self._anywhere and ANYWHERE.startswith(typed.casefold().strip()):
            nowhere = app_commands.Choice(name="Anywhere: leave the place out", value=ANYWHERE)
            choices = [nowhere, *choices[: _MAX_CHOICES - 1]]
        return choices


CountryOption: TypeAlias = app_commands.Transform[str, Country]
CountryOrAnywhere: TypeAlias = app_commands.Transform[str, Country(anywhere=True)]


def _unknown(typed: str, locale: str) -> str:
    near = [country_name(code, locale) for code in suggest_countries(typed, locale, _LIKELY)]
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"I know no country called “{escape(one_line(typed, 60))}”.{meant} Choose one of those"
        " that are offered while you type; regions and cities are not known to me."
    )
