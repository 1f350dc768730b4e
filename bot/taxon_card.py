"""A taxon as a Discord embed: what it is, where it belongs, and who says so.

Pure functions of their arguments. Everything that came from a member or from the network
is shown literally: no Markdown, no mentions, no links of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import discord

from bot.gbif_answer import Match, TaxonInfo
from bot.links import taxon_url
from bot.markdown import cut, escape, italic_name, one_line
from engine import Taxon

CREDIT = "Data: GBIF.org / Catalogue of Life"
OWN_TABLE = "From Fieldmark's own taxon table"

_MAX_TITLE = 256
_MAX_FIELD = 1024
_MAX_NAME = 200
_MAX_LISTED = 10
_COLOUR = discord.Colour(0x4C9F38)
_UNKNOWN = discord.Colour(0x8A8F98)
_IUCN = {
    "EX": "Extinct",
    "EW": "Extinct in the wild",
    "RE": "Regionally extinct",
    "CR": "Critically endangered",
    "EN": "Endangered",
    "VU": "Vulnerable",
    "NT": "Near threatened",
    "LC": "Least concern",
    "DD": "Data deficient",
    "NE": "Not evaluated",
}


def taxon_card(info: TaxonInfo) -> discord.Embed:
    """Set what is known of a taxon as an embed.

    Raises:
        ValueError: ``info`` has no taxon; ``unknown_card`` is for that.
    """
    if info.taxon is None:
        raise ValueError(f"Nothing is known of {info.asked!r} that a card could show.")
    taxon = info.taxon
    embed = discord.Embed(
        title=cut(_title(taxon, info.authorship), _MAX_TITLE), url=info.url, colour=_COLOUR
    )
    if info.match is Match.VARIANT:
        embed.description = f"Did you mean this? GBIF has no “{literal(info.asked)}”."
    elif info.match is Match.HIGHER_RANK:
        embed.description = (
            f"GBIF has no “{literal(info.asked)}”. This is the nearest taxon it knows."
        )
    embed.add_field(name="Rank", value=_sentence_case(taxon.rank))
    if info.status:
        embed.add_field(name="Status", value=_sentence_case(info.status))
    if info.iucn in _IUCN:
        embed.add_field(name="IUCN Red List", value=f"{_IUCN[info.iucn]} ({info.iucn})")
    if info.accepted is not None:
        accepted = f"{_linked(info.accepted)} {literal(info.accepted_authorship or '')}"
        embed.add_field(name="Accepted name", value=cut(accepted, _MAX_FIELD), inline=False)
    if taxon.lineage:
        embed.add_field(name="Lineage", value=cut(_lineage(taxon), _MAX_FIELD), inline=False)
    embed.set_footer(text=CREDIT if info.local_because is None else _own(info.local_because))
    return embed


def choice_card(asked: str, taxa: Sequence[Taxon]) -> discord.Embed:
    """List the taxa that share the name ``asked``, each with its link and lineage."""
    lines = [
        f"- {_linked(taxon)}{_vernacular(taxon)}: {literal(taxon.rank)} in {_lineage(taxon)}"
        for taxon in taxa[:_MAX_LISTED]
    ]
    if len(taxa) > _MAX_LISTED:
        lines.append(f"and {len(taxa) - _MAX_LISTED} more.")
    embed = discord.Embed(
        title=cut(f"“{literal(asked)}” is the name of {len(taxa)} taxa", _MAX_TITLE),
        description="\n".join(lines),
        colour=_COLOUR,
    )
    example = taxa[0].scientific_name
    if len({taxon.scientific_name for taxon in taxa}) < len(taxa) and taxa[0].lineage:
        example = f"{example} ({taxa[0].lineage[-1].name})"
    return embed.set_footer(text=f"{OWN_TABLE}. For one of them, ask for “{example}”.")


def unknown_card(
    asked: str, suggestions: Sequence[Taxon], *, ambiguous: bool = False, reason: str | None = None
) -> discord.Embed:
    """Say that no taxon was found under ``asked``, and offer names that are near.

    ``ambiguous`` says that GBIF knows several taxa of the name, and ``reason`` why it was
    not, or could not be, asked.
    """
    name = literal(asked)
    if reason is not None:
        text = f"“{name}” is not among the names I know myself, and {reason}."
    elif ambiguous:
        text = f"GBIF knows several taxa called “{name}”: add the author, as in “Oenanthe L.”."
    else:
        text = f"Neither I nor GBIF know a taxon called “{name}”."
    if suggestions:
        text += "\n\nDid you mean:"
        text += "".join(f"\n- {_linked(taxon)}{_vernacular(taxon)}" for taxon in suggestions)
    elif not ambiguous:
        text += " Check the spelling, or try the scientific name."
    embed = discord.Embed(title="No such taxon found", description=text, colour=_UNKNOWN)
    return embed.set_footer(text=CREDIT if reason is None else OWN_TABLE)


def literal(text: str) -> str:
    """Return ``text`` so that Discord shows it as it is, on one line and not too long."""
    return escape(one_line(text, _MAX_NAME))


def _title(taxon: Taxon, authorship: str | None) -> str:
    name = " ".join(filter(None, (_scientific(taxon), literal(authorship or ""))))
    return f"{literal(taxon.vernacular_name)} · {name}" if taxon.vernacular_name else name


def _scientific(taxon: Taxon) -> str:
    return _styled(taxon.scientific_name, taxon.rank)


def _styled(name: str, rank: str) -> str:
    """Set names of genera and below in italics, as biologists do."""
    return italic_name(literal(name), rank)


def _vernacular(taxon: Taxon) -> str:
    return f" ({literal(taxon.vernacular_name)})" if taxon.vernacular_name else ""


def _linked(taxon: Taxon) -> str:
    return f"[{_scientific(taxon)}]({taxon_url(taxon)})"


def _lineage(taxon: Taxon) -> str:
    return " › ".join(_styled(a.name, a.rank) for a in taxon.lineage)  # noqa: RUF001


def _sentence_case(term: str) -> str:
    return literal(term.replace("_", " ").capitalize())


def _own(because: str) -> str:
    return cut(f"{OWN_TABLE}; {because}.", _MAX_FIELD)
