"""Take into account where a photo was taken, by what GBIF has recorded there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.gbif.errors import GbifUnavailable
from bot.options.countries import in_a_sentence
from engine import Identification, Taxon, TaxonTable, weigh_identification

log = logging.getLogger(__name__)

CANDIDATES = 300
"""How many candidates a place is weighed among. Some tens are not enough: where a network is
unsure, one photo in twenty has more than a tenth of its probability beyond the first 20."""

_LOOKED_UP = 20
_WORTH_LOOKING_UP = 0.001


class Records(Protocol):
    """Who knows what occurs where; ``GbifClient`` is one."""

    def prepare(self) -> None:
        """Get ready for a question that is likely to come."""

    async def recorded_in(self, taxa: Sequence[Taxon], place: str) -> Mapping[Taxon, int]:
        """Count the occurrences of each taxon in a country or continent, by its code.

        Taxa that cannot be looked up are left out.

        Raises:
            GbifUnavailable: the counts cannot be had now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the card says of a place: its name in a sentence, and what was never recorded there.

    ``by_gps`` is whether the photo's own coordinates said so, and nobody else. ``problem`` is
    why it was not taken into account, None where it was.
    """

    name: str
    by_gps: bool = False
    unrecorded: frozenset[Taxon] = frozenset()
    problem: str | None = None


class Places:
    """Weighs identifications by the country or continent that their photos were taken in.

    Args:
        records: who is asked; None where nobody may be.
        taxa: the local table, for the higher taxa of a new verdict.
        deadline_s: how long an answer may wait for the records.
    """

    def __init__(
        self, records: Records | None, taxa: TaxonTable, *, deadline_s: float = 3.0
    ) -> None:
        self._records = records
        self._taxa = taxa
        self._deadline_s = deadline_s

    def prepare(self) -> None:
        """Get ready to weigh, while the photo is still being fetched."""
        if self._records is not None:
            self._records.prepare()

    async def weigh(
        self, identification: Identification, where: str, *, certainty: float, by_gps: bool = False
    ) -> tuple[Identification, Place]:
        """Return the identification as it is in ``where``, or as it was and why.

        ``by_gps`` is for the card: the photo's own coordinates said so.
        """
        place = Place(name=in_a_sentence(where), by_gps=by_gps)
        likely = list(identification.if_known.items())[:_LOOKED_UP]
        asked = [taxon for taxon, probability in likely if probability >= _WORTH_LOOKING_UP]
        if self._records is None:
            return identification, replace(place, problem="asking GBIF is switched off here")
        try:
            async with asyncio.timeout(self._deadline_s):
                records = await self._records.recorded_in(asked, where)
        except (GbifUnavailable, TimeoutError) as error:
            log.warning(
                "A place was not taken into account: %s", str(error) or "GBIF was too slow."
            )
            return identification, replace(place, problem="GBIF could not be reached")
        if not records:
            return identification, replace(place, problem="GBIF knows none of these names")
        weighed = weigh_identification(
            identification, records, self._taxa.ancestor, certainty=certainty
        )
        unrecorded = frozenset(taxon for taxon, count in records.items() if count == 0)
        return weighed, replace(place, unrecorded=unrecorded)
