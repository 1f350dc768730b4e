"""Ask GBIF about a taxon: its name, its occurrences, its other names, its map.

What is asked is in ``questions``, how in ``transport``, what is kept of it in ``cache``, and what
the answers mean in ``answer`` and ``facts``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bot.gbif import questions as questions
from bot.gbif.answer import MATCH, Match, NameAnswer, TaxonInfo
from bot.gbif.cache import GbifCache
from bot.gbif.errors import (
    GbifBusy,
    GbifNonsense,
    GbifNotFound,
    GbifRefused,
    GbifUnavailable,
)
from bot.gbif.facts import (
    BACKBONE,
    COL_XR,
    IUCN,
    OCCURRENCES,
    VERNACULARS,
    Dated,
    Occurrences,
    TaxonKey,
    VernacularNames,
    WorldTiles,
)
from bot.gbif.records import PlaceRecords
from bot.gbif.source import GbifSource, ask_all
from bot.gbif.transport import API, GbifTransport, deadline
from engine import Taxon, TaxonTable

__all__ = [
    "API",
    "BACKBONE",
    "COL_XR",
    "GbifBusy",
    "GbifClient",
    "GbifNonsense",
    "GbifNotFound",
    "GbifRefused",
    "GbifUnavailable",
]

log = logging.getLogger(__name__)

T = TypeVar("T")

_SHARE_OF_COUNTS = 0.7
"""Of a look-up's time: whoever weighs by place waits three quarters of it."""


class GbifClient:
    """Look taxa up at GBIF.

    Args:
        taxa: The local table. It tells homonyms apart and knows English names.
        contact: An address or URL where GBIF reaches whoever runs this bot.
        deadline_s: How long one look-up may take, waiting for a thread included.
        base_url: The server to ask in place of GBIF's; for tests.
        cache: Where answers are kept; closed by whoever made it.
        backoff_s: The first wait between two attempts, where GBIF names none.
    """

    def __init__(
        self,
        taxa: TaxonTable,
        *,
        contact: str = "",
        deadline_s: float = 4.0,
        base_url: str | None = None,
        cache: GbifCache | None = None,
        backoff_s: float = 0.25,
    ) -> None:
        self._taxa = taxa
        self._deadline_s = deadline_s
        self._transport = GbifTransport(
            contact=contact, deadline_s=deadline_s, base_url=base_url, backoff_s=backoff_s
        )
        self._source = GbifSource(self._transport, cache, deadline_s=deadline_s)
        self._records = PlaceRecords(
            self._source, self.look_up_taxon, within_s=_SHARE_OF_COUNTS * deadline_s
        )

    def prepare(self) -> None:
        """Get ready for a look-up that is likely to come."""
        self._transport.prepare()

    def close(self) -> None:
        """Take no more look-ups. Those under way end by themselves, at their time-out."""
        self._transport.close()

    async def look_up(self, name: str, *, rank: str | None = None) -> TaxonInfo:
        """Return what GBIF knows under ``name``, a scientific name with or without author.

        A name that means one taxon in the local table is looked up as that taxon. Where
        several taxa bear the name, the answer's ``alternatives`` list them.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        known = [taxon for taxon in self._taxa.named(name) if rank in (None, taxon.rank)]
        if len(known) == 1:
            return await self.look_up_taxon(known[0])
        asked = {"scientificName": name, "taxonRank": questions.rank_asked(rank)}
        async with deadline(self._deadline_s):
            answer = await self._match(**asked)
            if answer.value.several_match:
                try:
                    answer = await self._match(**asked, verbose="true")
                except GbifUnavailable as error:
                    log.info("The taxa of an ambiguous name are not listed: %s", error)
        return replace(answer.value.info(name, rank, None, self._taxa), stale_s=answer.stale_s)

    async def look_up_taxon(self, taxon: Taxon) -> TaxonInfo:
        """Return what GBIF knows of ``taxon``, or local data where it knows no such name.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        name, rank, kingdom = taxon.scientific_name, taxon.rank, taxon.ancestor("kingdom")
        asked = {
            "scientificName": name,
            "taxonRank": questions.rank_asked(rank),
            "kingdom": kingdom,
        }
        async with deadline(self._deadline_s):
            answer = await self._match(**asked)
            if answer.value.several_match and (family := taxon.ancestor("family")):
                answer = await self._match(**asked, family=family)
        info = answer.value.info(name, rank, kingdom, self._taxa)
        if info.match is Match.EXACT:
            return replace(info, stale_s=answer.stale_s)
        if info.match is Match.VARIANT and info.taxon is not None:
            because = f"GBIF spells the nearest name {info.taxon.scientific_name}"
        else:
            because = "GBIF has no entry under exactly this name"
        return TaxonInfo.local(taxon, because)

    async def namesakes(self, name: str, *, rank: str | None = None) -> tuple[TaxonInfo, ...]:
        """Return the accepted taxa that share exactly ``name``; none where it is one taxon's.

        Those at ``rank`` alone, where one is given.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        async with deadline(self._deadline_s):
            answer = await self._match(scientificName=name, verbose="true")
        sharing = answer.value.info(name, rank, None, self._taxa).alternatives
        return tuple(info for info in sharing if info.status == "ACCEPTED")

    async def look_up_key(self, col_key: str) -> TaxonInfo:
        """Return what GBIF knows under a Catalogue of Life key.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        async with deadline(self._deadline_s):
            answer = await self._match(usageKey=col_key)
        usage = answer.value.usage
        asked = col_key if usage is None else usage.canonical_name or usage.name
        return replace(answer.value.info(asked, None, None, self._taxa), stale_s=answer.stale_s)

    async def recorded_in(self, taxa: Sequence[Taxon], place: str) -> Mapping[Taxon, int]:
        """Return how many occurrences GBIF holds of each of ``taxa`` in ``place``.

        ``place`` is a code of ``bot.options.countries``: a country's or a continent's. A taxon of
        which there is none has 0, one that GBIF cannot resolve is left out.

        Raises:
            GbifUnavailable: A count could not be had before the deadline, nor was kept.
        """
        async with deadline(self._deadline_s):
            return await self._records.recorded_in(taxa, place.upper())

    async def occurrences(
        self, taxon: Taxon, *, matched: bool = False
    ) -> Dated[Occurrences] | None:
        """Return how many occurrences GBIF holds and where most are; None without a key.

        ``matched`` says that ``taxon`` is from GBIF's own answer, not from the taxon table.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        key = TaxonKey.of(taxon, matched=matched)
        if key is None:
            return None
        answer = await self._source.json(questions.occurrences(key), OCCURRENCES)
        return Dated(answer.value.occurrences(), answer.stale_s)

    async def vernacular_names(self, taxon: Taxon) -> Dated[VernacularNames] | None:
        """Return the taxon's names by language; None without an integer key.

        Only the backbone, whose keys those are, lists names.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        if taxon.gbif_key is None:
            return None
        answer = await self._source.json(questions.vernacular_names(taxon.gbif_key), VERNACULARS)
        return Dated(answer.value.names(), answer.stale_s)

    async def iucn(self, taxon: Taxon) -> Dated[str] | None:
        """Return the code of the IUCN Red List, such as ``LC``; None where there is none.

        Raises:
            GbifUnavailable: No usable answer came before the deadline, or was kept.
        """
        if taxon.gbif_key is None:
            return None
        try:
            answer = await self._source.json(questions.iucn(taxon.gbif_key), IUCN)
        except GbifNotFound:
            return None
        return Dated(answer.value.code, answer.stale_s)

    async def world_tiles(self, taxon: Taxon, *, matched: bool = False) -> Dated[WorldTiles] | None:
        """Return the tiles of a map of the taxon's occurrences; None without a key.

        ``matched`` is as for ``occurrences``.

        Raises:
            GbifUnavailable: A tile could not be had before the deadline, nor was kept.
        """
        key = TaxonKey.of(taxon, matched=matched)
        if key is None:
            return None
        asked = [
            *map(questions.basemap, (0, 1)),
            *(questions.density(key, half) for half in (0, 1)),
        ]
        tiles = await ask_all(self._source.picture(question) for question in asked)
        base_west, base_east, west, east = (tile.value for tile in tiles)
        ages = [tile.stale_s for tile in tiles if tile.stale_s is not None]
        world = WorldTiles(basemap=(base_west, base_east), density=(west, east))
        return Dated(world, max(ages, default=None))

    async def _match(self, **parameters: str | None) -> Dated[NameAnswer]:
        # What was typed and means nothing is nobody's business tomorrow.
        return await self._source.json(
            questions.match(**parameters),
            MATCH,
            worth_keeping=lambda answer: answer.found_something,
        )
