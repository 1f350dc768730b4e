"""The options that say where an index's photos come from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import TaxonTable
from tools.sources import Progress, Source, open_source
from tools.sources.placing import AskGbif


class SourceKind(StrEnum):
    """Where photos may come from."""

    FOLDER = "folder"
    INAT2021 = "inat2021"
    INAT_OPEN_DATA = "inat-open-data"
    GBIF = "gbif"


FromOption = Annotated[SourceKind, typer.Option("--from", help="Where the photos come from.")]
PlaceArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PLACE]",
        help="Folder of photos; for inat2021 also the archive; for inat-open-data the tables, "
        "as a folder or URL, where they are not to be had from iNaturalist itself.",
    ),
]
SplitOption = Annotated[
    str | None, typer.Option(help="folder: which split of its MANIFEST.csv. Default: all.")
]
AnnotationsOption = Annotated[
    Path | None, typer.Option(help="inat2021: the json file.", exists=True, dir_okay=False)
]
SpeciesOption = Annotated[
    Path | None,
    typer.Option(
        help="inat-open-data, gbif: file of scientific names, one on a line.",
        exists=True,
        dir_okay=False,
    ),
]
TaxonOption = Annotated[
    str | None, typer.Option(help="gbif: a taxon whose species are meant, by name or key.")
]
CountryOption = Annotated[
    str | None, typer.Option(help="gbif: only photos from this country, as two letters.")
]
PER_SPECIES = 50
PerSpeciesOption = Annotated[
    int | None,
    typer.Option(
        help=f"inat-open-data, gbif: most photos of a species. Default: {PER_SPECIES}.", min=1
    ),
]
ContactOption = Annotated[
    str,
    typer.Option(help="inat-open-data, gbif, --ask-gbif: whom the servers' keepers may write to."),
]
AskGbifOption = Annotated[
    bool,
    typer.Option(
        "--ask-gbif", help="folder: ask GBIF where species belong that the taxon table lacks."
    ),
]


_TAKEN = {
    SourceKind.FOLDER: {"PLACE", "--split", "--ask-gbif"},
    SourceKind.INAT2021: {"PLACE", "--annotations"},
    SourceKind.INAT_OPEN_DATA: {"PLACE", "--species", "--per-species"},
    SourceKind.GBIF: {"--species", "--taxon", "--country", "--per-species"},
}
"""What each kind takes besides ``--contact``. What it would not heed, somebody counts on."""


class SourceMissing(Exception):
    """The options do not say enough, or too much; ``str`` is one sentence."""


def source_options(
    kind: SourceKind,
    place: str | None,
    *,
    split: str | None,
    annotations: Path | None,
    species: Path | None,
    taxon: str | None,
    country: str | None,
    per_species: int | None,
    contact: str,
    ask_gbif: bool,
) -> dict[str, Any]:
    """Return what ``open_source`` takes for this ``kind``, in values that JSON can hold.

    Raises:
        SourceMissing: something that the kind needs is not given or cannot be read, or something
            is given that it does not take.
    """
    _check_taken(
        kind,
        {
            "PLACE": place,
            "--split": split,
            "--annotations": annotations,
            "--species": species,
            "--taxon": taxon,
            "--country": country,
            "--per-species": per_species,
            "--ask-gbif": ask_gbif,
        },
    )
    names = _read_names(species) if species else None
    if kind in (SourceKind.FOLDER, SourceKind.INAT2021):
        if place is None:
            raise SourceMissing(f"Say which folder: `--from {kind.value} FOLDER`.")
        path = str(Path(place).resolve())
        if kind is SourceKind.FOLDER:
            return {"path": path, "split": split, **({"contact": contact} if ask_gbif else {})}
        return {"path": path, "annotations": str(annotations.resolve()) if annotations else None}
    most = PER_SPECIES if per_species is None else per_species
    common = {"species": names, "per_species": most, "contact": contact}
    if kind is SourceKind.GBIF:
        if (taxon is None) == (names is None):
            raise SourceMissing("Say which species: `--taxon NAME` or `--species FILE`.")
        return {**common, "taxon": taxon, "country": country}
    return {**common, **({"tables": place} if place else {})}


def open_chosen(
    kind: SourceKind, options: dict[str, Any], work: Path, taxa: TaxonTable, progress: Progress
) -> Source:
    """Open the source; ``work`` is a folder where it may keep what it downloads.

    ``progress`` is told what the source does before it gives its first photo.

    Raises:
        SourceError: it cannot be used.
    """
    paths = {name: Path(options[name]) for name in ("path", "annotations") if options.get(name)}
    options = {**options, **paths}
    if kind is SourceKind.FOLDER and "contact" in options:
        options["asking"] = AskGbif(contact=options.pop("contact"))
    if kind in (SourceKind.INAT_OPEN_DATA, SourceKind.GBIF):
        options |= {"work": work, "progress": progress}
    return open_source(kind.value, taxa=taxa, **options)


def _check_taken(kind: SourceKind, asked: Mapping[str, object]) -> None:
    for option, value in asked.items():
        if value not in (None, False) and option not in _TAKEN[kind]:
            raise SourceMissing(f"--from {kind.value} takes no {option}: leave it out.")


def _read_names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceMissing(f"{path} cannot be read: save it as UTF-8 text.") from error
    return [name for line in lines if (name := line.strip()) and not name.startswith("#")]
