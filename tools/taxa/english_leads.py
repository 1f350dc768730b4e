"""Which English name of a species leads, where the label sets put another taxon's first.

The English names of the iNaturalist 2021 labels come from a list that names subspecies, too, and
often one of those, or a close relative, stands for the species: "Nubian Giraffe" for the giraffe.
Two things mend that:

- Of mammals, reptiles and amphibians, a name of the Catalogue of Life that the written one ends
  with leads, the longest of several, unless the Catalogue has the written one as well, as it
  has "American Bison" beside "bison". Not of other classes: there a short name in it is
  mostly that of a group ("damselfish"), and what qualifies it tells species apart.
- ``data/english_leads.tsv``, written by hand, goes before that. It says which name was written,
  so that a line is without effect once the facts have a better one.

The name that led stays as a further one, since people may look for it, unless it would mislead
them (``tools/taxa/misleading_names.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from engine.taxonomy.taxa import fold
from tools.label_facts import LabelsError, headline, read_by_hand, read_vernacular

ENGLISH_LEADS = Path(__file__).parents[1] / "data" / "english_leads.tsv"
"""What the facts call a species in English, and what it should be called instead."""

_CLASSES = frozenset({"Amphibia", "Mammalia", "Reptilia"})
_ENGLISH = "eng"


class EnglishLeads:
    """The names by hand and those of the Catalogue of Life, immutable."""

    def __init__(
        self, by_hand: Mapping[tuple[str, str], str], listed: Mapping[str, Collection[str]]
    ) -> None:
        self._by_hand = by_hand
        self._listed = listed

    @classmethod
    def read(cls, labels: Path, by_hand: Path = ENGLISH_LEADS) -> EnglishLeads:
        """Read the names of the folder ``labels`` and of the file ``by_hand``.

        Raises:
            LabelsError: A file is missing or does not hold what it should.
        """
        listed: dict[str, list[str]] = {}
        for scientific_name, language, name in read_vernacular(labels):
            # A bracket names the subspecies that bears the name.
            if language == _ENGLISH and not set(name) & set("()[]"):
                listed.setdefault(scientific_name, []).append(headline(name))
        return cls(read_english_leads(by_hand), listed)

    def lead(self, scientific_name: str, class_: str, written: str) -> str:
        """Return the English name that should lead where the facts have ``written``."""
        if by_hand := self._by_hand.get((scientific_name, written)):
            return by_hand
        listed = self._listed.get(scientific_name, ())
        if class_ not in _CLASSES or fold(written) in map(fold, listed):
            return written
        ends = [name for name in listed if fold(written).endswith(f" {fold(name)}")]
        return max(ends, key=len, default=written)


def read_english_leads(path: Path = ENGLISH_LEADS) -> dict[tuple[str, str], str]:
    """Return the name that should lead, by species and the name that the facts have.

    Raises:
        LabelsError: The file cannot be read, or has a line without a name.
    """
    rows = read_by_hand(path, "scientific_name", "written", "english_name")
    leads = {(scientific_name, written): name for scientific_name, written, name in rows}
    if not all(name and all(question) for question, name in leads.items()):
        raise LabelsError(f"{path} has a line without a name.")
    return leads
