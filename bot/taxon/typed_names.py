"""What a member may mean by a name, and a name that means it again, by the local table alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from bot.taxon.authorship import without_authorship, without_sp
from engine import Taxon, TaxonTable

MAX_NAME = 100
"""Of what may be typed, and of what Discord takes as a suggestion."""

_MAX_OFFERED = 25
_MAX_NEAR = 5
_AROUND = ' "“”„«»‹›*!?,;:'  # noqa: RUF001
_GENUS_ABBREVIATED = re.compile(r"([A-Za-z])\.(?=[a-z])")


def plain(typed: str) -> str:
    """Return what was typed without quotation marks and the like around it, if anything is left.

    >>> plain("“Parus major”!"), plain("house_sparrow"), plain("P.major"), plain("?")
    ('Parus major', 'house sparrow', 'P. major', '?')
    """
    bare = typed.replace("_", " ").strip(_AROUND) or typed
    genus = _GENUS_ABBREVIATED.match(bare)
    return bare if genus is None else f"{genus[1]}. {bare[genus.end() :]}"


class TypedNames:
    """Finds the taxa of a table by names as people type them."""

    def __init__(self, taxa: TaxonTable) -> None:
        self._taxa = taxa

    def known(self, name: str, rank: str | None = None, *, locale: str = "en") -> tuple[Taxon, ...]:
        """Return the taxa called ``name``, which may end in a higher taxon: "Morus (Sulidae)".

        Or in a "sp.", as "Larus sp." does. Of what a word means in several languages, it is taken
        in that of ``locale``.
        """
        taxa = self._taxa.named(name, locale)
        bare, _, higher = name.rstrip(" )").rpartition("(")
        if not taxa and bare:
            taxa = _within(self._taxa.named(bare, locale), higher.strip().casefold())
        taxa = taxa or self._taxa.named(without_sp(name), locale)
        return tuple(taxon for taxon in taxa if rank in (None, taxon.rank))

    def known_alone(
        self, name: str, rank: str | None = None, *, locale: str = "en"
    ) -> tuple[Taxon, ...]:
        """Return the taxa called ``name``, or so without its author, where GBIF cannot be asked.

        Only there: the author may be all that tells namesakes apart, which GBIF does.
        """
        known = self.known(name, rank, locale=locale)
        return known or self.known(without_authorship(name), rank, locale=locale)

    def unmistakable(self, taxon: Taxon) -> str:
        """Return a name that ``known`` resolves to ``taxon`` alone."""
        name = taxon.scientific_name
        if taxon.lineage and len(self._taxa.named(name)) > 1:
            name = f"{name} ({taxon.lineage[-1].name})"
        return name[:MAX_NAME]

    def offered(
        self, typed: str, ranks: Collection[str] = (), *, locale: str = "en"
    ) -> list[tuple[str, str]]:
        """Return what to offer while a name is being typed: a description, and the name.

        Of taxa at one of ``ranks``, if there are any. Names in the language of ``locale`` lead
        beside English ones.
        """
        typed = self._bare(plain(typed))
        matches = self._taxa.matches(typed, _MAX_OFFERED, locale, ranks)
        found = [(match.taxon, match.name) for match in matches] or [
            # An offered "Morus (Sulidae)", gone back to.
            (taxon, taxon.scientific_name)
            for taxon in self.known(typed, locale=locale)
            if not ranks or taxon.rank in ranks
        ]
        return [
            (self.described(taxon, self._called(taxon, name, locale)), self.unmistakable(taxon))
            for taxon, name in found
        ]

    def near(
        self, name: str, ranks: Collection[str] = (), *, locale: str = "en"
    ) -> tuple[Taxon, ...]:
        """Return taxa for a name that is not quite one, by as much of it as begins a name.

        At least half of it must, and three letters: less than that is chance.
        """
        for end in range(len(name), max(3, len(name) // 2) - 1, -1):
            if found := self._taxa.matches(name[:end], _MAX_NEAR, locale, ranks):
                return tuple(match.taxon for match in found)
        return ()

    def described(self, taxon: Taxon, vernacular: str | None) -> str:
        """Return the line by which to offer a taxon, with what people call it."""
        name = self.unmistakable(taxon)
        kind = "" if taxon.rank == "species" else f", {taxon.rank}"
        text = f"{vernacular} · {name}" if vernacular else name
        return text[: MAX_NAME - len(kind)] + kind

    def _bare(self, typed: str) -> str:
        """Return what was typed without an author or "sp.", if a name of the table is left then."""
        if typed.endswith(".") and self._taxa.named(bare := without_sp(typed)):
            return bare
        bare = without_authorship(typed)
        # "Jack in the Pulpit" is no species of an author called Pulpit.
        return bare if self._taxa.named(bare) and not self._taxa.matches(typed, limit=1) else typed

    def _called(self, taxon: Taxon, found: str, locale: str) -> str | None:
        """Return the vernacular name by which to offer a taxon: the one ``found``, if it was."""
        if found != taxon.scientific_name:
            return found
        spoken = self._taxa.vernacular_names(taxon, locale)
        return spoken[0] if spoken else taxon.vernacular_name


def _within(taxa: Sequence[Taxon], higher: str) -> tuple[Taxon, ...]:
    """Return those of ``taxa`` that are in ``higher``, a name in small letters.

    Those right below it stand for all: a species of the genus Lynx is in the Felidae, too, but
    "Lynx (Felidae)" is the genus.
    """
    lineages = [(taxon, [ancestor.name.casefold() for ancestor in taxon.lineage]) for taxon in taxa]
    below = tuple(taxon for taxon, lineage in lineages if lineage[-1:] == [higher])
    return below or tuple(taxon for taxon, lineage in lineages if higher in lineage)
