"""GBIF's occurrences with photos: of a list of species, or of every species of a taxon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from urllib3.util import Retry

from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.client import API, BACKBONE, COL_XR
from engine import Taxon, TaxonTable
from tools.sources.download import PATIENCE, HostLost, Web
from tools.sources.gbif_names import exactly, read_match
from tools.sources.gbif_records import OCCURRENCE_PAGE, Occurrence, SearchPage
from tools.sources.names import choose_species, find_taxon, scientific_name_of
from tools.sources.plan import Plan, PlannedPhoto, PlannedSource, silent
from tools.sources.sampling import chance, spread
from tools.sources.source import PhotoSkipped, Progress, SourceError

_WITH_OPEN_PHOTOS = {
    "mediaType": "StillImage",
    "license": ["CC0_1_0", "CC_BY_4_0"],
    "occurrenceStatus": "PRESENT",
    # Specimens in drawers and on sheets look like nothing that people meet.
    "basisOfRecord": ["HUMAN_OBSERVATION", "MACHINE_OBSERVATION"],
}
_PAGE = 300
_MOST_PAGES = 3
_CHOICE = 4
"""How many photos to choose from, for each that is wanted."""

_KEY = re.compile(r"[0-9A-Z]{1,12}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_TARGETS = "CREATE TABLE IF NOT EXISTS target (key TEXT PRIMARY KEY) WITHOUT ROWID"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A species to ask for. ``taxon`` is None where only the answers will name it."""

    key: str
    taxon: Taxon | None = None

    @property
    def checklist(self) -> str:
        return BACKBONE if self.key.isdigit() else COL_XR


class GbifSource(PlannedSource):
    """Photos under CC0 or CC BY of occurrences that GBIF knows, by as many people as can be.

    Of ``species``, by name, or of every species of ``taxon``, a name or a GBIF or
    Catalogue of Life key; from all the world or from ``country``, two letters of ISO 3166.
    It is the photo's own licence that counts, not the record's.
    """

    name = "gbif"

    def __init__(
        self,
        *,
        taxa: TaxonTable,
        work: Path,
        species: Iterable[str] | None = None,
        taxon: str | None = None,
        country: str | None = None,
        per_species: int = 20,
        seed: int = 0,
        contact: str = "",
        api: str = API,
        patience: Retry = PATIENCE,
        progress: Progress = silent,
    ) -> None:
        """Check what is wished for; nothing is asked yet.

        Raises:
            SourceError: a name, the country or a number is not one.
        """
        if (taxon is None) == (species is None):
            raise SourceError("Name either a taxon or a list of species for GBIF.")
        if country is not None and not _COUNTRY.fullmatch(country.upper()):
            raise SourceError(f"{country!r} is not a country: give two letters, such as DE.")
        if per_species < 1:
            raise SourceError(f"{per_species} photos a species are none: ask for at least one.")
        self._taxa = taxa
        self._species = [] if species is None else choose_species(taxa, species)
        self._taxon = taxon.strip() if taxon is not None else None
        self._filter: dict[str, Any] = dict(_WITH_OPEN_PHOTOS)
        if country is not None:
            self._filter["country"] = country.upper()
        self._per_species = per_species
        self._seed = seed
        self._api = api.rstrip("/")
        names = [one.scientific_name for one in self._species]
        super().__init__(
            work=work,
            wishes=[names, self._taxon, country and country.upper(), per_species, seed],
            progress=progress,
            contact=contact,
            patience=patience,
        )

    def _lost_with(self, _lost: HostLost) -> bool:
        """Photos lie on many servers: losing one is not the end."""
        return False

    def _choose(self, plan: Plan, web: Web) -> None:
        wanted: Sequence[_Target | Taxon] = self._species
        if self._taxon is not None:
            wanted = self._targets(self._taxon, plan, web)
        for number, one in enumerate(wanted):
            self._progress("species", number, len(wanted))
            step = one.key if isinstance(one, _Target) else one.scientific_name
            if not plan.taken(step):
                self._choose_of(step, one, plan, web)
        self._progress("species", len(wanted), len(wanted))

    def _choose_of(self, step: str, one: _Target | Taxon, plan: Plan, web: Web) -> None:
        """Choose the photos of one species, whole or not at all."""
        note = None
        photos: list[PlannedPhoto] = []
        try:
            target = self._target(one, web) if isinstance(one, Taxon) else one
            if target is None:
                note = f"GBIF knows no {step}."
            else:
                photos = self._photos_of(target, web)
        except PhotoSkipped as error:
            note = f"GBIF refused to search for {step} ({error})."
        if not photos and note is None:
            note = f"GBIF has no photo of {step} that may be used."
        with plan.writing():
            plan.add(photos)
            if note is not None:
                plan.add_note(note)
            plan.take(step)

    def _photos_of(self, target: _Target, web: Web) -> list[PlannedPhoto]:
        found = []
        for occurrence in self._occurrences(target, web):
            photo = self._planned(target, occurrence)
            if photo is not None:
                drawn = chance(self._seed, photo.identity.encode())
                found.append((drawn, occurrence.recorded_by or photo.attribution, photo))
            if len(found) >= _CHOICE * self._per_species:
                break
        return spread(found, self._per_species)

    def _occurrences(self, target: _Target, web: Web) -> Iterator[Occurrence]:
        for page in range(_MOST_PAGES):
            answer = self._search(target, web, limit=_PAGE, offset=page * _PAGE)
            for record in answer.results:
                try:
                    yield Occurrence.model_validate(record)
                except ValidationError:
                    self._skip("in a record that is not understood")
            if answer.end_of_records:
                return

    def _planned(self, target: _Target, occurrence: Occurrence) -> PlannedPhoto | None:
        """Plan the first photo of an occurrence that may be used; others show the same."""
        taxon = target.taxon or self._taxon_of(target, occurrence)
        if taxon is None:
            self._skip("in a record that names no species")
            return None
        for medium in occurrence.media:
            if problem := medium.problem():
                self._skip(problem)
                continue
            identity, address = medium.address()
            return PlannedPhoto(
                identity=identity,
                address=address,
                taxon=taxon,
                licence=str(medium.licence()),
                attribution=occurrence.author(medium),
                url=OCCURRENCE_PAGE.format(occurrence.key),
            )
        return None

    def _taxon_of(self, target: _Target, occurrence: Occurrence) -> Taxon | None:
        names = occurrence.names(target.checklist)
        name = scientific_name_of(names.get("species", ""))
        if name is None:
            return None
        key = int(target.key) if target.checklist == BACKBONE else None
        return find_taxon(self._taxa, name, ancestors=names, gbif_key=key)

    def _targets(self, taxon: str, plan: Plan, web: Web) -> list[_Target]:
        """Return the species of ``taxon`` that have photos."""
        with plan.writing() as connection:
            connection.execute(_TARGETS)
        if not plan.taken("targets"):
            keys = self._species_keys(_Target(key=self._key_of(taxon, web)), web)
            with plan.writing() as connection:
                connection.executemany("INSERT INTO target VALUES (?)", [(key,) for key in keys])
                plan.take("targets")
        rows = plan.connection.execute("SELECT key FROM target ORDER BY key").fetchall()
        return [_Target(key=key) for (key,) in rows]

    def _species_keys(self, target: _Target, web: Web) -> list[str]:
        keys: list[str] = []
        while True:
            facet = {"facet": "speciesKey", "facetLimit": 1000, "facetOffset": len(keys)}
            try:
                found = self._search(target, web, limit=0, offset=0, **facet).facet_names()
            except PhotoSkipped as error:
                raise SourceError(
                    f"GBIF refused to search for {target.key} ({error}): give another taxon."
                ) from error
            keys += found
            if len(found) < 1000:
                break
        if not keys:
            raise SourceError(
                f"GBIF has no photos of {self._taxon} that may be used: choose another taxon "
                "or country."
            )
        # What is no higher than a species is asked for itself.
        return keys if len(keys) > 1 else [target.key]

    def _key_of(self, taxon: str, web: Web) -> str:
        if _KEY.fullmatch(taxon):
            return taxon
        info = self._match(web, taxon, {})
        key = _key(info, taxon)
        if key is None:
            raise SourceError(
                f"GBIF knows {'several taxa' if info.match is Match.AMBIGUOUS else 'no taxon'} "
                f"called {taxon}: give the key at the end of its page's address on gbif.org."
            )
        return key

    def _target(self, taxon: Taxon, web: Web) -> _Target | None:
        """Find the key to ask by: of the table, or else of exactly this name at GBIF."""
        if taxon.gbif_key is not None:
            return _Target(key=str(taxon.gbif_key), taxon=taxon)
        hints = {rank: taxon.ancestor(rank) for rank in ("kingdom", "family")}
        name = taxon.scientific_name
        key = _key(self._match(web, name, hints), name)
        return None if key is None else _Target(key=key, taxon=taxon)

    def _match(self, web: Web, name: str, hints: Mapping[str, str | None]) -> TaxonInfo:
        parameters = {"scientificName": name, "checklistKey": COL_XR, **hints}
        answer = self._ask(web, "/v2/species/match", parameters)
        return read_match(answer, name, None, hints.get("kingdom"), self._taxa)

    def _search(self, target: _Target, web: Web, **parameters: Any) -> SearchPage:
        keys = {"taxonKey": target.key, "checklistKey": target.checklist}
        answer = self._ask(web, "/v1/occurrence/search", {**self._filter, **keys, **parameters})
        try:
            return SearchPage.model_validate(answer)
        except ValidationError as error:
            raise SourceError("GBIF answered something that is no occurrence search.") from error

    def _ask(self, web: Web, path: str, parameters: Mapping[str, Any]) -> Any:
        """Ask GBIF.

        Raises:
            PhotoSkipped: GBIF refused this question for good.
            SourceError: GBIF does not answer.
        """
        try:
            return web.json(self._api + path, parameters)
        except PhotoSkipped as error:
            if error.final:
                raise
            raise SourceError(
                f"GBIF does not answer, {error}: run it again later, and it goes on from here."
            ) from error


def _key(info: TaxonInfo, name: str) -> str | None:
    """Return the Catalogue of Life's key of what is called exactly ``name``, or None."""
    taxon = exactly(info, name)
    return None if taxon is None else (info.accepted or taxon).col_key
