"""The cards of teaching: what was learnt, what is suggested, and what became of either.

Pure functions of their arguments. A card's title has a word, such as "Learned", and the species'
name. Its first line says which species, and its second what happened; so a later card is made
from an earlier one, without anything being kept.
"""

from __future__ import annotations

from typing import Any

import discord

from bot.answer import PHOTO_IN_CARD, Rendered, echo, photo_file
from bot.headline import HIDDEN, OWN_NAMES, Names, display_name, linked_names, scientific
from bot.links import taxon_url
from bot.markdown import cut, escape
from bot.teacher import Taught

_LEARNED = "Learned"
_FORGOTTEN = "Forgotten"
_KNOWN = "Known already"
_SUGGESTED = "Suggested"
_DECLINED = "Declined"
_COLOURS = {_LEARNED: discord.Colour(0x2E9E5B), _SUGGESTED: discord.Colour(0xE0A526)}
_MAX_TITLE = 256
_MAX_FOOTER = 1024
_NO_EMBEDS = "I may not embed links here, so this is the plain form of the card."
_NO_FILES = "I may not attach files here, so the photo is not shown."


def learnt_card(
    taught: Taught,
    by: str,
    permissions: discord.Permissions,
    view: discord.ui.View,
    names: Names = OWN_NAMES,
) -> Rendered:
    """Say what was learnt, or that it was known; ``by`` is a sentence on who taught it.

    ``names`` are what taxa are called in the readers' language, where that is not their own name.
    """
    if not taught.new:
        said = "This very photo is in the index already, so nothing was added."
        return _card(_KNOWN, taught, said, permissions, view, names)
    said = f"{by} {_count(taught.photos)}".rstrip()
    return _card(_LEARNED, taught, said, permissions, view, names)


def suggestion_card(
    taught: Taught,
    suggester: str,
    permissions: discord.Permissions,
    view: discord.ui.View,
    names: Names = OWN_NAMES,
) -> Rendered:
    """Say what ``suggester``, a mention, takes the photo to be.

    The photo lies beside the card, from where it can be read again: of the files of a message
    Discord does not list those that its embeds show.
    """
    said = "Whoever may manage messages here can accept that, and I learn it."
    card = _card(_SUGGESTED, taught, said, permissions, view, names, suggester=suggester)
    file = None
    if taught.preview is not None:
        file = photo_file(taught.preview, spoiler=taught.spoiler)
    return Rendered(content=card.content, embed=card.embed, file=file, view=view)


def forgotten(message: discord.Message, said: str) -> dict[str, Any]:
    """Return the arguments of an ``edit`` that makes what was learnt forgotten."""
    return _made_into(message, _LEARNED, _FORGOTTEN, said)


def declined(message: discord.Message, said: str) -> dict[str, Any]:
    """Return the arguments of an ``edit`` that makes what was suggested declined."""
    return _made_into(message, _SUGGESTED, _DECLINED, said)


def _card(
    word: str,
    taught: Taught,
    said: str,
    permissions: discord.Permissions,
    view: discord.ui.View,
    names: Names,
    *,
    suggester: str | None = None,
) -> Rendered:
    title = word if taught.spoiler else f"{word}: {display_name(taught.taxon, names)}"
    embeds = permissions.embed_links
    linked = taught.spoiler or suggester is not None or not embeds
    name = linked_names(taught.taxon, names) if linked else scientific(taught.taxon)
    name = f"||{name}||" if taught.spoiler else name
    first = name if suggester is None else f"{suggester} suggests that this is {name}."
    notes = [escape(note) for note in taught.notes]
    if taught.spoiler:
        # They may name the species, and a footer can hide nothing.
        notes = [f"||{note}||" for note in notes]
    if not embeds:
        small = [f"-# {note}" for note in (*notes, escape(_NO_EMBEDS))]
        lines = [f"**{escape(title)}**", first, said, *small]
        return Rendered(content="\n".join(lines), view=view)
    embed = discord.Embed(
        title=cut(escape(title), _MAX_TITLE),
        url=None if taught.spoiler else taxon_url(taught.taxon),
        description="\n".join([first, said, *(notes if taught.spoiler else ())]),
        colour=_COLOURS.get(word, HIDDEN),
    )
    footer, file = [] if taught.spoiler else list(taught.notes), None
    if suggester is None and taught.preview is not None:
        if permissions.attach_files:
            file = echo(taught.preview, embed, spoiler=taught.spoiler)
        else:
            footer.append(_NO_FILES)
    if footer:
        embed.set_footer(text="\n".join(footer)[:_MAX_FOOTER])
    return Rendered(embed=embed, file=file, view=view)


def _made_into(message: discord.Message, word: str, other: str, said: str) -> dict[str, Any]:
    """Put another word and another second line into a card; a moderator may have hidden it."""
    if not message.embeds:
        title, first, *_ = *message.content.split("\n"), "", ""
        lines = [title.replace(word, other, 1), first, said]
        return {"content": "\n".join(line for line in lines if line)}
    embed = message.embeds[0].copy()
    embed.title = (embed.title or other).replace(word, other, 1)
    first, *_ = (embed.description or "").split("\n")
    embed.description = f"{first}\n{said}"
    embed.colour = HIDDEN
    if embed.image.url is not None:
        embed.set_image(url=PHOTO_IN_CARD)
    return {"embeds": [embed]}


def _count(photos: int | None) -> str:
    if photos is None:
        return ""
    if photos <= 1:
        return "It is the first photo of this species in the index."
    return f"The index has {photos:,} photos of this species now."
