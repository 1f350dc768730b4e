"""How often taxa were recorded in a place, in as few questions as give a sure answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot import gbif_questions as questions
from bot.gbif_answer import TaxonInfo
from bot.gbif_errors import GbifUnavailable
from bot.gbif_facts import BACKBONE, COL_XR, OCCURRENCES, OccurrenceAnswer, TaxonKey
from bot.gbif_source import GbifSource, ask_all
from engine import Taxon

log = logging.getLogger(__name__)

_WORTH_JOINING = 2


class PlaceRecords:
    """Counts what GBIF holds of taxa in a country or continent.

    ``look_up`` matches a taxon with what the Catalogue of Life calls it today.
    """

    def __init__(
        self, source: GbifSource, look_up: Callable[[Taxon], Awaitable[TaxonInfo]]
    ) -> None:
        self._source = source
        self._look_up = look_up

    async def recorded_in(self, taxa: Sequence[Taxon], place: str) -> Mapping[Taxon, int]:
        """Return the count of each taxon; those that GBIF cannot resolve are left out.

        Integer keys are counted in the backbone. A 0 is believed only of today's accepted
        name: an integer key may be that of a synonym, under which little or nothing is
        filed, and a Catalogue of Life key of old may be no taxon's by now.

        Raises:
            GbifUnavailable: a count could not be had, nor was kept.
        """
        keys = {
            taxon: TaxonKey(str(taxon.gbif_key), BACKBONE)
            for taxon in taxa
            if taxon.gbif_key is not None
        }
        counts = await self._count(keys, place)
        unsure = [taxon for taxon in dict.fromkeys(taxa) if not counts.get(taxon)]
        todays = await ask_all(self._todays_key(taxon) for taxon in unsure)
        accepted = {
            taxon: key for taxon, key in zip(unsure, todays, strict=True) if key is not None
        }
        return {**counts, **await self._count(accepted, place)}

    async def _todays_key(self, taxon: Taxon) -> TaxonKey | None:
        info = await self._look_up(taxon)
        accepted = info.accepted or info.taxon
        if info.source == "local" or accepted is None or accepted.col_key is None:
            return None
        return TaxonKey(accepted.col_key, COL_XR)

    async def _count(self, keys: Mapping[Taxon, TaxonKey], place: str) -> dict[Taxon, int]:
        """Count each taxon under its key; all keys are of one checklist."""
        counts: dict[TaxonKey, int] = {}
        for key in set(keys.values()):
            kept = await self._source.fresh(questions.occurrences_in(key, place), OCCURRENCES)
            if kept is not None:
                counts[key] = kept.count
        species = {key for taxon, key in keys.items() if taxon.rank == "species"}
        counts |= await self._together(sorted(species - counts.keys()), place)
        rest = [key for key in dict.fromkeys(keys.values()) if key not in counts]
        singly = await ask_all(self._one(key, place) for key in rest)
        counts |= dict(zip(rest, singly, strict=True))
        return {taxon: counts[key] for taxon, key in keys.items()}

    async def _one(self, key: TaxonKey, place: str) -> int:
        question = questions.occurrences_in(key, place)
        return (await self._source.json(question, OCCURRENCES)).value.count

    async def _together(self, keys: Sequence[TaxonKey], place: str) -> dict[TaxonKey, int]:
        """Count species with one question, and return what its answer leaves no doubt of."""
        if len(keys) < _WORTH_JOINING:
            return {}
        question = questions.species_in(keys, place)
        try:
            answer = await self._source.json(question, OCCURRENCES, worth_keeping=lambda _: False)
        except GbifUnavailable as error:
            log.info("Species are counted one by one: %s", error)
            return {}
        counts = _certain(keys, answer.value)
        for key, count in counts.items():
            body = json.dumps({"count": count}).encode()
            await self._source.keep(questions.occurrences_in(key, place), body)
        return counts


def _certain(keys: Sequence[TaxonKey], answer: OccurrenceAnswer) -> dict[TaxonKey, int]:
    """Read the counts by species; one that is not listed has none only if nothing is amiss.

    Something is where the species listed do not make up the total, or where one is listed
    that was not asked for: then a key was a synonym's, and its records go by another.
    """
    by_species = answer.by_species()
    counts = {key: by_species[key.key] for key in keys if key.key in by_species}
    if sum(counts.values()) == answer.count:
        counts |= {key: 0 for key in keys if key not in counts}
    return counts
