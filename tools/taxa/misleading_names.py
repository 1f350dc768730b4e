"""Names that would lead nobody to what they mean: ``data/misleading_names.tsv``.

Written by hand. The sources call the pike "Snake" in English, and a drum "Vaca", a cow, in
Portuguese, as somebody somewhere does, and whoever types such a word means what everybody else
calls so. Nor is a name kept that insults people, which is not written out there: ``?`` stands for
a letter. An English one that leads gets a better one in its place in ``data/english_leads.tsv``
first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from engine.taxonomy.taxa import fold
from tools.label_facts import LabelsError, read_by_hand

MISLEADING_NAMES = Path(__file__).parents[1] / "data" / "misleading_names.tsv"


class MisleadingNames:
    """Names by the species that should not be found by them, immutable."""

    def __init__(self, names: Iterable[tuple[str, str, str]]) -> None:
        self._names: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for species, language, name in names:
            self._names[species, language].append(fold(name))

    @classmethod
    def read(cls, path: Path = MISLEADING_NAMES) -> MisleadingNames:
        """Read the file at ``path``.

        Raises:
            LabelsError: The file cannot be read, or has a line without a name.
        """
        return cls(read_misleading_names(path))

    def has(self, scientific_name: str, language: str, name: str) -> bool:
        """Tell whether a species should not be found by a name in a language, a BCP 47 subtag."""
        patterns = self._names.get((scientific_name, language), ())
        return any(fnmatchcase(fold(name), pattern) for pattern in patterns)


def read_misleading_names(path: Path = MISLEADING_NAMES) -> list[tuple[str, str, str]]:
    """Return species, language and name of each line of the file at ``path``.

    Raises:
        LabelsError: The file cannot be read, or has a line without a name.
    """
    names = [
        (species, language, name)
        for species, language, name in read_by_hand(path, "scientific_name", "language", "name")
    ]
    if not all(map(all, names)):
        raise LabelsError(f"{path} has a line without a name.")
    return names
