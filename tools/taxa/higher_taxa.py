"""What people call the taxa above species that they meet: ``data/higher_taxa.tsv``.

Written by hand, because no source at hand names anything above species. ``english_name`` is what
cards call classes, orders and families ("owls"); ``also_called`` are the words, split by ``|``,
that somebody looks them up by ("owl"), and some genera ("oak"). A word may stand for more
than it says, as "snake" does for the order of lizards and snakes, where the table has no nearer
taxon, but none is another taxon's scientific name.
"""

from __future__ import annotations

from pathlib import Path

from tools.label_facts import read_by_hand

HIGHER_TAXA = Path(__file__).parents[1] / "data" / "higher_taxa.tsv"


def read_higher_taxa(path: Path = HIGHER_TAXA) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the English names of each scientific name and rank.

    The first leads, and is empty where none should.

    Raises:
        LabelsError: The file cannot be read.
    """
    rows = read_by_hand(path, "scientific_name", "rank", "english_name", "also_called")
    return {
        (scientific_name, rank): (english_name, *filter(None, also_called.split("|")))
        for scientific_name, rank, english_name, also_called in rows
    }
