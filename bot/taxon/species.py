"""From a name that somebody typed to the one species that it means, or why it means none."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import Refusal
from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.client import GbifClient, GbifUnavailable
from bot.markdown import escape, one_line
from bot.taxon.lookup import Lookup
from bot.taxon.typed_names import plain
from engine import SPECIES_RANKS, Taxon

log = logging.getLogger(__name__)

_MAX_SHOWN = 60
_ACCEPTED = frozenset({"ACCEPTED", "PROVISIONALLY_ACCEPTED"})
_SYNONYMS = frozenset({"SYNONYM", "HETEROTYPIC_SYNONYM", "HOMOTYPIC_SYNONYM"})
_NEEDED = ("kingdom", "phylum", "family", "genus")
"""What a species must be placed in, so that answers can fall back on that. Not a class: GBIF's
salmon has none."""

_OFFERED = "choose one that I offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Species:
    """A species, and the ``name`` that finds it again; ``notes`` say what else was made of it."""

    taxon: Taxon
    name: str
    notes: tuple[str, ...] = ()


class SpeciesFinder:
    """Finds species by name, in the local table first and at GBIF second.

    Without a ``gbif`` client it finds those of the local table alone.
    """

    def __init__(self, lookup: Lookup, gbif: GbifClient | None) -> None:
        self._lookup = lookup
        self._gbif = gbif

    async def suggest(self, typed: str, *, locale: str = "en") -> list[tuple[str, str]]:
        """Return what to offer while a name is being typed: a description, and the name."""
        return await self._lookup.suggest(typed, SPECIES_RANKS, locale=locale)

    async def find(self, typed: str, *, locale: str = "en") -> Species:
        """Return the species called ``typed``, a word of the language of ``locale`` before others.

        Raises:
            Refusal: it is no name of one species, or none that can be found just now.
        """
        await self._lookup.prepare()
        typed = plain(typed)
        if known := self._lookup.typed.known(typed, locale=locale):
            return self._of_these(typed, known)
        try:
            info = await self._ask(typed)
        except Refusal:
            if known := self._lookup.typed.known_alone(typed, locale=locale):
                return self._of_these(typed, known)
            raise
        species_there, notes = _species_of(typed, info)
        return Species(
            taxon=self._as_in_the_table(species_there),
            name=" ".join(typed.split()),
            notes=notes,
        )

    def _of_these(self, typed: str, known: Sequence[Taxon]) -> Species:
        """Return the only species among the table's taxa of a name."""
        species = [taxon for taxon in known if taxon.rank in SPECIES_RANKS]
        if len(species) == 1:
            return Species(taxon=species[0], name=self._lookup.typed.unmistakable(species[0]))
        if species:
            raise Refusal(f"{_quoted(typed)} is the name of several species: {_OFFERED}.")
        raise _no_species(typed, known[0].rank)

    async def _ask(self, typed: str) -> TaxonInfo:
        unknown = f"I have no species {_quoted(typed)} in my own list"
        if self._gbif is None:
            raise Refusal(f"{unknown}, and looking names up at GBIF is switched off: {_OFFERED}.")
        try:
            return await self._gbif.look_up(typed)
        except GbifUnavailable as error:
            log.warning("A species could not be looked up: %s", error)
            raise Refusal(
                f"{unknown}, and GBIF could not be reached: try again in a few minutes, or"
                f" {_OFFERED}."
            ) from error

    def _as_in_the_table(self, taxon: Taxon) -> Taxon:
        """Return the local table's own entry of a taxon that GBIF gave, if it has one."""
        ours = [
            own
            for own in self._lookup.typed.known(taxon.scientific_name, taxon.rank)
            if own.scientific_name == taxon.scientific_name
            and own.ancestor("kingdom") == taxon.ancestor("kingdom")
        ]
        return ours[0] if len(ours) == 1 else taxon


def _species_of(typed: str, info: TaxonInfo) -> tuple[Taxon, tuple[str, ...]]:
    """Return the accepted species of GBIF's answer, and what is to be said of it."""
    match info.match:
        case Match.AMBIGUOUS:
            raise Refusal(
                f"{_quoted(typed)} is the name of several taxa at GBIF: add its author, as in"
                " “Oenanthe javanica (Blume) DC.”"
            )
        case Match.VARIANT if info.taxon is not None:
            raise Refusal(
                f"GBIF has no {_quoted(typed)}; if you mean {_quoted(info.taxon.scientific_name)},"
                " give me that name."
            )
        case Match.EXACT if info.taxon is not None:
            taxon = info.accepted or info.taxon
        case _:
            raise Refusal(
                f"Neither I nor GBIF know a species {_quoted(typed)}: {_OFFERED}, or give its"
                " scientific name."
            )
    if taxon.rank not in SPECIES_RANKS:
        raise _no_species(typed, taxon.rank)
    known_to_be = _ACCEPTED if info.accepted is None else _SYNONYMS
    if info.status not in known_to_be:
        raise Refusal(
            f"GBIF is not sure which species {_quoted(typed)} is: give me an accepted name."
        )
    if any(taxon.ancestor(rank) is None for rank in _NEEDED):
        raise Refusal(
            f"GBIF does not say of which {', '.join(_NEEDED[:-1])} and {_NEEDED[-1]}"
            f" {_quoted(typed)} is, so I can't learn it."
        )
    if info.accepted is None:
        return taxon, ()
    synonym, accepted = (
        one_line(known_as.scientific_name, _MAX_SHOWN) for known_as in (info.taxon, taxon)
    )
    return taxon, (f"{synonym} is a synonym at GBIF; its accepted name is {accepted}.",)


def _no_species(typed: str, rank: str) -> Refusal:
    article = "an" if rank[:1] in "aeiou" else "a"
    return Refusal(f"{_quoted(typed)} is {article} {rank}, not a species: name one species of it.")


def _quoted(name: str) -> str:
    return f"“{escape(one_line(name, _MAX_SHOWN))}”"
