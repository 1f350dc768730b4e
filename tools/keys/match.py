"""Judge what GBIF's name matching answers to a taxon's name: its key, or why not.

Only the usage of exactly this name, at this rank, in this kingdom and family, is taken.
Of a synonym that is the synonym's own key, not the accepted name's: the key then stands
for the name on the label whatever becomes of the opinion on it, GBIF's page for it says
what it is a synonym of, and two labels that GBIF holds for one species keep two keys.
"""

from __future__ import annotations

from datetime import date

from bot.gbif.answer import NameAnswer
from engine.taxonomy.taxa import fold
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.resolved import Question, ResolvedKey

SOURCE = "species_match"

_RANKS = {
    "subspecies": frozenset({"SUBSPECIES"}),
    "infraspecies": frozenset({"SUBSPECIES", "VARIETY", "FORM", "INFRASPECIFIC_NAME"}),
}
_BELOW_GENUS = frozenset({"species", *_RANKS})


def parameters(question: Question) -> dict[str, str]:
    """Return what GBIF is asked for ``question``.

    No rank goes along where the label leaves open which of several it is.
    """
    asked = {"scientificName": question.scientific_name, "kingdom": question.kingdom}
    if question.rank != "infraspecies":
        asked["taxonRank"] = question.rank.upper()
    if question.family:
        asked["family"] = question.family
    return asked


def judge(question: Question, answer: NameAnswer, asked_on: date) -> Outcome:
    """Return the key that ``answer`` gives for ``question``, or the first doubt about it."""
    usage, doubt = answer.usage, _doubt(question, answer)
    if usage is None or doubt is not None:
        why, detail = doubt or (Doubt.UNKNOWN, "")
        return Unresolved(question=question, doubt=why, source=SOURCE, detail=detail)
    return ResolvedKey(
        question=question,
        gbif_key=int(usage.key),
        status=usage.status or "",
        source=SOURCE,
        resolved_on=asked_on,
    )


def _doubt(question: Question, answer: NameAnswer) -> tuple[Doubt, str] | None:
    usage = answer.usage
    if usage is None:
        doubt = Doubt.SEVERAL if answer.several_match else Doubt.UNKNOWN
        return doubt, answer.diagnostics.note
    name = usage.canonical_name or usage.name
    above = {entry.rank: entry.name for entry in answer.classification}
    kingdom, family = above.get("KINGDOM", ""), above.get("FAMILY", "")
    # Of what stands above species, GBIF says HIGHERRANK even where it is what was asked for.
    exact = {"EXACT"} if question.rank in _BELOW_GENUS else {"EXACT", "HIGHERRANK"}
    ranks = _RANKS.get(question.rank, frozenset({question.rank.upper()}))
    same_name = fold(name) == fold(question.scientific_name)
    checks = (
        (answer.diagnostics.match_type not in {"VARIANT", "FUZZY"}, Doubt.SPELLING, name),
        (same_name and answer.diagnostics.match_type in exact, Doubt.OTHER_NAME, name),
        (usage.rank in ranks, Doubt.RANK, usage.rank),
        (kingdom == question.kingdom, Doubt.KINGDOM, kingdom),
        (not question.family or family == question.family, Doubt.FAMILY, family),
        (usage.key.isascii() and usage.key.isdigit(), Doubt.OTHER_NAME, usage.key),
    )
    return next(((doubt, detail) for holds, doubt, detail in checks if not holds), None)
