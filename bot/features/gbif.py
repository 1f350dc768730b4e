"""Look a taxon up: /gbif."""

from __future__ import annotations

import logging
from typing import Any

import discord
from discord import app_commands

from bot.feature import Feature
from bot.gbif import GbifClient, GbifUnavailable
from bot.gbif_answer import Match, TaxonInfo
from bot.taxon_card import choice_card, taxon_card, unknown_card
from engine import Taxon, TaxonTable

log = logging.getLogger(__name__)

_MAX_CHOICES = 25
_MAX_CHOICE = 100
_MAX_SUGGESTIONS = 5
_UNREACHABLE = "GBIF could not be reached"
_SWITCHED_OFF = "looking names up at GBIF is switched off here"


def feature(taxa: TaxonTable, gbif: GbifClient | None) -> Feature:
    """Build the feature. Without a ``gbif`` client it answers from ``taxa`` alone."""
    lookup = Lookup(taxa, gbif)

    @app_commands.command(name="gbif", description="Look up a species or any other taxon.")
    @app_commands.describe(
        name="A scientific or English name", private="Show the answer to you alone"
    )
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def gbif_command(
        interaction: discord.Interaction[Any],
        name: app_commands.Range[str, 1, _MAX_CHOICE],
        private: bool = False,
    ) -> None:
        await interaction.response.defer(ephemeral=private, thinking=True)
        await interaction.edit_original_response(
            embed=await lookup.card(name), allowed_mentions=discord.AllowedMentions.none()
        )

    @gbif_command.autocomplete("name")
    async def suggest(_: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
        return lookup.choices(current)

    return Feature(commands=(gbif_command,))


class Lookup:
    """Answers a name with a card, from the local table first and GBIF second."""

    def __init__(self, taxa: TaxonTable, gbif: GbifClient | None) -> None:
        self._taxa = taxa
        self._gbif = gbif

    async def card(self, name: str) -> discord.Embed:
        """Return the card for ``name``, whatever it is and whether or not GBIF answers."""
        known = self._known(name)
        if len(known) > 1:
            return choice_card(name, known)
        reason: str | None = None
        info = None
        if self._gbif is None:
            reason = _SWITCHED_OFF
        else:
            try:
                ask = self._gbif.look_up_taxon(known[0]) if known else self._gbif.look_up(name)
                info = await ask
            except GbifUnavailable as error:
                log.warning("Answered from the local table: %s", error)
                reason = _UNREACHABLE
        if info is not None and info.taxon is not None:
            return taxon_card(info)
        if known:
            return taxon_card(TaxonInfo.local(known[0], reason or _UNREACHABLE))
        ambiguous = info is not None and info.match is Match.AMBIGUOUS
        return unknown_card(name, self._near(name), ambiguous=ambiguous, reason=reason)

    def choices(self, current: str) -> list[app_commands.Choice[str]]:
        """Return what autocomplete offers while ``current`` is being typed."""
        return [
            app_commands.Choice(name=self._described(taxon), value=self._unmistakable(taxon))
            for taxon in self._taxa.suggest(current, limit=_MAX_CHOICES)
        ]

    def _known(self, name: str) -> tuple[Taxon, ...]:
        """Return the taxa called ``name``, which may end in a higher taxon: "Morus (Sulidae)"."""
        taxa = self._taxa.named(name)
        bare, _, higher = name.rstrip(" )").rpartition("(")
        if taxa or not bare:
            return taxa
        wanted = higher.strip().casefold()
        return tuple(
            taxon
            for taxon in self._taxa.named(bare)
            if wanted in (ancestor.name.casefold() for ancestor in taxon.lineage)
        )

    def _unmistakable(self, taxon: Taxon) -> str:
        """Return a name that ``_known`` resolves to ``taxon`` alone."""
        name = taxon.scientific_name
        if taxon.lineage and len(self._taxa.named(name)) > 1:
            name = f"{name} ({taxon.lineage[-1].name})"
        return name[:_MAX_CHOICE]

    def _described(self, taxon: Taxon) -> str:
        name = self._unmistakable(taxon)
        kind = "" if taxon.rank == "species" else f", {taxon.rank}"
        text = f"{taxon.vernacular_name} · {name}" if taxon.vernacular_name else name
        return text[: _MAX_CHOICE - len(kind)] + kind

    def _near(self, name: str) -> tuple[Taxon, ...]:
        """Return taxa for a name that is not quite one, by as much of it as begins a name.

        At least half of it must, and three letters: less than that is chance.
        """
        for end in range(len(name), max(3, len(name) // 2) - 1, -1):
            if taxa := self._taxa.suggest(name[:end], limit=_MAX_SUGGESTIONS):
                return taxa
        return ()
