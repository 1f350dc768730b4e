"""What came of looking a taxon's key up: the key, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tools.keys.resolved import Question, ResolvedKey


class Doubt(StrEnum):
    """Why a key was not taken, as the report and the command say it."""

    UNKNOWN = "no such name"
    SEVERAL = "several taxa bear the name"
    SPELLING = "another spelling"
    OTHER_NAME = "another name"
    RANK = "another rank"
    KINGDOM = "another kingdom"
    PHYLUM = "another phylum"
    FAMILY = "another family"
    SYNONYM = "a synonym, of which an accepted namesake may exist"
    SHARED = "the key is another taxon's"
    OTHER_KEY = "recordings have another key"
    REFUSED = "the question was refused"
    FORMULA = "a formula of two species"
    NOT_ASKED = "not asked yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A taxon that stays without a key; ``detail`` is what the source has in its place."""

    question: Question
    doubt: Doubt
    source: str
    detail: str = ""


Outcome = ResolvedKey | Unresolved
