"""The first lines of a card: what an identification comes to, in words that say how sure it is.

Pure functions of their arguments. What is a title is plain text, everything else Markdown.
``names`` are what taxa are called in the readers' language; those without one have their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import discord

from bot.groups import PLURALS
from bot.links import taxon_url
from bot.markdown import escape, italic_name, one_line
from bot.place import Place
from engine import SPECIES_RANKS, Ancestor, Candidate, Group, Identification, Taxon, Verdict

MAX_CANDIDATES = 5
HIDDEN = discord.Colour(0x8A8F98)
"""The colour of a card that says nothing of how sure it is."""

_MAX_NAME = 80
_WORTH_A_LINE = 0.01
_NEARLY_ALL = 0.9

_SURE = discord.Colour(0x2E9E5B)
_LIKELY = discord.Colour(0xE0A526)
_OPEN = discord.Colour(0xD9722E)

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
_NAMED_AFTER_KIN = frozenset({"Aves", "Mammalia"})
_GROUP_KINDS = {
    Group.BIRD: "a bird",
    Group.INSECT: "an insect",
    Group.PLANT: "a plant",
}


Names: TypeAlias = Mapping[Taxon, str]
OWN_NAMES: Names = MappingProxyType({})
"""Where nobody asks for another language than that of the taxa's own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What a card leads with. ``title`` is plain, ``lead`` is Markdown."""

    title: str
    lead: str
    colour: discord.Colour
    url: str | None = None


def headline(
    identification: Identification, place: Place | None = None, names: Names = OWN_NAMES
) -> Headline:
    """Say what an identification comes to."""
    verdict = identification.verdict
    if not identification.known:
        return _unknown(identification)
    if verdict is None:
        return _undecided(identification)
    if verdict.taxon.rank in SPECIES_RANKS:
        return _species(verdict, identification.group, place, names)
    return _higher_taxon(verdict, identification, names)


def worth_a_line(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that a card has room for and that are not next to impossible."""
    return [c for c in candidates if c.probability >= _WORTH_A_LINE][:MAX_CANDIDATES]


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


def _species(verdict: Verdict, group: Group, place: Place | None, names: Names) -> Headline:
    taxon = verdict.taxon
    lead = f"{scientific(taxon)}, {_kind(taxon, group)} · **{percent(verdict.probability)}** sure"
    if place is not None and taxon in place.unrecorded:
        lead += f", though never recorded in {escape(place.name)}"
    return Headline(
        title=display_name(taxon, names),
        lead=lead,
        url=taxon_url(taxon),
        colour=_colour(verdict.probability),
    )


def _higher_taxon(verdict: Verdict, identification: Identification, names: Names) -> Headline:
    taxon = verdict.taxon
    vernacular = names.get(taxon, taxon.vernacular_name)
    known_as = f" ({escape(_clean(vernacular))})" if vernacular else ""
    lead = f"**{percent(verdict.probability)}** sure of the {taxon.rank} {scientific(taxon)}"
    if taxon.scientific_name in _KINDS:
        return Headline(
            title=f"{_sentence_case(_KINDS[taxon.scientific_name])}, but I can't tell which",
            lead=f"{lead}{known_as}. A closer or sharper photo may tell more.",
            url=taxon_url(taxon),
            colour=_OPEN,
        )
    below = _below(taxon, identification.candidates)
    kind = _shared_noun(verdict, below, identification) or _kind(taxon, identification.group)
    return Headline(
        title=_sentence_case(f"{kind} of the {taxon.rank} {_clean(taxon.scientific_name)}"),
        lead=f"{lead}{known_as}; {_most_likely(below, identification, names)}.",
        url=taxon_url(taxon),
        colour=_LIKELY if verdict.probability >= _LIKELY_FROM else _OPEN,
    )


def _below(taxon: Taxon, candidates: Sequence[Candidate]) -> list[Candidate]:
    step = Ancestor(taxon.rank, taxon.scientific_name)
    return [c for c in worth_a_line(candidates) if step in c.taxon.lineage]


def _most_likely(below: Sequence[Candidate], identification: Identification, names: Names) -> str:
    if not below:
        return "the species is open"
    first, *others = below
    text = f"most likely {known_name(first.taxon, names)}, {percent(first.probability)}"
    if 1 - identification.trust > sum(candidate.probability for candidate in others):
        # Less competes that is known than what is not.
        text += ", unless it is one that I don't know"
    return text


def _shared_noun(
    verdict: Verdict, below: Sequence[Candidate], identification: Identification
) -> str | None:
    """Name what the likely species have in common: "a sparrow" for House and Tree Sparrow.

    In English, as all that the card says, whatever language the species' names are in. Only
    where they are nearly all that the verdict rests on, and only for birds and mammals, which are
    named after their kin throughout; butterflies are ladies and question marks.
    """
    named_after_kin = _NAMED_AFTER_KIN.intersection(a.name for a in verdict.taxon.lineage)
    weight = sum(candidate.probability for candidate in below) / identification.trust
    if not named_after_kin or len(below) < 2 or weight < _NEARLY_ALL * verdict.probability:
        return None
    names = (_clean(c.taxon.vernacular_name or "").replace("-", " ").strip() for c in below)
    nouns = {name.rpartition(" ")[2].lower() for name in names}
    noun = nouns.pop() if len(nouns) == 1 else ""
    if not noun.isalpha():
        return None
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _undecided(identification: Identification) -> Headline:
    lead = "No answer stands out. A closer or sharper photo may settle it; these come nearest:"
    if not identification.candidates:
        lead = "No answer stands out. A closer or sharper photo may settle it."
    return Headline(title="I can't tell from this photo", lead=lead, colour=_OPEN)


def _unknown(identification: Identification) -> Headline:
    lead = "A closer crop of a single animal or plant may help."
    if identification.group in _GROUP_KINDS:
        lead = (
            f"I looked among {PLURALS[identification.group]}. A closer crop of a single animal or"
            " plant may help, or another `group`."
        )
    if identification.candidates:
        lead += " Of what I know, these come nearest:"
    return Headline(title="I don't think this is in what I know", lead=lead, colour=HIDDEN)


def _colour(probability: float) -> discord.Colour:
    if probability >= _SURE_FROM:
        return _SURE
    return _LIKELY if probability >= _LIKELY_FROM else _OPEN


def _kind(taxon: Taxon, group: Group) -> str:
    """Say what sort of organism a taxon is, by the nearest ancestor that has an everyday word."""
    names = [taxon.scientific_name, *(ancestor.name for ancestor in reversed(taxon.lineage))]
    known = next((_KINDS[name] for name in names if name in _KINDS), None)
    return known or _GROUP_KINDS.get(group, "an organism")


def display_name(taxon: Taxon, names: Names = OWN_NAMES) -> str:
    """Return the name that people know a taxon by, as plain text."""
    vernacular = names.get(taxon, taxon.vernacular_name)
    return _sentence_case(_clean(vernacular or taxon.scientific_name))


def known_name(taxon: Taxon, names: Names = OWN_NAMES) -> str:
    """Set the name that people know a taxon by, the scientific one where there is no other."""
    if taxon in names or taxon.vernacular_name:
        return escape(display_name(taxon, names))
    return scientific(taxon)


def linked_names(taxon: Taxon, names: Names = OWN_NAMES) -> str:
    """Set the name that people know a taxon by as a link to its page, and the scientific one."""
    link = f"[{known_name(taxon, names)}]({taxon_url(taxon)})"
    return f"{link} · {scientific(taxon)}" if taxon in names or taxon.vernacular_name else link


def scientific(taxon: Taxon) -> str:
    """Set a scientific name, in italics where the codes of nomenclature ask for them."""
    name = escape(_clean(taxon.scientific_name))
    return italic_name(name, taxon.rank)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clean(text: str) -> str:
    return one_line(text, _MAX_NAME) or "?"
