"""What GBIF's other answers say of a taxon: how often and where it was met, its names, its map."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, TypeAdapter
from pydantic.alias_generators import to_camel

from bot.options.languages import language
from engine import Taxon

T = TypeVar("T")

COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
"""GBIF's checklist of today; its keys hold letters."""
BACKBONE = "d7dddbf4-2cf0-4f39-9b2a-bb099caae36c"
"""GBIF's checklist of before, which changes no more; its keys are integers."""

_MAX_NAMES = 3
_MAX_NAME = 60
_RARE = 4
"""A name is left out that is this many times rarer than the commonest."""


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A value, and how many seconds ago it was current where GBIF could not be asked again."""

    value: T
    stale_s: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class TaxonKey:
    """A taxon's key and the checklist it belongs to, never one without the other.

    The occurrence and map services hold both checklists. A key sent with the wrong one is
    no error there: it counts nothing.
    """

    key: str
    checklist: str

    @classmethod
    def of(cls, taxon: Taxon, *, matched: bool = False) -> TaxonKey | None:
        """Return the key to count ``taxon`` by; None where it has none.

        That is the integer key, with the backbone, else a Catalogue of Life key. Of a taxon that
        GBIF just ``matched`` it is the latter: the integer one, which comes from the taxon table,
        may be that of a synonym, under which little is filed. The table's own Catalogue of Life
        keys may be outdated.
        """
        backbone = None if taxon.gbif_key is None else cls(str(taxon.gbif_key), BACKBONE)
        if taxon.col_key is None or (backbone is not None and not matched):
            return backbone
        return cls(taxon.col_key, BACKBONE if taxon.col_key.isdigit() else COL_XR)

    @property
    def parameters(self) -> dict[str, str]:
        """Return the two as parameters of a question."""
        return {"taxonKey": self.key, "checklistKey": self.checklist}


@dataclass(frozen=True, slots=True)
class CountryCount:
    """Occurrences in a country, which is an ISO 3166-1 alpha-2 code or one of GBIF's own."""

    country: str
    count: int


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How many occurrences GBIF holds, and the countries with most of them."""

    total: int
    countries: tuple[CountryCount, ...] = ()


@dataclass(frozen=True, slots=True)
class WorldTiles:
    """The west and the east of the world as PNG: the base map, and the density over it.

    An empty half of ``density`` has no occurrences.
    """

    basemap: tuple[bytes, bytes]
    density: tuple[bytes, bytes]


VernacularNames = Mapping[str, tuple[str, ...]]
"""Names by language (ISO 639-1 where there is such a code), the commonest first."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _FacetCount(_Part):
    name: str
    count: NonNegativeInt


class _Facet(_Part):
    field: str
    counts: Sequence[_FacetCount]


class OccurrenceAnswer(_Part):
    """The parts that matter of an answer of ``v1/occurrence/search``."""

    count: NonNegativeInt
    facets: Sequence[_Facet] = ()

    def occurrences(self) -> Occurrences:
        """Return the total, and the countries where the question had that facet."""
        counts = self._facet("COUNTRY")
        return Occurrences(self.count, tuple(CountryCount(c.name, c.count) for c in counts))

    def by_species(self) -> Mapping[str, int]:
        """Return the counts by species key where the question had that facet."""
        return {c.name: c.count for c in self._facet("SPECIES_KEY")}

    def _facet(self, field: str) -> Sequence[_FacetCount]:
        return next((facet.counts for facet in self.facets if facet.field == field), ())


class _Vernacular(_Part):
    vernacular_name: str
    language: str = ""


class VernacularAnswer(_Part):
    """The parts that matter of an answer of ``v1/species/{key}/vernacularNames``."""

    results: Sequence[_Vernacular]

    def names(self) -> VernacularNames:
        """Choose the commonest names of each language, whatever their capitals.

        The list joins many sources: one name comes in several spellings, in a language it
        is not of, or for several species at once ("House/Italian Sparrow").
        """
        spellings: defaultdict[str, defaultdict[str, Counter[str]]]
        spellings = defaultdict(lambda: defaultdict(Counter))
        for entry in self.results:
            name = " ".join(entry.vernacular_name.split())
            if entry.language and name and "/" not in name and len(name) <= _MAX_NAME:
                spellings[language(entry.language)][name.casefold()][name] += 1
        return {code: _commonest(names) for code, names in spellings.items()}


class IucnAnswer(_Part):
    """The parts that matter of an answer of ``v1/species/{key}/iucnRedListCategory``."""

    code: str = Field(pattern=r"^[A-Z]{2}$")


OCCURRENCES = TypeAdapter(OccurrenceAnswer)
VERNACULARS = TypeAdapter(VernacularAnswer)
IUCN = TypeAdapter(IucnAnswer)


def _commonest(spellings: Mapping[str, Counter[str]]) -> tuple[str, ...]:
    ranked = sorted(spellings.values(), key=lambda spelt: -spelt.total())[:_MAX_NAMES]
    return tuple(
        spelt.most_common(1)[0][0] for spelt in ranked if spelt.total() * _RARE >= ranked[0].total()
    )
