"""Look keys up in recorded answers of GBIF, without a network.

A recording stands for a taxon of the table where it has the very name at the very rank, in
the same kingdom, in the same phylum if both give one, and from genus down in the same family: a
genus of no family cannot be told from its namesakes. Only accepted names are taken. Nobody
asked for the names in a recording, so a synonym may stand there while the accepted
namesake does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from engine.taxonomy.taxa import TaxonTable, fold
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.recorded_usages import RecordedUsage
from tools.keys.resolved import Question, ResolvedKey

SOURCE = "recordings"
_ACCEPTED = frozenset({"", "ACCEPTED"})


class RecordedKeys:
    """The keys that recordings give the taxa of a table."""

    def __init__(self, usages: Iterable[RecordedUsage], taxa: TaxonTable) -> None:
        self._taxa = taxa
        self._phyla = {Question.of(taxon): taxon.ancestor("phylum") for taxon in taxa}
        self._named: defaultdict[tuple[str, str], list[RecordedUsage]] = defaultdict(list)
        for usage in usages:
            self._named[usage.rank, fold(usage.name)].append(usage)

    def look_up(self, questions: Sequence[Question], today: date) -> Iterator[Outcome]:
        """Yield what the recordings say of each of ``questions``.

        A key is dated by the latest recording that has it, or ``today`` where none is dated.
        """
        for question in questions:
            fitting, doubt, detail = self._judged(question)
            keys = sorted({usage.key for usage in fitting})
            if len(keys) == 1:
                latest = max(fitting, key=_age)
                yield ResolvedKey(
                    question=question,
                    gbif_key=latest.key,
                    status=max(usage.status for usage in fitting),
                    source=latest.source,
                    resolved_on=latest.seen_on or today,
                )
                continue
            if keys:
                doubt, detail = Doubt.SEVERAL, " or ".join(map(str, keys))
            yield Unresolved(question=question, doubt=doubt, source=SOURCE, detail=detail)

    def contradictions(self) -> Iterator[Unresolved]:
        """Yield the taxa of the table whose key no recording of them has."""
        for taxon in self._taxa:
            if taxon.gbif_key is None:
                continue
            question = Question.of(taxon)
            keys = {usage.key for usage in self._judged(question)[0]}
            if keys and taxon.gbif_key not in keys:
                others = " or ".join(map(str, sorted(keys)))
                yield Unresolved(
                    question=question,
                    doubt=Doubt.OTHER_KEY,
                    source=SOURCE,
                    detail=f"{others}, in the table {taxon.gbif_key}",
                )

    def _judged(self, question: Question) -> tuple[list[RecordedUsage], Doubt, str]:
        """Return the usages of this very taxon, and what speaks against the next best."""
        fitting = []
        nearest = (-1, Doubt.UNKNOWN, "")
        phylum = self._phyla.get(question) or ""
        for usage in self._named[question.rank, fold(question.scientific_name)]:
            doubts = _doubts(question, phylum, usage)
            if not doubts:
                fitting.append(usage)
            else:
                nearest = max(nearest, doubts[0])
        return fitting, nearest[1], nearest[2]


def _doubts(question: Question, phylum: str, usage: RecordedUsage) -> list[tuple[int, Doubt, str]]:
    """Return what speaks against ``usage``, weightiest first, and how little each weighs."""
    checks = (
        (usage.kingdom == question.kingdom, Doubt.KINGDOM, usage.kingdom),
        (not phylum or usage.phylum in ("", phylum), Doubt.PHYLUM, usage.phylum),
        (usage.status in _ACCEPTED, Doubt.SYNONYM, f"{usage.key}, {usage.status}"),
        (not question.family or usage.family == question.family, Doubt.FAMILY, usage.family),
    )
    return [
        (weight, doubt, detail) for weight, (holds, doubt, detail) in enumerate(checks) if not holds
    ]


def _age(usage: RecordedUsage) -> tuple[date, str]:
    return usage.seen_on or date.min, usage.source
