"""Text from strangers as Discord Markdown that shows as what it is."""

from __future__ import annotations

import discord

ITALIC_RANKS = frozenset(
    {"genus", "subgenus", "species", "hybrid", "subspecies", "infraspecies", "variety", "form"}
)
"""Ranks whose names the codes of nomenclature set in italics."""

# Characters that would open a mention, an emoji, a timestamp or a link inside a name.
_OPENERS = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "@": "＠"})  # noqa: RUF001


def one_line(text: str, limit: int) -> str:
    """Put text on one line of at most ``limit`` characters, without control characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return cut(" ".join(printable.split()), limit)


def escape(text: str) -> str:
    """Make text show as itself in Markdown, inside a link's text too."""
    literal = discord.utils.escape_markdown(text.translate(_OPENERS), ignore_links=False)
    # Discord makes a link of a bare address; a space of no width stops it.
    return literal.replace("://", ":\u200b//")


def italic_name(name: str, rank: str) -> str:
    """Set an escaped scientific name, in italics where its rank asks for them."""
    return f"*{name}*" if rank in ITALIC_RANKS else name


def cut(text: str, limit: int) -> str:
    """Shorten to ``limit`` characters, never in the middle of an escape."""
    return text if len(text) <= limit else text[: limit - 1].rstrip("\\ ") + "…"
