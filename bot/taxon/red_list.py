"""The categories of the IUCN Red List, in words and colours."""

from __future__ import annotations

from dataclasses import dataclass

import discord


@dataclass(frozen=True, slots=True)
class Category:
    """A category of the Red List, as near to its own colour as Discord allows."""

    words: str
    square: str
    colour: discord.Colour | None


RED_LIST = {
    # One short of black, which Discord takes for no colour.
    "EX": Category("Extinct", "⬛", discord.Colour(0x010101)),
    "EW": Category("Extinct in the wild", "🟪", discord.Colour(0x542344)),
    "RE": Category("Regionally extinct", "🟪", discord.Colour(0x5A1C1A)),
    "CR": Category("Critically endangered", "🟥", discord.Colour(0xD81E05)),
    "EN": Category("Endangered", "🟧", discord.Colour(0xFC7F3F)),
    "VU": Category("Vulnerable", "🟨", discord.Colour(0xF9E814)),
    "NT": Category("Near threatened", "🟩", discord.Colour(0xCCE226)),
    "LC": Category("Least concern", "🟩", discord.Colour(0x60C659)),
    "DD": Category("Data deficient", "⬜", discord.Colour(0xD1D1C6)),
    "NE": Category("Not evaluated", "⬜", None),
}
