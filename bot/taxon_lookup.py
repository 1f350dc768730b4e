"""From a name that somebody typed to the card that answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import discord

from bot.authorship import without_authorship, without_sp
from bot.gbif import GbifClient, GbifNotFound, GbifUnavailable
from bot.gbif_answer import Match, TaxonInfo
from bot.identifier import Cartographer
from bot.local_names import LocalNames
from bot.taxon_card import (
    CREDIT,
    OWN_TABLE,
    choice_card,
    map_description,
    taxon_card,
    unknown_card,
    with_namesakes,
)
from bot.taxon_profile import Profiler, TaxonProfile
from bot.taxon_reply import Reply
from engine import NameMatch, Requester, Taxon, TaxonTable

log = logging.getLogger(__name__)

MAX_NAME = 100

_WITHIN_S = 4.0
_AT_LEAST = 0.1
_MAX_OPTIONS = 25
_MAX_OPTION_TEXT = 100
_MAX_SUGGESTIONS = 5
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
        self._taxa = taxa
        self._gbif = gbif
        self._within_s = within_s
        self._profiler = None if gbif is None else Profiler(gbif, cartographer)
        self.names = LocalNames(taxa)

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

        ``requester`` is on whose behalf the engine makes a map.
        """
        await self.prepare()
        known = self.known(name, rank)
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
            # Only then: the author may be all that tells namesakes apart, which GBIF does.
            known = known or self.known(without_authorship(name), rank)
        if len(known) == 1:
            return await self._card(
                TaxonInfo.local(known[0], reason or _UNREACHABLE), ends, languages, requester
            )
        near = await self._locally(self._near(name), languages)
        ambiguous = info is not None and info.match is Match.AMBIGUOUS
        return Reply(
            embed=unknown_card(name, near, ambiguous=ambiguous, reason=reason),
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
        typed = self._bare(typed)
        fitting: list[NameMatch] = []
        # Most of what is found are species, and to look for all that fit takes ten times as long.
        for wanted in (4 * _MAX_OPTIONS if ranks else _MAX_OPTIONS, len(self._taxa)):
            found = self._taxa.matches(typed, limit=wanted, locale=locale)
            fitting = [match for match in found if not ranks or match.taxon.rank in ranks]
            if len(fitting) >= _MAX_OPTIONS or len(found) < wanted:
                break
        return [
            (self._described(taxon, self._offered(taxon, name, locale)), self.unmistakable(taxon))
            for taxon, name in ((match.taxon, match.name) for match in fitting[:_MAX_OPTIONS])
        ]

    def _bare(self, typed: str) -> str:
        """Return what was typed without an author or "sp.", if a name of the table is left then."""
        if typed.endswith(".") and self._taxa.named(bare := without_sp(typed)):
            return bare
        bare = without_authorship(typed)
        # "Jack in the Pulpit" is no species of an author called Pulpit.
        return bare if self._taxa.named(bare) and not self._taxa.matches(typed, limit=1) else typed

    def _offered(self, taxon: Taxon, found: str, locale: str) -> str | None:
        """Return the vernacular name by which to offer a taxon: the one ``found``, if it was."""
        if found != taxon.scientific_name:
            return found
        spoken = self._taxa.vernacular_names(taxon, locale)
        return spoken[0] if spoken else taxon.vernacular_name

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
            label, value = self._described(taxon, taxon.vernacular_name), self.unmistakable(taxon)
        else:
            label = " ".join(filter(None, (taxon.scientific_name, info.authorship)))
            value = f"{_KEY}{taxon.col_key or taxon.gbif_key}"
        where = " › ".join(ancestor.name for ancestor in taxon.lineage)  # noqa: RUF001
        return discord.SelectOption(
            label=label[:_MAX_OPTION_TEXT],
            value=value[:_MAX_OPTION_TEXT],
            description=where[-_MAX_OPTION_TEXT:] or None,
        )

    def known(self, name: str, rank: str | None = None) -> tuple[Taxon, ...]:
        """Return the taxa called ``name``, which may end in a higher taxon: "Morus (Sulidae)".

        Or in a "sp.", as "Larus sp." does.
        """
        taxa = self._taxa.named(name)
        bare, _, higher = name.rstrip(" )").rpartition("(")
        if not taxa and bare:
            taxa = _within(self._taxa.named(bare), higher.strip().casefold())
        taxa = taxa or self._taxa.named(without_sp(name))
        return tuple(taxon for taxon in taxa if rank in (None, taxon.rank))

    def unmistakable(self, taxon: Taxon) -> str:
        """Return a name that ``known`` resolves to ``taxon`` alone."""
        name = taxon.scientific_name
        if taxon.lineage and len(self._taxa.named(name)) > 1:
            name = f"{name} ({taxon.lineage[-1].name})"
        return name[:MAX_NAME]

    def _described(self, taxon: Taxon, vernacular: str | None) -> str:
        name = self.unmistakable(taxon)
        kind = "" if taxon.rank == "species" else f", {taxon.rank}"
        text = f"{vernacular} · {name}" if vernacular else name
        return text[: MAX_NAME - len(kind)] + kind

    def _near(self, name: str) -> tuple[Taxon, ...]:
        """Return taxa for a name that is not quite one, by as much of it as begins a name.

        At least half of it must, and three letters: less than that is chance.
        """
        for end in range(len(name), max(3, len(name) // 2) - 1, -1):
            if taxa := self._taxa.suggest(name[:end], limit=_MAX_SUGGESTIONS):
                return taxa
        return ()


def _within(taxa: Sequence[Taxon], higher: str) -> tuple[Taxon, ...]:
    """Return those of ``taxa`` that are in ``higher``, a name in small letters.

    Those right below it stand for all: a species of the genus Lynx is in the Felidae, too, but
    "Lynx (Felidae)" is the genus.
    """
    lineages = [(taxon, [ancestor.name.casefold() for ancestor in taxon.lineage]) for taxon in taxa]
    below = tuple(taxon for taxon, lineage in lineages if lineage[-1:] == [higher])
    return below or tuple(taxon for taxon, lineage in lineages if higher in lineage)
