"""Where GBIF says that species belong which the taxon table lacks, and their keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from urllib3.util import Retry

from bot.gbif.client import API, BACKBONE
from engine import SPECIES_RANKS, Taxon, TaxonTable
from tools.sources.download import PATIENCE, Web
from tools.sources.gbif_names import exactly, read_match
from tools.sources.names import listed
from tools.sources.source import PhotoSkipped, SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class AskGbif:
    """How GBIF is asked; ``api`` and ``patience`` are for tests."""

    contact: str = ""
    api: str = API
    patience: Retry = field(default_factory=lambda: PATIENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What came of asking: ``found`` by what was asked for, and what stays as it was."""

    found: dict[Taxon, Taxon]
    left: tuple[Taxon, ...]

    def __str__(self) -> str:
        total = len(self.found) + len(self.left)
        said = f"GBIF placed {len(self.found)} of {total} species that the taxon table lacks"
        if not self.left:
            return f"{said}."
        names = listed([taxon.scientific_name for taxon in self.left])
        return f"{said}. It has not exactly one of the name: {names}."


def place(species: Iterable[Taxon], taxa: TaxonTable, asking: AskGbif) -> Placed:
    """Ask GBIF's backbone for those of ``species`` that neither the table nor their source places.

    Only an answer of exactly the name counts. A synonym keeps its own name and key, and belongs
    where its accepted species does.

    Raises:
        SourceError: GBIF does not answer, or with something else.
    """
    lacking = [
        taxon
        for taxon in dict.fromkeys(species)
        if taxa.entry_of(taxon) is None
        and (taxon.gbif_key is None or taxon.ancestor("family") is None)
    ]
    found = {}
    with Web(contact=asking.contact, patience=asking.patience) as web:
        for taxon in lacking:
            there = _ask(taxon, taxa, web, asking.api)
            if there is not None:
                found[taxon] = there
    return Placed(found=found, left=tuple(taxon for taxon in lacking if taxon not in found))


def _ask(taxon: Taxon, taxa: TaxonTable, web: Web, api: str) -> Taxon | None:
    name, kingdom = taxon.scientific_name, taxon.ancestor("kingdom")
    asked = {"scientificName": name, "checklistKey": BACKBONE}
    if kingdom is not None:
        asked["kingdom"] = kingdom
    try:
        answer = web.json(f"{api}/v2/species/match", asked)
    except PhotoSkipped as error:
        if error.final:
            return None
        raise SourceError(
            f"GBIF does not answer, {error}: run it again later, or without --ask-gbif."
        ) from error
    there = exactly(read_match(answer, name, taxon.rank, kingdom, taxa), name)
    if there is None or there.rank not in SPECIES_RANKS or there.gbif_key is None:
        return None
    return replace(taxon, lineage=there.lineage, gbif_key=there.gbif_key)
