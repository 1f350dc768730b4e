"""A taxon as a Discord embed: what it is, where it belongs, where it lives, and who says so.

Pure functions of their arguments. Everything that came from a member or from the network
is shown literally: no Markdown, no mentions, no links of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import discord
from babel import Locale

from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.facts import Occurrences
from bot.links import taxon_url
from bot.markdown import cut, escape, italic_name, one_line
from bot.taxon.profile import TaxonProfile
from bot.taxon.red_list import RED_LIST
from engine import Taxon

CREDIT = "Data: GBIF.org / Catalogue of Life"
MAP_CREDIT = "Map: GBIF, © OpenMapTiles, © OpenStreetMap contributors"
OWN_TABLE = "From Fieldmark's own taxon table"
MAP_FILE = "map.png"

_MAX_TITLE = 256
_MAX_FIELD = 1024
_MAX_FOOTER = 2048
_MAX_CONTENT = 2000
_MAX_ALT = 1000
_MAX_NAME = 200
_MAX_LISTED = 10
_MAX_SPOKEN = 6
"""Of a language, as some fish have sixty names in German alone."""
_MAX_LIST = 4000
_HOUR_S = 3600.0
_COLOUR = discord.Colour(0x4C9F38)
_UNKNOWN = discord.Colour(0x8A8F98)
_ENGLISH = Locale("en")
_GBIF_TERRITORIES = {"XZ": "the high seas", "ZZ": "places unknown"}


def taxon_card(profile: TaxonProfile, names: Mapping[str, Sequence[str]]) -> discord.Embed:
    """Set what is known of a taxon as an embed.

    ``names`` are those to show, by language, the readers' first, then English. The title has the
    first of them. A map, where
    there is one, is expected as the attachment ``MAP_FILE``.

    Raises:
        ValueError: the profile has no taxon; ``unknown_card`` is for that.
    """
    info = profile.info
    if info.taxon is None:
        raise ValueError(f"Nothing is known of {info.asked!r} that a card could show.")
    iucn = RED_LIST.get(profile.iucn or "")
    embed = discord.Embed(
        title=cut(_title(info, info.taxon, names), _MAX_TITLE),
        url=info.url,
        colour=(iucn and iucn.colour) or _COLOUR,
    )
    if info.match is Match.VARIANT:
        embed.description = f"Did you mean this? GBIF has no “{literal(info.asked)}”."
    elif info.match is Match.HIGHER_RANK:
        embed.description = (
            f"GBIF has no “{literal(info.asked)}”. This is the nearest taxon it knows."
        )
    embed.add_field(name="Rank", value=_sentence_case(info.taxon.rank))
    if info.status:
        embed.add_field(name="Status", value=_sentence_case(info.status))
    if iucn:
        red_list = f"{iucn.square} {iucn.words} ({profile.iucn})"
        embed.add_field(name="IUCN Red List", value=red_list)
    for name, value in _wide_fields(profile, info.taxon, names):
        embed.add_field(name=name, value=cut(value, _MAX_FIELD), inline=False)
    embed.set_footer(text=cut(_footer(profile), _MAX_FOOTER))
    return embed if profile.world_map is None else _with_map(embed, map_description(profile))


def map_description(profile: TaxonProfile) -> str:
    """Say in words what the map shows, for those who do not see it."""
    taxon = profile.info.accepted or profile.info.taxon
    name = one_line(taxon.scientific_name, _MAX_NAME) if taxon is not None else "the taxon"
    text = f"A map of the world with dots, yellow to red, where {name} was recorded."
    if profile.occurrences is not None and profile.occurrences.countries:
        text += f" Most records: {_countries(profile.occurrences)}."
    return cut(text, _MAX_ALT)


def as_text(embed: discord.Embed, note: str) -> str:
    """Set a card as a message's text, for channels without embeds; ``note`` says why."""
    title = f"**{embed.title}**" if embed.url is None else f"**[{embed.title}](<{embed.url}>)**"
    lines = [title, *(embed.description or "").splitlines()]
    lines += [f"{field.name}: {field.value}" for field in embed.fields]
    small = [f"-# {line}" for line in [*(embed.footer.text or "").splitlines(), note]]
    room = _MAX_CONTENT - sum(len(line) + 1 for line in small)
    return "\n".join([*_whole_lines(lines, room), *small])


def choice_card(asked: str, taxa: Sequence[TaxonInfo], *, source: str = OWN_TABLE) -> discord.Embed:
    """List the taxa that share the name ``asked``, each with its link and lineage."""
    lines = _whole_lines([_choice_line(info) for info in taxa[:_MAX_LISTED]], _MAX_LIST)
    if len(taxa) > len(lines):
        lines.append(f"and {len(taxa) - len(lines)} more.")
    embed = discord.Embed(
        title=cut(f"“{literal(asked)}” is the name of {len(taxa)} taxa", _MAX_TITLE),
        description="\n".join(lines),
        colour=_COLOUR,
    )
    return embed.set_footer(text=f"{source}. Choose one of them below.")


def with_namesakes(embed: discord.Embed, others: Sequence[TaxonInfo]) -> discord.Embed:
    """Return the card of a taxon with a list of the ``others`` that bear its name."""
    lines = _whole_lines([_choice_line(info) for info in others[:_MAX_LISTED]], _MAX_FIELD)
    return embed.copy().add_field(
        name="Also the name of", value="\n".join(lines) or "Choose below.", inline=False
    )


def unknown_card(
    asked: str,
    suggestions: Sequence[TaxonInfo],
    *,
    rank: str | None = None,
    ambiguous: bool = False,
    reason: str | None = None,
) -> discord.Embed:
    """Say that no taxon was found under ``asked``, at ``rank`` if given, and offer near names.

    ``ambiguous`` says that GBIF knows several taxa of the name, and ``reason`` why it was
    not, or could not be, asked.
    """
    name = literal(asked)
    kind = rank or "taxon"
    if reason is not None:
        text = f"I know no {kind} called “{name}” myself, and {reason}."
    elif ambiguous:
        text = f"GBIF knows several taxa called “{name}”: add the author, as in “Oenanthe L.”."
    else:
        text = f"Neither I nor GBIF know a {kind} called “{name}”."
    if suggestions:
        text += "\n\nDid you mean:"
        near = (info.taxon for info in suggestions if info.taxon is not None)
        text += "".join(f"\n- {_linked(taxon)}{_vernacular(taxon)}" for taxon in near)
    elif not ambiguous:
        text += " Check the spelling, or try the scientific name."
    embed = discord.Embed(title="No such taxon found", description=text, colour=_UNKNOWN)
    return embed.set_footer(text=CREDIT if reason is None else OWN_TABLE)


def literal(text: str) -> str:
    """Return ``text`` so that Discord shows it as it is, on one line and not too long."""
    return escape(one_line(text, _MAX_NAME))


def _with_map(embed: discord.Embed, description: str) -> discord.Embed:
    """Show the map with words for who does not see it, which ``set_image`` does not take."""
    image = {"url": f"attachment://{MAP_FILE}", "description": description}
    return discord.Embed.from_dict({**embed.to_dict(), "image": image})


def _wide_fields(
    profile: TaxonProfile, taxon: Taxon, names: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    info = profile.info
    if info.accepted is not None:
        author = literal(info.accepted_authorship or "")
        yield "Accepted name", f"{_linked(info.accepted)} {author}"
    if taxon.lineage:
        yield "Lineage", _lineage(taxon)
    if spoken := _by_language(names):
        yield "Names", spoken
    if profile.occurrences is not None:
        yield "Occurrences at GBIF", _occurrences(profile.occurrences)


def _title(info: TaxonInfo, taxon: Taxon, names: Mapping[str, Sequence[str]]) -> str:
    name = " ".join(filter(None, (_scientific(taxon), literal(info.authorship or ""))))
    if info.accepted is not None:
        name = f"{name}, accepted name {_scientific(info.accepted)}"
    vernacular = next((spoken[0] for spoken in names.values() if spoken), None)
    if not vernacular:
        return name
    return f"{literal(vernacular[:1].upper() + vernacular[1:])} · {name}"


def _by_language(names: Mapping[str, Sequence[str]]) -> str:
    shown = {language: map(literal, spoken[:_MAX_SPOKEN]) for language, spoken in names.items()}
    lines = [
        f"{_ENGLISH.languages.get(language, language)}: {listed}"
        for language, spoken in shown.items()
        if (listed := ", ".join(spoken))
    ]
    # A single name stands in the title already.
    alone = len(lines) == 1 and ", " not in lines[0]
    return "" if alone else "\n".join(lines)


def _occurrences(found: Occurrences) -> str:
    if not found.total:
        return "None."
    total = f"{found.total:,}"
    return f"{total}, most of them in {_countries(found)}" if found.countries else total


def _countries(found: Occurrences) -> str:
    return ", ".join(
        f"{_territory(country.country)} ({country.count:,})" for country in found.countries
    )


def _territory(code: str) -> str:
    return literal(_GBIF_TERRITORIES.get(code) or _ENGLISH.territories.get(code, code))


def _footer(profile: TaxonProfile) -> str:
    info = profile.info
    from_gbif = bool(profile.names or profile.occurrences is not None or profile.world_map)
    lines = []
    if info.local_because is not None:
        lines.append(f"{OWN_TABLE}; {one_line(info.local_because, _MAX_NAME)}.")
    if info.local_because is None or from_gbif:
        lines.append(CREDIT)
    if profile.world_map is not None:
        lines.append(MAP_CREDIT)
    if profile.stale_s is not None:
        lines.append(f"GBIF could not be reached: this is as of {_ago(profile.stale_s)} ago.")
    if profile.missing and (info.local_because is None or from_gbif):
        lines.append(f"Not there in time: {', '.join(profile.missing)}.")
    return "\n".join(lines)


def _ago(seconds: float) -> str:
    """Say an age in hours up to two days, then in days."""
    hours = max(1, round(seconds / _HOUR_S))
    count, unit = (hours, "hour") if hours < 48 else (round(hours / 24), "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _choice_line(info: TaxonInfo) -> str:
    taxon = info.taxon
    if taxon is None:
        return f"- {literal(info.asked)}"
    author = f" {literal(info.authorship)}" if info.authorship else ""
    line = f"- {_linked(taxon)}{author}{_vernacular(taxon)}: {literal(taxon.rank)}"
    if info.accepted is not None:
        return f"{line}, accepted name {_linked(info.accepted)}"
    return f"{line} in {_lineage(taxon)}" if taxon.lineage else line


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


def _whole_lines(lines: Sequence[str], room: int) -> list[str]:
    """Return the lines that fit; half a line could leave its Markdown open."""
    kept = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
