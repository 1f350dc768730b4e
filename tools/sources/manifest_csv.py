"""The lists that lie in a folder of photos: CSV files, above all the ``MANIFEST.csv``."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from engine import Taxon, TaxonTable
from tools.sources.names import share_a_word
from tools.sources.source import PhotoSkipped, SourceError

MANIFEST = "MANIFEST.csv"
LABEL_SETS = {"bird": "birds", "insect": "insects", "plant": "plants"}
"""The label sets of the taxon table, by what a manifest calls them."""

Row = dict[str, str]


class ManifestInvalid(SourceError):
    """A list of photos cannot be used; ``str`` is one sentence that says why."""


def read_csv(path: Path, columns: Collection[str]) -> list[Row]:
    """Read a list that has at least these ``columns``.

    Raises:
        ManifestInvalid: it cannot be read, or a column is missing.
    """
    try:
        # Spreadsheets begin UTF-8 with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            # And divide columns by whatever is no decimal sign where they are used.
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            reader = csv.DictReader(file, restval="", delimiter=delimiter, skipinitialspace=True)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                several, them = ("s", "them") if len(missing) > 1 else ("", "it")
                raise ManifestInvalid(
                    f"{path} lacks the column{several} {', '.join(map(repr, missing))}: add {them}."
                )
            return list(reader)
    except OSError as error:
        raise ManifestInvalid(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ManifestInvalid(
            f"{path} cannot be read, for it is not in UTF-8: save it as UTF-8 CSV."
        ) from error
    except csv.Error as error:
        raise ManifestInvalid(f"{path} cannot be read ({error}): save it as UTF-8 CSV.") from error


def check_manifest(folder: Path) -> None:
    """Check that a folder has a manifest.

    Raises:
        ManifestInvalid: it has none.
    """
    if not (folder / MANIFEST).is_file():
        raise ManifestInvalid(f"{folder} has no {MANIFEST}: give a folder that has a {MANIFEST}.")


def read_manifest_rows(folder: Path, columns: Collection[str]) -> list[Row]:
    """Read the manifest of a folder, of whatever splits.

    Raises:
        ManifestInvalid: there is none, it lists no photo, or ``read_csv`` refuses it.
    """
    check_manifest(folder)
    rows = read_csv(folder / MANIFEST, columns)
    if not rows:
        raise ManifestInvalid(f"{folder / MANIFEST} lists no photos: add a row for each.")
    return rows


def of_split(folder: Path, rows: Collection[Row], split: str | None) -> list[Row]:
    """Return the rows of one split, or of all for None, each file once: what comes first counts.

    Raises:
        ManifestInvalid: there are none.
    """
    once: dict[str, Row] = {}
    for row in rows:
        if split in (None, row["split"]):
            once.setdefault(row["path"], row)
    if not once:
        splits = ", ".join(sorted({row["split"] for row in rows}))
        raise ManifestInvalid(
            f"{folder / MANIFEST} has no photos of the split {split!r}; it has: {splits}."
        )
    return list(once.values())


def label_of(row: Mapping[str, str], taxa: TaxonTable) -> Taxon | None:
    """Return the taxon that a row names by its index in a label set; None where it names none.

    Raises:
        ManifestInvalid: the label set has no such index.
        PhotoSkipped: the label is not what the row's name says. A genus or an epithet may have
            changed since; both differing means another species.
    """
    label_set = LABEL_SETS.get(row.get("label_set", ""))
    if label_set is None:
        return None
    labels, index = taxa.labels(label_set), row.get("label_index", "").strip()
    if not (index.isascii() and index.isdigit() and int(index) < len(labels)):
        raise ManifestInvalid(
            f"{MANIFEST} gives {row['path']} the label_index {index!r}, which is none of "
            f"{row['label_set']}'s 0 to {len(labels) - 1}: correct it, or empty its label_set."
        )
    label, name = labels[int(index)], row["scientific_name"].replace("_", " ").strip()
    if label is not None and name and not share_a_word(name, label.scientific_name):
        raise PhotoSkipped("label and name disagree")
    return label
