"""The product's face: an identification as a Discord embed, or as plain text.

Pure functions of their arguments. A card leads with the verdict, in words that say how far
the evidence carries, and then shows the candidates with their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.groups import PLURALS
from bot.links import taxon_url
from bot.markdown import cut, escape, italic_name, one_line
from engine import Candidate, Group, Identification, ModelInfo, Taxon, Verdict

MAX_CANDIDATES = 5

_MAX_TITLE = 256
_MAX_DESCRIPTION = 4096
_MAX_FOOTER = 1024
_MAX_CONTENT = 2000
_MAX_NAME = 80
_WORTH_A_LINE = 0.01
_BAR_CELLS = 8

_SURE = discord.Colour(0x2E9E5B)
_LIKELY = discord.Colour(0xE0A526)
_OPEN = discord.Colour(0xD9722E)
_UNKNOWN = discord.Colour(0x8A8F98)

_SURE_FROM = 0.8
_LIKELY_FROM = 0.5

_KINDS = {
    "Aves": "a bird",
    "Insecta": "an insect",
    "Arachnida": "an arachnid",
    "Mammalia": "a mammal",
    "Reptilia": "a reptile",
    "Squamata": "a reptile",
    "Amphibia": "an amphibian",
    "Actinopterygii": "a fish",
    "Mollusca": "a mollusc",
    "Plantae": "a plant",
    "Fungi": "a fungus",
    "Animalia": "an animal",
}
_GROUP_KINDS = {
    Group.BIRD: "a bird",
    Group.INSECT: "an insect",
    Group.PLANT: "a plant",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The parts of a card, before they are set as an embed or as text.

    ``lead`` and ``candidates`` are Markdown. ``title`` is plain.
    """

    title: str
    url: str | None
    lead: str
    candidates: tuple[str, ...]
    footer: str
    colour: discord.Colour


def identification_card(
    identification: Identification,
    *,
    photos: int = 1,
    notes: Sequence[str] = (),
    spoiler: bool = False,
    source_url: str | None = None,
) -> discord.Embed:
    """Set an identification as an embed.

    Args:
        identification: what the engine answered.
        photos: how many photos were taken together as views of one individual.
        notes: sentences about the photos, shown after the engine's own.
        spoiler: hide everything that gives the species away.
        source_url: a link to the message that holds the photo, where the card is no reply.
    """
    card = compose(identification, photos=photos, notes=notes)
    lines = [card.lead, *_spaced(card.candidates)]
    if spoiler:
        lines = [_hidden(line) for line in (f"**{escape(card.title)}**", *lines)]
    if source_url is not None:
        lines += _spaced([f"[Go to the photo]({source_url})"])
    embed = discord.Embed(description=_fit(lines, _MAX_DESCRIPTION), colour=card.colour)
    if spoiler:
        embed.title = "Behind the spoiler"
        embed.colour = _UNKNOWN
    else:
        embed.title = cut(escape(card.title), _MAX_TITLE)
        embed.url = card.url
    return embed.set_footer(text=card.footer[:_MAX_FOOTER])


def identification_text(
    identification: Identification,
    *,
    photos: int = 1,
    notes: Sequence[str] = (),
    spoiler: bool = False,
) -> str:
    """Set an identification as a message's text, for channels without embeds."""
    card = compose(identification, photos=photos, notes=notes)
    lines = [f"**{escape(card.title)}**", card.lead, *card.candidates]
    if spoiler:
        lines = [_hidden(line) for line in lines]
    lines += [f"-# {escape(line)}" for line in card.footer.splitlines()]
    return _fit(lines, _MAX_CONTENT)


def compose(identification: Identification, *, photos: int = 1, notes: Sequence[str] = ()) -> Card:
    """Put an identification into words."""
    verdict = identification.verdict
    if not identification.known:
        title, lead, url, colour = _unknown(identification)
    elif verdict is None:
        title, lead, url, colour = _undecided(identification)
    else:
        title, lead, url, colour = _decided(verdict, identification.group)
    likely = [c for c in identification.candidates if c.probability >= _WORTH_A_LINE]
    shown = (likely or identification.candidates[:1])[:MAX_CANDIDATES]
    return Card(
        title=title,
        url=url,
        lead=lead,
        candidates=tuple(_candidate_line(candidate) for candidate in shown),
        footer=_footer(identification, photos, notes),
        colour=colour,
    )


def percent(probability: float) -> str:
    """Write a probability as whole percent; neither certainty nor impossibility is claimed.

    >>> [percent(p) for p in (0.004, 0.5, 0.996)]
    ['<1 %', '50 %', '>99 %']
    """
    if probability < 0.01:
        return "<1 %"
    if probability >= 0.995:
        return ">99 %"
    return f"{probability * 100:.0f} %"


def bar(probability: float) -> str:
    """Draw a probability as a bar of equally wide blocks."""
    filled = min(_BAR_CELLS, max(0, round(probability * _BAR_CELLS)))
    return "█" * filled + "░" * (_BAR_CELLS - filled)


def _decided(verdict: Verdict, group: Group) -> tuple[str, str, str, discord.Colour]:
    taxon = verdict.taxon
    sure = f"**{percent(verdict.probability)}** sure"
    if taxon.rank in {"species", "subspecies", "variety", "form", "hybrid"}:
        title = _display_name(taxon)
        kind = _kind(taxon, group)
        lead = f"{_scientific(taxon)}, {kind} · {sure}"
        return title, lead, taxon_url(taxon), _colour(verdict.probability)
    rank, name = taxon.rank, _scientific(taxon)
    known_as = f" ({escape(_clean(taxon.vernacular_name))})" if taxon.vernacular_name else ""
    if taxon.scientific_name in _KINDS:
        title = f"{_sentence_case(_KINDS[taxon.scientific_name])}, but I can't tell which"
        lead = f"{sure} of the {rank} {name}{known_as}. A closer or sharper photo may tell more."
        return title, lead, taxon_url(taxon), _OPEN
    title = _sentence_case(f"{_kind(taxon, group)} of the {rank} {_plain(taxon)}")
    lead = f"{sure} of the {rank} {name}{known_as}; the species is open."
    return title, lead, taxon_url(taxon), _colour(verdict.probability, species=False)


def _undecided(identification: Identification) -> tuple[str, str, None, discord.Colour]:
    lead = "No answer stands out. A closer or sharper photo may settle it; these come nearest:"
    if not identification.candidates:
        lead = "No answer stands out. A closer or sharper photo may settle it."
    return "I can't tell from this photo", lead, None, _OPEN


def _unknown(identification: Identification) -> tuple[str, str, None, discord.Colour]:
    lead = "A closer crop of a single animal or plant may help."
    if identification.group in _GROUP_KINDS:
        lead = (
            f"I looked among {PLURALS[identification.group]}. A closer crop of a single animal or"
            " plant may help, or another `group`."
        )
    if identification.candidates:
        lead += " If it has to be one I know, these come nearest:"
    return "I don't think this is in what I know", lead, None, _UNKNOWN


def _candidate_line(candidate: Candidate) -> str:
    taxon = candidate.taxon
    score = f"`{bar(candidate.probability)} {percent(candidate.probability):>5}`"
    name = f"[{escape(_display_name(taxon))}]({taxon_url(taxon)})"
    if taxon.vernacular_name:
        name += f" · {_scientific(taxon)}"
    return f"{score} {name}"


def _footer(identification: Identification, photos: int, notes: Sequence[str]) -> str:
    parts = [identification.group.value.capitalize()]
    parts += [_model(model) for model in identification.models if model.problem is None]
    total = identification.timings_ms.get("total")
    if total is not None:
        parts.append(f"{total / 1000:.1f} s" if total >= 1000 else f"{total:.0f} ms")
    lines = [" · ".join(parts)]
    if photos > 1:
        lines.append(f"{photos} photos, taken as views of one individual.")
    lines += [*identification.notes, *notes]
    return "\n".join(lines)


def _model(model: ModelInfo) -> str:
    return f"{model.title} {model.version}".strip()


def _colour(probability: float, *, species: bool = True) -> discord.Colour:
    if species and probability >= _SURE_FROM:
        return _SURE
    return _LIKELY if probability >= _LIKELY_FROM else _OPEN


def _kind(taxon: Taxon, group: Group) -> str:
    """Say what sort of organism a taxon is, by the nearest ancestor that has an everyday word."""
    names = [taxon.scientific_name, *(ancestor.name for ancestor in reversed(taxon.lineage))]
    known = next((_KINDS[name] for name in names if name in _KINDS), None)
    return known or _GROUP_KINDS.get(group, "an organism")


def _display_name(taxon: Taxon) -> str:
    return _sentence_case(_clean(taxon.vernacular_name or taxon.scientific_name))


def _plain(taxon: Taxon) -> str:
    return _clean(taxon.scientific_name)


def _scientific(taxon: Taxon) -> str:
    """Set a scientific name, in italics where the codes of nomenclature ask for them."""
    name = escape(_clean(taxon.scientific_name))
    return italic_name(name, taxon.rank)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clean(text: str) -> str:
    return one_line(text, _MAX_NAME) or "?"


def _spaced(lines: Sequence[str]) -> list[str]:
    """Set a blank line before ``lines``, if there are any."""
    return ["", *lines] if lines else []


def _hidden(line: str) -> str:
    return f"||{line}||" if line else line


def _fit(lines: Sequence[str], limit: int) -> str:
    """Join the lines that fit, whole; half a line could leave its Markdown open."""
    text = ""
    for line in lines:
        longer = f"{text}\n{line}" if text else line
        if len(longer) > limit:
            break
        text = longer
    return text
