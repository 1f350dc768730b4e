"""A command's option that takes a country or continent, offered by name while it is typed."""

from __future__ import annotations

from typing import Any, TypeAlias

import discord
from discord import app_commands

from bot.countries import find_place, place_name, suggest_places
from bot.errors import Refusal
from bot.markdown import escape, one_line

FROM_PHOTO = "gps"
"""Stands for the country that the photo's own coordinates lie in."""

ANYWHERE = "anywhere"
"""Stands for a place where none is to be taken into account."""

_OF_A_PHOTO = {
    FROM_PHOTO: "From the photo's GPS, if it carries any",
    ANYWHERE: "Anywhere: leave the place out",
}
_MAX_CHOICES = 25
_MAX_CHOICE = 100
_LIKELY = 3


class Place(app_commands.Transformer):
    """Takes a place and hands on its code.

    ``of_a_photo`` also offers what makes sense for one photo and not for a server: where its
    own GPS says it is from, and nowhere in particular.
    """

    def __init__(self, *, of_a_photo: bool = False) -> None:
        self._others = _OF_A_PHOTO if of_a_photo else {}

    async def transform(self, interaction: discord.Interaction[Any], value: Any, /) -> str:
        """Return the code of what was chosen, or typed without choosing.

        Raises:
            Refusal: it is no place.
        """
        typed, locale = str(value), interaction.locale.value
        plain = typed.casefold().strip()
        for code, name in self._others.items():
            if plain in (code, name.casefold()):
                return code
        found = find_place(typed, locale)
        if found is None:
            raise Refusal(_unknown(typed, locale))
        return found

    async def autocomplete(
        self, interaction: discord.Interaction[Any], value: Any, /
    ) -> list[app_commands.Choice[Any]]:
        """Offer places by their names in the member's language."""
        typed, locale = str(value), interaction.locale.value
        offered = [
            (name, code)
            for code, name in self._others.items()
            if _begins_a_word(typed.casefold().strip(), name.casefold())
        ]
        offered += [
            (place_name(code, locale), code) for code in suggest_places(typed, locale, _MAX_CHOICES)
        ]
        return [
            app_commands.Choice(name=name[:_MAX_CHOICE], value=code)
            for name, code in offered[:_MAX_CHOICES]
        ]


PlaceOption: TypeAlias = app_commands.Transform[str, Place]
PlaceOfPhoto: TypeAlias = app_commands.Transform[str, Place(of_a_photo=True)]


def _begins_a_word(typed: str, name: str) -> bool:
    return f" {typed}" in f" {name}"


def _unknown(typed: str, locale: str) -> str:
    near = [place_name(code, locale) for code in suggest_places(typed, locale, _LIKELY)]
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"I know no country or continent called “{escape(one_line(typed, 60))}”.{meant} Choose one"
        " of those that are offered while you type; provinces and cities are not known to me."
    )
