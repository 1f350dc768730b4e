"""All that a card can show of a taxon, gathered from GBIF side by side within a few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from bot.gbif.answer import TaxonInfo
from bot.gbif.client import GbifClient, GbifUnavailable
from bot.gbif.facts import Dated, Occurrences, VernacularNames
from bot.identifier import Cartographer
from engine import EngineError, Requester, Taxon

log = logging.getLogger(__name__)

T = TypeVar("T")

_ASSESSED = frozenset({"species", "subspecies", "variety", "form"})


class Part(StrEnum):
    """A part of a card that may come too late, in words for people."""

    OCCURRENCES = "where it is found"
    NAMES = "its names in other languages"
    MAP = "the map"
    IUCN = "the Red List"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonProfile:
    """What is known of a taxon; of a synonym, the extra parts are its accepted taxon's.

    ``missing`` names the parts that GBIF did not give in time, ``stale_s`` is the age of the
    oldest part that could not be had anew. ``world_map`` is a PNG.
    """

    info: TaxonInfo
    iucn: str | None = None
    occurrences: Occurrences | None = None
    names: VernacularNames = field(default_factory=dict)
    world_map: bytes | None = field(default=None, repr=False)
    missing: tuple[Part, ...] = ()
    stale_s: float | None = None


class Profiler:
    """Gathers profiles. Without a ``cartographer`` they have no map."""

    def __init__(self, gbif: GbifClient, cartographer: Cartographer | None) -> None:
        self._gbif = gbif
        self._cartographer = cartographer

    async def profile(
        self, info: TaxonInfo, *, within_s: float, requester: Requester | None = None
    ) -> TaxonProfile:
        """Return what can be had of the taxon of ``info`` within ``within_s`` seconds.

        ``requester`` is on whose behalf the map is made.
        """
        taxon = info.accepted or info.taxon
        if taxon is None:
            return TaxonProfile(info=info)
        gathering = _Gathering()
        matched = info.source == "gbif"
        occurrences = gathering.begin(
            Part.OCCURRENCES, self._gbif.occurrences(taxon, matched=matched)
        )
        names = gathering.begin(Part.NAMES, self._gbif.vernacular_names(taxon))
        world_map = gathering.begin(Part.MAP, self._map(taxon, requester, matched=matched))
        iucn = gathering.begin(Part.IUCN, self._iucn(info, taxon))
        await gathering.wait(within_s)
        ages = [*gathering.ages(), *([info.stale_s] if info.stale_s is not None else [])]
        return TaxonProfile(
            info=info,
            iucn=gathering.value(iucn),
            occurrences=gathering.value(occurrences),
            names=gathering.value(names) or {},
            world_map=gathering.value(world_map),
            missing=gathering.missing(),
            stale_s=max(ages, default=None),
        )

    async def _iucn(self, info: TaxonInfo, taxon: Taxon) -> Dated[str] | None:
        """Take the code that came with the name, and ask only where none did."""
        if info.iucn is not None:
            return Dated(info.iucn)
        return await self._gbif.iucn(taxon) if taxon.rank in _ASSESSED else None

    async def _map(
        self, taxon: Taxon, requester: Requester | None, *, matched: bool
    ) -> Dated[bytes] | None:
        if self._cartographer is None:
            return None
        tiles = await self._gbif.world_tiles(taxon, matched=matched)
        if tiles is None or not any(tiles.value.density):
            return None
        picture = await self._cartographer.world_map(
            tiles.value.basemap, tiles.value.density, requester=requester
        )
        return Dated(picture, tiles.stale_s)


class _Gathering:
    """Parts that are asked for at once and waited for together."""

    def __init__(self) -> None:
        self._tasks: dict[Part, asyncio.Task[Any]] = {}
        self._failed: set[Part] = set()

    def begin(
        self, part: Part, asking: Coroutine[Any, Any, Dated[T] | None]
    ) -> asyncio.Task[Dated[T] | None]:
        task = asyncio.create_task(asking, name=f"gbif: {part}")
        self._tasks[part] = task
        return task

    async def wait(self, seconds: float) -> None:
        """Wait for all, give up those that take longer, and log what failed."""
        try:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        finally:
            for task in self._tasks.values():
                task.cancel()
        self._failed = {part for part, task in self._tasks.items() if not _came(part, task)}

    def value(self, task: asyncio.Task[Dated[T] | None]) -> T | None:
        if task in (self._tasks[part] for part in self._failed):
            return None
        found = task.result()
        return None if found is None else found.value

    def missing(self) -> tuple[Part, ...]:
        return tuple(part for part in self._tasks if part in self._failed)

    def ages(self) -> list[float]:
        came = (task.result() for part, task in self._tasks.items() if part not in self._failed)
        return [part.stale_s for part in came if part is not None and part.stale_s is not None]


def _came(part: Part, task: asyncio.Task[Any]) -> bool:
    """Tell whether a part is there; log why not, as nothing unforeseen may sink a card."""
    if not task.done() or task.cancelled():
        log.info("Left out %s: it was not there in time.", part)
        return False
    error = task.exception()
    if isinstance(error, GbifUnavailable | EngineError):
        log.info("Left out %s: %s", part, error)
    elif error is not None:
        log.error("Left out %s.", part, exc_info=error)
    return error is None
