"""The parts that matter of GBIF's occurrence search, and which photos in it may be used."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tools.label_facts import RANKS
from tools.sources.inat_join import INAT_IDENTITY
from tools.sources.licence import OPEN_TERMS, Licence, licence_of

OCCURRENCE_PAGE = "https://www.gbif.org/occurrence/{}"

_NAMED_RANKS = (*RANKS, "species")
_INAT_PHOTO = re.compile(
    r"(https://inaturalist-open-data\.s3\.amazonaws\.com/photos/(\d+)/)original(\.\w{1,5})"
)


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Medium(_Part):
    """A photo, sound or film of an occurrence."""

    type: str | None = None
    identifier: str | None = None
    license: str | None = None
    creator: str | None = None
    rights_holder: str | None = None

    def problem(self) -> str | None:
        """Say why this is no photo that may be used, or None where it is one."""
        if self.type != "StillImage":
            return "not a photo"
        if not (self.identifier or "").startswith(("http://", "https://")):
            return "without a web address"
        if not self.license:
            return "no licence of its own"
        licence = licence_of(self.license)
        if licence is None:
            return "under a licence that is not understood"
        return None if licence.terms in OPEN_TERMS else f"under {licence.terms}"

    def licence(self) -> Licence | None:
        """Read the photo's own licence."""
        return licence_of(self.license)

    def address(self) -> tuple[str, str]:
        """Return the photo's identity and where to fetch it.

        A photo of iNaturalist's open data is the same photo in that source, and is fetched in
        the size that is used.
        """
        url = self.identifier or ""
        if match := _INAT_PHOTO.fullmatch(url):
            return INAT_IDENTITY.format(match[2]), f"{match[1]}medium{match[3]}"
        return f"gbif:{url}", url


class _Ranked(_Part):
    name: str
    rank: str


class _Classification(_Part):
    classification: tuple[_Ranked, ...] = ()


class Occurrence(_Part):
    """A record that somebody met an organism."""

    key: int
    media: tuple[Medium, ...] = ()
    classifications: dict[str, _Classification] = Field(default_factory=dict)
    kingdom: str | None = None
    phylum: str | None = None
    class_: str | None = Field(default=None, alias="class")
    order: str | None = None
    family: str | None = None
    genus: str | None = None
    species: str | None = None
    recorded_by: str | None = None
    rights_holder: str | None = None
    dataset_name: str | None = None

    def names(self, checklist: str) -> dict[str, str]:
        """Return the names of the species and of what it belongs to, by rank."""
        if checklist in self.classifications:
            ranked = self.classifications[checklist].classification
            return {one.rank.lower(): one.name for one in ranked}
        found = self.model_dump(include={"class_", *_NAMED_RANKS}, exclude_none=True)
        return {rank.rstrip("_"): name for rank, name in found.items()}

    def author(self, medium: Medium) -> str:
        """Name whom to credit for ``medium``."""
        own = dict.fromkeys(filter(None, (medium.creator, medium.rights_holder)))
        return (
            ", ".join(own)
            or self.rights_holder
            or self.recorded_by
            or self.dataset_name
            or f"GBIF occurrence {self.key}"
        )


class _Count(_Part):
    name: str


class _Facet(_Part):
    counts: tuple[_Count, ...] = ()


class SearchPage(_Part):
    """One answer of ``occurrence/search``. ``results`` are checked one by one."""

    end_of_records: bool
    results: tuple[dict[str, Any], ...] = ()
    facets: tuple[_Facet, ...] = ()

    def facet_names(self) -> list[str]:
        """Return the values of the one facet that was asked for."""
        return [count.name for facet in self.facets for count in facet.counts]
