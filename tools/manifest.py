"""Labelled photos on disk: a folder with a ``MANIFEST.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from engine import Group, Taxon, TaxonTable

GROUP_FOLDERS = {Group.BIRD: "birds", Group.INSECT: "insects", Group.PLANT: "plants"}
_LABEL_SETS = {"bird": "birds", "insect": "insects", "plant": "plants"}
_COLUMNS = {"path", "split", "group", "scientific_name", "label_set", "label_index"}


class ManifestInvalid(Exception):
    """The folder has no usable manifest; ``str`` is one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPhoto:
    """One photo with its truth.

    ``group`` is the manifest's (birds, insects, plants, other, negatives). ``taxon`` is the
    label that a network should give, None where the species is in no label set;
    ``label_set`` says in which set it is.
    """

    path: Path
    group: str
    scientific_name: str
    label_set: str | None
    taxon: Taxon | None

    def shows(self, taxon: Taxon) -> bool:
        """Tell whether ``taxon`` is the truth: its label's taxon, or else by its name."""
        if self.taxon is not None:
            return taxon == self.taxon
        return taxon.scientific_name == self.scientific_name


def read_manifest(folder: Path, split: str, taxa: TaxonTable) -> list[LabelledPhoto]:
    """Read the photos of one split, each file once.

    Raises:
        ManifestInvalid: there is no manifest, a column is missing, or the split is empty.
    """
    path = folder / "MANIFEST.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if missing := _COLUMNS - set(reader.fieldnames or ()):
                raise ManifestInvalid(
                    f"{path} lacks the column{'s' if len(missing) > 1 else ''} "
                    f"{', '.join(sorted(missing))}."
                )
            rows = list(reader)
    except OSError as error:
        raise ManifestInvalid(
            f"{path} cannot be read ({error.strerror}): give a folder that has a MANIFEST.csv."
        ) from error
    # A file that is listed twice is one photo.
    once = {row["path"]: row for row in reversed(rows) if row["split"] == split}
    photos = [_labelled(folder, row, taxa) for row in reversed(once.values())]
    if not photos:
        splits = ", ".join(sorted({row["split"] for row in rows}))
        raise ManifestInvalid(f"{path} has no photos of the split {split!r}; it has: {splits}.")
    return photos


def _labelled(folder: Path, row: dict[str, str], taxa: TaxonTable) -> LabelledPhoto:
    label_set = _LABEL_SETS.get(row["label_set"])
    return LabelledPhoto(
        path=folder / row["path"],
        group=row["group"],
        scientific_name=row["scientific_name"],
        label_set=label_set,
        taxon=taxa.labels(label_set)[int(row["label_index"])] if label_set else None,
    )
