"""Look keys up in a list of GBIF names, without a network.

The list (``gbif_names.csv.gz``) has a name and a key in each row, and other keys that its
sources gave the name, but neither kingdom nor family. So it cannot tell homonyms apart:
a name is taken only where the list knows one key for it and the taxon table one genus of
its first word. Everything else is left to be asked at GBIF.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from engine.taxonomy.taxa import TaxonTable, fold
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.resolved import Question, ResolvedKey
from tools.label_facts import LabelsError, read_columns

SOURCE = "gbif_names"
_RANK_MARKS = frozenset({"subsp", "ssp", "var", "f", "forma"})


def canonical(name: str) -> str:
    """Fold ``name`` and drop the rank that botany writes in it: ``subsp.``, ``var.``, ``f.``."""
    first, *others = fold(name).split() or [""]
    return " ".join([first, *(word for word in others if word not in _RANK_MARKS)])


def look_up(
    path: Path, questions: Sequence[Question], taxa: TaxonTable, today: date
) -> Iterator[Outcome]:
    """Yield what the list at ``path`` says of each of ``questions``.

    Raises:
        LabelsError: The file is missing or does not hold what it should.
    """
    keys = _keys_of(path, {canonical(question.scientific_name) for question in questions})
    for question in questions:
        found = keys.get(canonical(question.scientific_name), set())
        genus = question.scientific_name.split()[0]
        genera = [taxon for taxon in taxa.named(genus) if taxon.rank == "genus"]
        if not found:
            yield Unresolved(question=question, doubt=Doubt.UNKNOWN, source=SOURCE)
        elif len(found) > 1 or len(genera) != 1:
            detail = " or ".join(map(str, sorted(found)))
            yield Unresolved(question=question, doubt=Doubt.SEVERAL, source=SOURCE, detail=detail)
        else:
            yield ResolvedKey(
                question=question,
                gbif_key=found.pop(),
                status="",
                source=SOURCE,
                resolved_on=today,
            )


def _keys_of(path: Path, names: set[str]) -> dict[str, set[int]]:
    keys: defaultdict[str, set[int]] = defaultdict(set)
    try:
        for name, *cells in read_columns(path, "scientific_name", "gbif_key", "alternatives"):
            if (plain := canonical(name)) in names:
                keys[plain] |= {int(key) for cell in cells for key in cell.split("|") if key}
    except ValueError as error:
        raise LabelsError(f"{path} has a key that is no number: {error}.") from error
    return keys
