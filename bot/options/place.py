"""A command's option that takes a country or continent."""

from __future__ import annotations

from typing import TypeAlias

from discord import app_commands

from bot.options.code import CodeOption
from bot.options.countries import PLACES

FROM_PHOTO = "gps"
"""Stands for the country that the photo's own coordinates lie in."""

ANYWHERE = "anywhere"
"""Stands for a place where none is to be taken into account."""

_OF_A_PHOTO = {
    FROM_PHOTO: "From the photo's GPS, if it carries any",
    ANYWHERE: "Anywhere: leave the place out",
}
_KIND = "country or continent"
_ADVICE = (
    "Choose one of those that are offered while you type; provinces and cities are not known to me."
)

PlaceOption: TypeAlias = app_commands.Transform[str, CodeOption(PLACES, kind=_KIND, advice=_ADVICE)]
PlaceOfPhoto: TypeAlias = app_commands.Transform[
    str, CodeOption(PLACES, kind=_KIND, advice=_ADVICE, others=_OF_A_PHOTO)
]
"""Also takes what makes sense for one photo and not for a server: where its own GPS says that it is
from, and nowhere in particular."""
