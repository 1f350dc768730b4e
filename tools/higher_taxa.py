"""What people call the classes, orders and families that they meet: ``data/higher_taxa.tsv``.

Written by hand, because no source at hand names anything above species.
"""

from __future__ import annotations

import csv
from pathlib import Path

from tools.label_facts import LabelsError

HIGHER_TAXA = Path(__file__).with_name("data") / "higher_taxa.tsv"


def read_higher_taxa(path: Path = HIGHER_TAXA) -> dict[tuple[str, str], str]:
    """Return the English name of each scientific name and rank.

    Raises:
        LabelsError: The file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                (row["scientific_name"], row["rank"]): row["english_name"]
                for row in csv.DictReader(file, delimiter="\t", strict=True)
            }
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise LabelsError(f"Cannot read the names of higher taxa in {path}: {error}.") from error
