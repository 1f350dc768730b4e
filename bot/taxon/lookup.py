"""From a name that somebody typed to the card that answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import discord

from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.client import GbifClient, GbifNotFound, GbifUnavailable
from bot.identifier import Cartographer
from bot.taxon.card import (
    CREDIT,
    OWN_TABLE,
    choice_card,
    map_description,
    taxon_card,
    unknown_card,
    with_namesakes,
)
from bot.taxon.local_names import LocalNames
from bot.taxon.profile import Profiler, TaxonProfile
from bot.taxon.reply import Reply
from bot.taxon.typed_names import TypedNames, plain
from engine import Requester, Taxon, TaxonTable

log = logging.getLogger(__name__)

_WITHIN_S = 4.0
_AT_LEAST = 0.1
_MAX_OPTIONS = 25
_MAX_OPTION_TEXT = 100
_KEY = "key:"
_UNREACHABLE = "GBIF could not be reached"
_SWITCHED_OFF = "looking names up at GBIF is switched off here"


class Lookup:
    """Answers names, from the local table first and GBIF second.

    Without a ``gbif`` client it answers from ``taxa`` alone, without a ``cartographer``
    there are no maps. What has not come after ``within_s`` seconds is left out.
    """

    def __init__(
        self,
        taxa: TaxonTable,
        gbif: GbifClient | None,
        cartographer: Cartographer | None = None,
        *,
        within_s: float = _WITHIN_S,
    ) -> None:
        self._gbif = gbif
        self._within_s = within_s
        self._profiler = None if gbif is None else Profiler(gbif, cartographer)
        self.names = LocalNames(taxa)
        self.typed = TypedNames(taxa)

    async def prepare(self) -> None:
        """Return when the names of the local table are in order."""
        await self.names.prepare()

    async def by_name(
        self,
        name: str,
        *,
        rank: str | None = None,
        languages: Sequence[str] = ("en",),
        requester: Requester | None = None,
    ) -> Reply:
        """Answer ``name``, whatever it is and whether or not GBIF answers.

        ``languages`` are those of the readers; the last is that of who asks. ``requester`` is on
        whose behalf the engine makes a map.
        """
        await self.prepare()
        name, locale = plain(name), languages[-1]
        known = self.typed.known(name, rank, locale=locale)
        if len(known) > 1:
            return self._choice(name, await self._locally(known, languages))
        ends = asyncio.get_running_loop().time() + self._within_s
        info, reason = await self._ask(name, rank, known)
        if info is not None and info.taxon is None and len(info.alternatives) == 1:
            (info,) = info.alternatives
        if info is not None and info.taxon is not None:
            reply, others = await asyncio.gather(
                self._card(info, ends, languages, requester),
                self._namesakes(name, rank, known, ends),
            )
            return self._beside(reply, info, await self._called(others, languages))
        if info is not None and info.alternatives and not known:
            alternatives = await self._called(info.alternatives, languages)
            return self._choice(name, alternatives, source=CREDIT)
        if reason is not None:
            known = self.typed.known_alone(name, rank, locale=locale)
        if len(known) == 1:
            return await self._card(
                TaxonInfo.local(known[0], reason or _UNREACHABLE), ends, languages, requester
            )
        ranks = () if rank is None else (rank,)
        near = await self._locally(self.typed.near(name, ranks, locale=locale), languages)
        ambiguous = info is not None and info.match is Match.AMBIGUOUS
        return Reply(
            embed=unknown_card(name, near, rank=rank, ambiguous=ambiguous, reason=reason),
            options=self._options(near),
        )

    async def by_choice(
        self,
        option: discord.SelectOption,
        *,
        languages: Sequence[str] = ("en",),
        requester: Requester | None = None,
    ) -> Reply:
        """Answer what was chosen below an earlier reply; ``requester`` is as for ``by_name``."""
        await self.prepare()
        value = option.value
        key = value.removeprefix(_KEY)
        if key == value or self._gbif is None:
            return await self.by_name(value, languages=languages, requester=requester)
        ends = asyncio.get_running_loop().time() + self._within_s
        try:
            info = await self._gbif.look_up_key(key)
        except GbifNotFound:
            info = TaxonInfo(asked=key, match=Match.NONE)
        except GbifUnavailable as error:
            log.warning("A chosen taxon could not be looked up: %s", error)
            return Reply(embed=unknown_card(option.label, (), reason=_UNREACHABLE))
        if info.taxon is None:
            # The Catalogue of Life renumbers its taxa, and a menu may be old.
            log.info("A chosen taxon is looked up by its name: GBIF has no key %s any more.", key)
            return await self.by_name(option.label, languages=languages, requester=requester)
        return await self._card(info, ends, languages, requester)

    async def suggest(
        self, typed: str, ranks: Collection[str] = (), *, locale: str = "en"
    ) -> list[tuple[str, str]]:
        """Return what to offer while a name is being typed: a description, and the name.

        Of taxa at one of ``ranks``, if there are any. Names in the language of ``locale``, the
        member's, lead beside English ones. Nothing but the local table is asked.
        """
        await self.prepare()
        if self._gbif is not None:
            self._gbif.prepare()
        return self.typed.offered(typed, ranks, locale=locale)

    async def _ask(
        self, name: str, rank: str | None, known: Sequence[Taxon]
    ) -> tuple[TaxonInfo | None, str | None]:
        """Return what GBIF knows, or why it was not asked or gave no answer."""
        if self._gbif is None:
            return None, _SWITCHED_OFF
        try:
            if known:
                return await self._gbif.look_up_taxon(known[0]), None
            return await self._gbif.look_up(name, rank=rank), None
        except GbifUnavailable as error:
            log.warning("Answered from the local table: %s", error)
            return None, _UNREACHABLE

    async def _card(
        self, info: TaxonInfo, ends: float, languages: Sequence[str], requester: Requester | None
    ) -> Reply:
        profile = TaxonProfile(info=info, iucn=info.iucn)
        if self._profiler is not None:
            # Even after the time is over, what is kept here may still be shown.
            left = max(_AT_LEAST * self._within_s, ends - asyncio.get_running_loop().time())
            profile = await self._profiler.profile(info, within_s=left, requester=requester)
        # Where GBIF has moved a species, the table may know it under its older name alone.
        usages = [taxon for taxon in (info.accepted, info.taxon) if taxon is not None]
        names = self.names.by_language(usages, (*languages, "en"), profile.names)
        return Reply(
            embed=taxon_card(profile, names),
            world_map=profile.world_map,
            map_description=map_description(profile),
        )

    async def _namesakes(
        self, name: str, rank: str | None, known: Sequence[Taxon], ends: float
    ) -> tuple[TaxonInfo, ...]:
        """Return what else bears the scientific name of a taxon that the table alone chose.

        Animals and plants may share the name of a genus or a family, hardly ever of a species.
        """
        chosen = known[0].scientific_name if known and known[0].rank != "species" else None
        if self._gbif is None or chosen is None or chosen.casefold() != name.strip().casefold():
            return ()
        try:
            async with asyncio.timeout_at(ends):
                return await self._gbif.namesakes(chosen, rank=rank)
        except (GbifUnavailable, TimeoutError) as error:
            log.info("Whether %s is another taxon's name, too, is not known: %s", chosen, error)
            return ()

    def _beside(self, reply: Reply, info: TaxonInfo, namesakes: Sequence[TaxonInfo]) -> Reply:
        """Add to a taxon's card what else is called so, to be chosen below it."""
        shown = info.taxon and info.taxon.col_key
        others = [other for other in namesakes if other.taxon and other.taxon.col_key != shown]
        if not others:
            return reply
        return replace(
            reply,
            embed=with_namesakes(reply.embed, others),
            options=self._options([info, *others]),
        )

    async def _locally(
        self, taxa: Sequence[Taxon], languages: Sequence[str]
    ) -> tuple[TaxonInfo, ...]:
        return await self._called([TaxonInfo.local(taxon, OWN_TABLE) for taxon in taxa], languages)

    async def _called(
        self, infos: Sequence[TaxonInfo], languages: Sequence[str]
    ) -> tuple[TaxonInfo, ...]:
        """Return ``infos`` with the names of their taxa in the language of most readers."""
        taxa = [info.taxon for info in infos if info.taxon is not None]
        names = await self.names.leading(taxa, next(iter(languages), None))
        return tuple(
            info
            if info.taxon is None or info.taxon not in names
            else replace(info, taxon=replace(info.taxon, vernacular_name=names[info.taxon]))
            for info in infos
        )

    def _choice(self, name: str, infos: Sequence[TaxonInfo], *, source: str = OWN_TABLE) -> Reply:
        return Reply(embed=choice_card(name, infos, source=source), options=self._options(infos))

    def _options(self, infos: Sequence[TaxonInfo]) -> tuple[discord.SelectOption, ...]:
        """Return as many options as Discord takes, each with a value of its own."""
        options = (self._option(info, info.taxon) for info in infos if info.taxon is not None)
        return tuple({option.value: option for option in options}.values())[:_MAX_OPTIONS]

    def _option(self, info: TaxonInfo, taxon: Taxon) -> discord.SelectOption:
        if info.source == "local":
            label = self.typed.described(taxon, taxon.vernacular_name)
            value = self.typed.unmistakable(taxon)
        else:
            label = " ".join(filter(None, (taxon.scientific_name, info.authorship)))
            value = f"{_KEY}{taxon.col_key or taxon.gbif_key}"
        where = " › ".join(ancestor.name for ancestor in taxon.lineage)  # noqa: RUF001
        return discord.SelectOption(
            label=label[:_MAX_OPTION_TEXT],
            value=value[:_MAX_OPTION_TEXT],
            description=where[-_MAX_OPTION_TEXT:] or None,
        )
