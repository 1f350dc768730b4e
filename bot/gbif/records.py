"""How often taxa were recorded in a place, in as few questions as give a sure answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.gbif import questions as questions
from bot.gbif.answer import TaxonInfo
from bot.gbif.errors import GbifRefused, GbifUnavailable
from bot.gbif.facts import BACKBONE, COL_XR, OCCURRENCES, Dated, OccurrenceAnswer, TaxonKey
from bot.gbif.source import GbifSource, ask_all
from engine import Taxon

log = logging.getLogger(__name__)

_WORTH_JOINING = 2


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts by taxon, and whether GBIF gave no answer, so that old ones had to do."""

    by_taxon: Mapping[Taxon, int]
    silent: bool


class PlaceRecords:
    """Counts what GBIF holds of taxa in a country or continent.

    ``look_up`` matches a taxon with what the Catalogue of Life calls it today. ``within_s`` is
    how long counts that are at hand may wait for what makes them sure.
    """

    def __init__(
        self,
        source: GbifSource,
        look_up: Callable[[Taxon], Awaitable[TaxonInfo]],
        *,
        within_s: float,
    ) -> None:
        self._source = source
        self._look_up = look_up
        self._within_s = within_s

    async def recorded_in(self, taxa: Sequence[Taxon], place: str) -> Mapping[Taxon, int]:
        """Return the count of each taxon; those that GBIF cannot resolve are left out.

        Integer keys are counted in the backbone. A 0 is believed only of today's accepted
        name: an integer key may be that of a synonym, under which little or nothing is
        filed, and a Catalogue of Life key of old may be no taxon's by now. Where that name
        cannot be had, the taxon is left out.

        Raises:
            GbifUnavailable: a count could not be had, nor was kept.
        """
        ends = asyncio.get_running_loop().time() + self._within_s
        keys = {
            taxon: TaxonKey(str(taxon.gbif_key), BACKBONE)
            for taxon in taxa
            if taxon.gbif_key is not None
        }
        found = await self._count(keys, place)
        sure = {taxon: count for taxon, count in found.by_taxon.items() if count}
        unsure = {
            taxon: found.by_taxon.get(taxon) for taxon in dict.fromkeys(taxa) if taxon not in sure
        }
        try:
            async with asyncio.timeout_at(ends):
                return {**sure, **await self._confirmed(unsure, place, silent=found.silent)}
        except (GbifUnavailable, TimeoutError) as error:
            reason = str(error) or "GBIF was too slow."
            if not sure:
                raise GbifUnavailable(reason) from error
            log.warning("%d taxa are left out of a place's: %s", len(unsure), reason)
            return sure

    async def _confirmed(
        self, unsure: Mapping[Taxon, int | None], place: str, *, silent: bool
    ) -> Mapping[Taxon, int]:
        """Count taxa under their names of today; one that has none keeps the count it had.

        Raises:
            GbifUnavailable: a count could not be had, or no name at all.
        """
        todays = await asyncio.gather(*map(self._todays_key, unsure), return_exceptions=True)
        counts: dict[Taxon, int] = {}
        accepted: dict[Taxon, TaxonKey] = {}
        failure: GbifUnavailable | None = None
        for (taxon, count), key in zip(unsure.items(), todays, strict=True):
            if isinstance(key, GbifUnavailable):
                log.warning("%s is left out of a place's taxa: %s", taxon.scientific_name, key)
                failure = key
            elif isinstance(key, BaseException):
                raise key
            elif key is not None:
                accepted[taxon] = key
            elif count is not None:
                counts[taxon] = count
        if silent:
            kept = await self._kept(accepted.values(), place)
            counts |= {t: kept[key].value for t, key in accepted.items() if key in kept}
        else:
            counts |= (await self._count(accepted, place)).by_taxon
        if failure is not None and not counts:
            raise failure
        return counts

    async def _todays_key(self, taxon: Taxon) -> TaxonKey | None:
        info = await self._look_up(taxon)
        accepted = info.accepted or info.taxon
        if info.source == "local" or accepted is None or accepted.col_key is None:
            return None
        return TaxonKey(accepted.col_key, COL_XR)

    async def _count(self, keys: Mapping[Taxon, TaxonKey], place: str) -> _Counts:
        """Count each taxon under its key; all keys are of one checklist."""
        kept = await self._kept(keys.values(), place)
        counts = {key: count.value for key, count in kept.items() if count.stale_s is None}
        species = {key for taxon, key in keys.items() if taxon.rank == "species"} - counts.keys()
        all_kept = kept.keys() >= set(keys.values())
        together = await self._together(sorted(species), place, dispensable=all_kept)
        silent = together is None and all_kept
        counts |= together or {}
        if silent:
            # To ask for each by itself would only take the time in which these may be used.
            counts = {key: count.value for key, count in kept.items()}
        rest = [key for key in dict.fromkeys(keys.values()) if key not in counts]
        singly = await ask_all(self._one(key, place) for key in rest)
        counts |= {key: count.value for key, count in zip(rest, singly, strict=True)}
        silent = silent or any(count.stale_s is not None for count in singly)
        return _Counts({taxon: counts[key] for taxon, key in keys.items()}, silent)

    async def _kept(self, keys: Iterable[TaxonKey], place: str) -> dict[TaxonKey, Dated[int]]:
        """Return the counts that are kept, with their age where they are old."""
        counts = {}
        for key in dict.fromkeys(keys):
            kept = await self._source.kept(questions.occurrences_in(key, place), OCCURRENCES)
            if kept is not None:
                counts[key] = Dated(kept.value.count, kept.stale_s)
        return counts

    async def _one(self, key: TaxonKey, place: str) -> Dated[int]:
        answer = await self._source.json(questions.occurrences_in(key, place), OCCURRENCES)
        return Dated(answer.value.count, answer.stale_s)

    async def _together(
        self, keys: Sequence[TaxonKey], place: str, *, dispensable: bool
    ) -> dict[TaxonKey, int] | None:
        """Count species with one question, and return what its answer leaves no doubt of.

        None where GBIF gave no answer.
        """
        if len(keys) < _WORTH_JOINING:
            return {}
        question = questions.species_in(keys, place)
        try:
            answer = await self._source.json(
                question, OCCURRENCES, worth_keeping=lambda _: False, dispensable=dispensable
            )
        except GbifUnavailable as error:
            log.info("Species were not counted together: %s", error)
            return {} if isinstance(error, GbifRefused) else None
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
