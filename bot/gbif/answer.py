"""What GBIF's name matching answers, and what it means.

The answer's own ``matchType`` is not the last word: HIGHERRANK is said both of "Aves",
which was found, and of a species that was not, where the genus came back instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from bot.gbif.questions import rank_asked
from bot.links import taxon_url
from engine import Ancestor, Taxon, TaxonTable

_LINEAGE_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
_RANKS = (
    *("DOMAIN", "REALM", "KINGDOM", "SUBKINGDOM", "PHYLUM", "SUBPHYLUM"),
    *("SUPERCLASS", "CLASS", "SUBCLASS", "INFRACLASS", "SUPERORDER", "ORDER", "SUBORDER"),
    *("INFRAORDER", "SUPERFAMILY", "FAMILY", "SUBFAMILY", "TRIBE", "SUBTRIBE"),
    *("GENUS", "SUBGENUS", "SPECIES", "SUBSPECIES"),
)
"""The highest first."""
_IUCN_CODES = frozenset({"EX", "EW", "RE", "CR", "EN", "VU", "NT", "LC", "DD", "NE"})


class Match(StrEnum):
    """How well an answer fits the name that was asked for."""

    EXACT = "exact"
    VARIANT = "variant"
    """Another spelling."""
    HIGHER_RANK = "higher rank"
    """The name is unknown, a taxon it would belong to is not."""
    AMBIGUOUS = "ambiguous"
    """Several taxa bear the name."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonInfo:
    """What is known of a taxon, from GBIF or from the local table.

    ``taxon`` is None only for an ambiguous match or none. ``status`` is GBIF's, such as
    ``ACCEPTED`` or ``SYNONYM``; ``accepted`` is the taxon that a synonym stands for.
    ``iucn`` is a code of the IUCN Red List, such as ``LC``. ``local_because`` says why
    the answer is local, and is None where it is GBIF's; ``stale_s`` is the age of an answer
    that could not be had anew. ``alternatives`` are the taxa of an ambiguous name.
    """

    asked: str
    match: Match
    taxon: Taxon | None = None
    authorship: str | None = None
    status: str | None = None
    accepted: Taxon | None = None
    accepted_authorship: str | None = None
    iucn: str | None = None
    local_because: str | None = None
    stale_s: float | None = None
    alternatives: tuple[TaxonInfo, ...] = ()

    @classmethod
    def local(cls, taxon: Taxon, because: str) -> TaxonInfo:
        """Say what the local table knows of ``taxon``, and why no more."""
        name = taxon.scientific_name
        return cls(asked=name, match=Match.EXACT, taxon=taxon, local_because=because)

    @property
    def source(self) -> Literal["gbif", "local"]:
        """Where the data come from."""
        return "gbif" if self.local_because is None else "local"

    @property
    def url(self) -> str | None:
        """The taxon's GBIF page."""
        return None if self.taxon is None else taxon_url(self.taxon)


_Filled = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Higher(_Part):
    key: _Filled
    name: _Filled
    rank: _Filled


class _Usage(_Part):
    key: _Filled
    name: _Filled
    rank: _Filled
    canonical_name: str | None = None
    authorship: str | None = None
    status: str | None = None


class _Diagnostics(_Part):
    match_type: str
    note: str = ""
    alternatives: Sequence[NameAnswer] = ()


class _ListStatus(_Part):
    dataset_alias: str | None = None
    status_code: str | None = None


class NameAnswer(_Part):
    """The parts that matter of an answer of ``v2/species/match``."""

    usage: _Usage | None = None
    accepted_usage: _Usage | None = None
    classification: Sequence[_Higher] = ()
    diagnostics: _Diagnostics
    additional_status: Sequence[_ListStatus] = ()
    synonym: bool = False

    @property
    def several_match(self) -> bool:
        """Whether no answer was given because several taxa bear the name."""
        return self.usage is None and (
            self.diagnostics.match_type == "AMBIGUOUS"
            or "multiple equal matches" in self.diagnostics.note.casefold()
        )

    @property
    def found_something(self) -> bool:
        """Whether the name is one that GBIF knows, of one taxon or of several."""
        return self.usage is not None or self.several_match

    def info(
        self, asked: str, rank: str | None, kingdom: str | None, taxa: TaxonTable
    ) -> TaxonInfo:
        """Say what the answer means for the name that was ``asked`` for.

        ``rank`` and ``kingdom`` are those the name is known to have, or None. English
        names and integer keys, which GBIF leaves out, come from ``taxa``.
        """
        match = self._match(asked, rank, kingdom)
        if self.usage is None or match in (Match.NONE, Match.AMBIGUOUS):
            return TaxonInfo(asked=asked, match=match, alternatives=self._namesakes(rank, taxa))
        accepted = self.accepted_usage
        codes = (s.status_code for s in self.additional_status if s.dataset_alias == "IUCN")
        return TaxonInfo(
            asked=asked,
            match=match,
            taxon=self._taxon(self.usage, taxa),
            authorship=self.usage.authorship or None,
            status=self.usage.status,
            accepted=self._taxon(accepted, taxa) if accepted is not None else None,
            accepted_authorship=accepted.authorship or None if accepted is not None else None,
            iucn=next((code for code in codes if code in _IUCN_CODES), None),
        )

    def _namesakes(self, rank: str | None, taxa: TaxonTable) -> tuple[TaxonInfo, ...]:
        """Return the alternatives of a verbose answer that bear exactly the name, at ``rank``."""
        exact = (a for a in self.diagnostics.alternatives if a.diagnostics.match_type == "EXACT")
        infos = (a.info(a.usage.name, rank, None, taxa) for a in exact if a.usage is not None)
        return tuple(info for info in infos if info.match is Match.EXACT)

    def _match(self, asked: str, rank: str | None, kingdom: str | None) -> Match:
        if self.usage is None:
            return Match.AMBIGUOUS if self.several_match else Match.NONE
        found = next((c.name for c in self.classification if c.rank == "KINGDOM"), None)
        if kingdom is not None and found is not None and found != kingdom:
            return Match.NONE
        same_name = _plain(self.usage.canonical_name or self.usage.name) == _plain(asked)
        wanted = rank_asked(rank)
        same_rank = wanted in (None, self.usage.rank)
        match_type = self.diagnostics.match_type
        match match_type:
            case "EXACT" if same_rank and (kingdom is None or same_name):
                return Match.EXACT
            case "HIGHERRANK" if same_rank and same_name:
                return Match.EXACT
            case "VARIANT" | "FUZZY" if same_rank:
                return Match.VARIANT
        # Called EXACT, too: where GBIF has no such subspecies, it may answer with the species.
        above = match_type == "HIGHERRANK" if wanted is None else _above(self.usage.rank, wanted)
        return Match.HIGHER_RANK if above and not self.synonym else Match.NONE

    def _taxon(self, usage: _Usage, taxa: TaxonTable) -> Taxon:
        own_keys = {part.key for part in (self.usage, self.accepted_usage) if part is not None}
        entries = {c.rank.lower(): c.name for c in self.classification if c.key not in own_keys}
        lineage = tuple(Ancestor(r, entries[r]) for r in _LINEAGE_RANKS if r in entries)
        name, rank = usage.canonical_name or usage.name, usage.rank.lower()
        known = [
            taxon
            for taxon in taxa.named(name)
            if (taxon.rank, taxon.ancestor("kingdom")) == (rank, entries.get("kingdom"))
            and _plain(taxon.scientific_name) == _plain(name)
        ]
        ours = known[0] if len(known) == 1 else None
        is_integer = usage.key.isascii() and usage.key.isdigit()
        return Taxon(
            scientific_name=name,
            rank=rank,
            lineage=lineage,
            vernacular_name=ours.vernacular_name if ours else None,
            gbif_key=int(usage.key) if is_integer else ours.gbif_key if ours else None,
            col_key=None if is_integer else usage.key,
        )


def _above(rank: str, other: str) -> bool:
    """Tell whether ``rank`` is known to be higher than ``other``, both as GBIF spells them."""
    return rank in _RANKS[: _RANKS.index(other)]


def _plain(name: str) -> str:
    """Reduce a scientific name to what two spellings of it have in common."""
    words = name.casefold().replace("\N{MULTIPLICATION SIGN}", " ").split()
    return " ".join(word for word in words if word != "x")


NameAnswer.model_rebuild()
MATCH = TypeAdapter(NameAnswer)
