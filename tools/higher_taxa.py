"""What people call the classes, orders and families that they meet: ``data/higher_taxa.tsv``.

Written by hand, because no source at hand names anything above species.
"""

from __future__ import annotations

from pathlib import Path

from tools.label_facts import read_by_hand

HIGHER_TAXA = Path(__file__).with_name("data") / "higher_taxa.tsv"


def read_higher_taxa(path: Path = HIGHER_TAXA) -> dict[tuple[str, str], str]:
    """Return the English name of each scientific name and rank.

    Raises:
        LabelsError: The file cannot be read.
    """
    rows = read_by_hand(path, "scientific_name", "rank", "english_name")
    return {(scientific_name, rank): name for scientific_name, rank, name in rows}
