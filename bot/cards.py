"""The product's face: an identification as a Discord embed, or as plain text.

Pure functions of their arguments. A card leads with the verdict, in words that say how far
the evidence carries, and then shows the candidates with their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.headline import (
    HIDDEN,
    OWN_NAMES,
    Headline,
    Names,
    headline,
    linked_names,
    percent,
    worth_a_line,
)
from bot.links import photo_url
from bot.markdown import cut, escape, one_line
from bot.place import Place
from engine import Candidate, Identification, ModelInfo, ReferencePhoto

_MAX_TITLE = 256
_MAX_DESCRIPTION = 4096
_MAX_FOOTER = 1024
_MAX_CONTENT = 2000
_MAX_REFERENCES = 3
_MAX_CREDIT = 60
_BAR_CELLS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The parts of a card, before they are set as an embed or as text.

    ``candidates`` and ``references`` are Markdown; ``references`` is "" where there are none.
    """

    headline: Headline
    candidates: tuple[str, ...]
    references: str
    footer: str


def identification_card(
    identification: Identification,
    *,
    notes: Sequence[str] = (),
    spoiler: bool = False,
    source_url: str | None = None,
    place: Place | None = None,
    names: Names = OWN_NAMES,
) -> discord.Embed:
    """Set an identification as an embed.

    Args:
        identification: what the engine answered.
        notes: sentences about the photos, shown after the engine's own.
        spoiler: hide everything that gives the species away.
        source_url: a link to the message that holds the photo, where the card is no reply.
        place: what came of the place that the photos are said to be from.
        names: what taxa are called in the readers' language, where that is not their own name.
    """
    card = compose(identification, notes=notes, place=place, names=names, spoiler=spoiler)
    lines = [card.headline.lead, *_spaced(card.candidates)]
    if spoiler:
        lines = [_hidden(line) for line in (f"**{escape(card.headline.title)}**", *lines)]
    lines += _small(card.references, spoiler=spoiler)
    if source_url is not None:
        lines += _spaced([f"[Go to the photo]({source_url})"])
    embed = discord.Embed(description=_fit(lines, _MAX_DESCRIPTION), colour=card.headline.colour)
    if spoiler:
        embed.title = "Behind the spoiler"
        embed.colour = HIDDEN
    else:
        embed.title = cut(escape(card.headline.title), _MAX_TITLE)
        embed.url = card.headline.url
    return embed.set_footer(text=card.footer[:_MAX_FOOTER])


def identification_text(
    identification: Identification,
    *,
    notes: Sequence[str] = (),
    spoiler: bool = False,
    place: Place | None = None,
    names: Names = OWN_NAMES,
) -> str:
    """Set an identification as a message's text, for channels without embeds."""
    card = compose(identification, notes=notes, place=place, names=names, spoiler=spoiler)
    lines = [f"**{escape(card.headline.title)}**", card.headline.lead, *card.candidates]
    if spoiler:
        lines = [_hidden(line) for line in lines]
    lines += [f"-# {escape(line)}" for line in card.footer.splitlines()]
    lines += _small(card.references, spoiler=spoiler)
    return _fit(lines, _MAX_CONTENT)


def compose(
    identification: Identification,
    *,
    notes: Sequence[str] = (),
    place: Place | None = None,
    names: Names = OWN_NAMES,
    spoiler: bool = False,
) -> Card:
    """Put an identification into words; behind a spoiler the footer does not say the group."""
    shown = worth_a_line(identification.candidates) or identification.candidates[:1]
    return Card(
        headline=headline(identification, place, names),
        candidates=tuple(_candidate_line(candidate, place, names) for candidate in shown),
        references=_references(shown[0].references) if shown else "",
        footer=_footer(identification, notes, place, spoiler=spoiler),
    )


def bar(probability: float) -> str:
    """Draw a probability as a bar of equally wide blocks."""
    filled = min(_BAR_CELLS, max(0, round(probability * _BAR_CELLS)))
    return "█" * filled + "░" * (_BAR_CELLS - filled)


def _candidate_line(candidate: Candidate, place: Place | None, names: Names) -> str:
    taxon = candidate.taxon
    score = f"`{bar(candidate.probability)} {percent(candidate.probability):>5}`"
    name = linked_names(taxon, names)
    if place is not None and taxon in place.unrecorded:
        name += f" · not recorded in {escape(place.name)}"
    return f"{score} {name}"


def _references(photos: Sequence[ReferencePhoto]) -> str:
    """Link the photos that the likeliest species was recognised by, with whose they are."""
    links = [(link, photo) for photo in photos if (link := photo_url(photo.url)) is not None]
    credited = [
        f"[{number}]({link}) {_credit(photo)}".rstrip()
        for number, (link, photo) in enumerate(links[:_MAX_REFERENCES], start=1)
    ]
    return f"Nearest reference photos: {' · '.join(credited)}" if credited else ""


def _credit(photo: ReferencePhoto) -> str:
    author = one_line(photo.attribution, _MAX_CREDIT).removeprefix("(c)").lstrip("© ")
    licence = one_line(photo.licence, _MAX_CREDIT)
    credit = ", ".join(part for part in (author and f"© {author}", licence) if part)
    return escape(credit)


def _footer(
    identification: Identification,
    notes: Sequence[str],
    place: Place | None,
    *,
    spoiler: bool,
) -> str:
    parts = []
    if not spoiler:
        parts.append(identification.group.value.capitalize())
        parts += [_model(model) for model in identification.models if model.problem is None]
    total = identification.timings_ms.get("total")
    if total is not None:
        parts.append(f"{total / 1000:.1f} s" if total >= 1000 else f"{total:.0f} ms")
    lines = [" · ".join(parts)] if parts else []
    if identification.photos > 1:
        lines.append(f"{identification.photos} photos, taken as views of one individual.")
    if place is not None:
        lines.append(_place_note(place))
    lines += [*identification.notes, *notes]
    return "\n".join(lines)


def _place_note(place: Place) -> str:
    name = f"{place.name} (by the photo's GPS)" if place.by_gps else place.name
    if place.problem is not None:
        return f"That it is from {name} was not taken into account: {place.problem}."
    return f"Taken to be from {name}. Records: GBIF.org"


def _model(model: ModelInfo) -> str:
    return f"{model.title} {model.version}".strip()


def _spaced(lines: Sequence[str]) -> list[str]:
    """Set a blank line before ``lines``, if there are any."""
    return ["", *lines] if lines else []


def _small(line: str, *, spoiler: bool) -> list[str]:
    """Set a line in small print, if there is one; what hides it comes after its mark."""
    return [f"-# {_hidden(line) if spoiler else line}"] if line else []


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
