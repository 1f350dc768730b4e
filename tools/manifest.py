"""Labelled photos on disk: a folder with a ``MANIFEST.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from engine import Group, Taxon, TaxonTable
from tools.sources import SourcePhoto, open_source
from tools.sources.manifest_csv import (
    LABEL_SETS,
    ManifestInvalid,
    Row,
    check_manifest,
    label_of,
    of_split,
    read_manifest_rows,
)
from tools.sources.names import scientific_name_of
from tools.sources.source import PhotoSkipped
from tools.usable_photos import LeftOut, PhotoFile

__all__ = ["GROUP_FOLDERS", "LabelledPhoto", "ManifestInvalid", "read_manifest", "read_references"]

GROUP_FOLDERS = {Group.BIRD: "birds", Group.INSECT: "insects", Group.PLANT: "plants"}
_COLUMNS = ("path", "split", "group", "scientific_name", "label_set", "label_index")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPhoto(PhotoFile):
    """One photo with its truth.

    ``group`` is the manifest's (birds, insects, plants, other, negatives). ``taxon`` is the
    label that a network should give, None where the species is in no label set;
    ``label_set`` says in which set it is.
    """

    group: str
    scientific_name: str
    label_set: str | None
    taxon: Taxon | None

    def shows(self, taxon: Taxon) -> bool:
        """Tell whether ``taxon`` is the truth: its label's taxon, or else by its name."""
        if self.taxon is not None:
            return taxon == self.taxon
        return taxon.scientific_name == self.scientific_name


def read_manifest(
    folder: Path, split: str, taxa: TaxonTable, left_out: LeftOut | None = None
) -> list[LabelledPhoto]:
    """Read the photos of one split, each file once.

    Those whose label and name disagree are ``left_out``, and named there.

    Raises:
        ManifestInvalid: there is no manifest, it cannot be read, a column is missing, a row has a
            label that is none, or the split is empty or all of it left out.
    """
    left_out = LeftOut() if left_out is None else left_out
    photos = []
    for row in of_split(folder, read_manifest_rows(folder, _COLUMNS), split):
        try:
            photos.append(_labelled(folder, row, taxa))
        except PhotoSkipped as error:
            left_out.tell(str(folder / row["path"]), str(error))
    if not photos:
        raise _none_left(folder, split)
    return photos


def read_references(folder: Path, split: str | None, taxa: TaxonTable) -> list[SourcePhoto]:
    """Read the photos of one split, or of all, as an index would take them in, each once.

    Says on standard error how many it skips, and why.

    Raises:
        ManifestInvalid: there is no manifest, or not one photo is left.
        SourceError: the folder cannot be used.
    """
    check_manifest(folder)
    source = open_source("folder", taxa=taxa, path=folder, split=split)
    photos = list(source.photos(()))
    for sentence in source.report():
        typer.echo(sentence, err=True)
    if not photos:
        raise _none_left(folder, split)
    return photos


def _none_left(folder: Path, split: str | None) -> ManifestInvalid:
    of_split = "" if split is None else f" of the split {split!r}"
    return ManifestInvalid(
        f"{folder} has no photo{of_split} that can be used: correct what is said above."
    )


def _labelled(folder: Path, row: Row, taxa: TaxonTable) -> LabelledPhoto:
    name = row["scientific_name"]
    return LabelledPhoto(
        path=folder / row["path"],
        group=row["group"],
        scientific_name=scientific_name_of(name) or name,
        label_set=LABEL_SETS.get(row["label_set"]),
        taxon=label_of(row, taxa),
    )
