"""What GBIF's name matching answers, and which of it means exactly the name that was asked for."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from bot.gbif.answer import Match, NameAnswer, TaxonInfo
from engine import Taxon, TaxonTable
from engine.taxonomy.taxa import fold
from tools.sources.source import SourceError


def read_match(
    answer: Any, name: str, rank: str | None, kingdom: str | None, taxa: TaxonTable
) -> TaxonInfo:
    """Read GBIF's answer to ``name``; see ``NameAnswer.info``.

    Raises:
        SourceError: it is something else.
    """
    try:
        match = NameAnswer.model_validate(answer)
    except ValidationError as error:
        raise SourceError("GBIF answered something that is no name match.") from error
    return match.info(name, rank, kingdom, taxa)


def exactly(info: TaxonInfo, name: str) -> Taxon | None:
    """Return the taxon that is called exactly ``name``, or None."""
    if info.match is not Match.EXACT or info.taxon is None:
        return None
    return info.taxon if fold(info.taxon.scientific_name) == fold(name) else None
