"""What a manifest of photos calls its species in English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.taxonomy.taxa import fold
from tools.label_facts import headline, read_by_hand
from tools.sources.names import scientific_name_of

CORRECTIONS = Path(__file__).parents[1] / "data" / "english_names.tsv"
"""What collections wrote of a species, and its English name; none where that was no English."""


def english_names(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the English name of each species of a manifest's ``rows`` that has one.

    Of several names the first counts, and a scientific name in place of one is none. Those
    that are known to be mangled, of a whole group of species, or Spanish, are corrected.
    """
    corrections = _read_corrections()
    names: dict[str, str] = {}
    for row in rows:
        species = scientific_name_of(row["scientific_name"])
        if species is None or species in names:
            continue
        written = headline(row.get("common_name") or "")
        name = corrections.get((species, written), written)
        if name and fold(name) != fold(species):
            names[species] = name
    return names


def _read_corrections() -> dict[tuple[str, str], str]:
    rows = read_by_hand(CORRECTIONS, "scientific_name", "written", "english_name")
    return {(species, headline(written)): name for species, written, name in rows}
