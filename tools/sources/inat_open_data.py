"""iNaturalist's open data on S3: photos of a list of species, chosen from its tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from urllib3.util import Retry

from engine import TaxonTable
from tools.sources.download import PATIENCE, Web
from tools.sources.inat_join import OpenDataJoin, OpenDataWishes
from tools.sources.licence import OPEN_TERMS, terms_named
from tools.sources.names import choose_species
from tools.sources.plan import Plan, PlannedSource, silent
from tools.sources.source import Progress, SourceError

BUCKET = "https://inaturalist-open-data.s3.amazonaws.com"
SIZES = {"original": 2048, "large": 1024, "medium": 500, "small": 240}
"""Sizes in which the bucket holds a photo, with the longest side in pixels."""


class OpenDataSource(PlannedSource):
    """Research-grade photos of iNaturalist under open licences, by as many authors as can be.

    Photos are of ``species``, by name, or of every species of the taxon table's label sets.
    Up to ``per_species`` of each are drawn by ``seed``, one of an observation. ``tables``
    is the folder or the address of ``taxa.csv.gz``, ``observations.csv.gz``,
    ``photos.csv.gz`` and ``observers.csv.gz``; they are read as they come and not kept.
    With addresses that is some tens of gigabytes, so name a folder where there is one.
    """

    name = "inat-open-data"

    def __init__(
        self,
        *,
        taxa: TaxonTable,
        work: Path,
        species: Iterable[str] | None = None,
        per_species: int = 20,
        licences: Iterable[str] = tuple(OPEN_TERMS),
        seed: int = 0,
        tables: str = BUCKET,
        bucket: str = BUCKET,
        size: str = "medium",
        contact: str = "",
        patience: Retry = PATIENCE,
        progress: Progress = silent,
    ) -> None:
        """Check what is wished for; nothing is fetched yet.

        Raises:
            SourceError: a name, a licence, a size or a number is not one.
        """
        if size not in SIZES:
            raise SourceError(f"There is no size {size!r}: choose one of {', '.join(SIZES)}.")
        if per_species < 1:
            raise SourceError(f"{per_species} photos a species are none: ask for at least one.")
        try:
            terms = terms_named(licences)
        except ValueError as error:
            raise SourceError(str(error)) from error
        chosen = choose_species(taxa, species)
        self._open_data = OpenDataWishes(
            species=tuple(chosen),
            numbers=tuple(taxa.inat_taxon_id(taxon) for taxon in chosen),
            per_species=per_species,
            terms=terms,
            seed=seed,
            tables=tables.rstrip("/"),
            bucket=bucket.rstrip("/"),
            size=size,
        )
        super().__init__(
            work=work,
            wishes=[
                [taxon.scientific_name for taxon in chosen],
                sorted(terms),
                *(per_species, seed, self._open_data.tables, self._open_data.bucket, size),
            ],
            progress=progress,
            contact=contact,
            patience=patience,
        )

    def _choose(self, plan: Plan, web: Web) -> None:
        OpenDataJoin(self._open_data, plan, web, self._progress).run()
