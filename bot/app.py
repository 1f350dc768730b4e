"""The bot: builds the parts and owns their lifetimes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sqlite3
import sys
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.answer import Answerer
from bot.config import Settings
from bot.errors import DELIVERY_ERRORS, Tree
from bot.feature import Feature
from bot.features import gbif as gbif_feature
from bot.features import identify, teach
from bot.features import settings as settings_feature
from bot.gbif.cache import GbifCache
from bot.gbif.client import GbifClient
from bot.health import heartbeat_file, keep_beating
from bot.identifier import StartableIdentifier, StartingIdentifier
from bot.naming import Naming
from bot.photos.fetch import PhotoFetcher
from bot.photos.intake import Intake
from bot.place import Places
from bot.store import Store
from bot.taxon.lookup import Lookup
from bot.taxon.species import SpeciesFinder
from bot.teacher import Teacher
from engine import TaxonTable

log = logging.getLogger(__name__)

# Fieldmark does not speak: the libraries for it need not be missed in the log.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

_PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)

_PUBLISH_AGAIN_S = 600.0
"""How long to wait before Discord is offered the commands again: it may refuse them for a day."""
_SPARE_LOGINS = 100
"""How many of the logins that Discord allows in a day are left unused."""


class TooManyLogins(Exception):
    """Discord has seen the bot log in too often. ``str(error)`` is one sentence for people."""


class FieldmarkBot(commands.AutoShardedBot):
    """Fieldmark on Discord.

    Build it inside the running event loop it will serve. ``connector``, ``fetcher`` and
    ``gbif`` replace the ways to Discord, the web and GBIF, for tests and the sandbox.
    """

    def __init__(
        self,
        settings: Settings,
        engine: StartableIdentifier,
        taxa: TaxonTable,
        *,
        connector: aiohttp.BaseConnector | None = None,
        fetcher: PhotoFetcher | None = None,
        gbif: GbifClient | None = None,
        **options: Any,
    ) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = settings.discord.message_content
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=Tree,
            intents=intents,
            connector=connector,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            **options,
        )
        self._settings = settings
        self._taxa = taxa
        self._identifier = StartingIdentifier(engine)
        self._intake = Intake(
            settings.intake,
            fetcher
            or PhotoFetcher(
                max_bytes=settings.intake.max_bytes, timeout_s=settings.intake.url_timeout_s
            ),
        )
        # A file of its own, beside the bot's: it may be deleted, the other must not.
        self._gbif_cache = GbifCache(settings.store.path.expanduser().with_name("gbif.sqlite"))
        if gbif is None and settings.gbif.enabled:
            gbif = GbifClient(taxa, contact=settings.gbif.contact, cache=self._gbif_cache)
        self._gbif = gbif
        self._store: Store | None = None
        self._beating: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._prepared = asyncio.Event()

    async def setup_hook(self) -> None:
        """Open the store, start the engine alongside, and publish the commands if changed.

        Where Discord does not take them that is tried again later, and is no reason to be away.

        Raises:
            StoreError: the store cannot be used.
        """
        self._store = await Store.open(self._settings.store.path.expanduser())
        self._identifier.begin()
        lookup = Lookup(self._taxa, self._gbif, self._identifier)
        # The first letter that someone types in /gbif would wait for it.
        self._preparing = asyncio.create_task(lookup.prepare())
        self._preparing.add_done_callback(lambda _: self._prepared.set())
        for feature in self._features(self._store, lookup):
            self._add(feature)
        if not await self._published(self._store):
            # Those that Discord has from an earlier start work meanwhile, as do messages.
            self._publishing = asyncio.create_task(self._publish_later(self._store))
        self._beating = asyncio.create_task(
            keep_beating(self, heartbeat_file(self._settings)), name="heartbeat file"
        )

    async def connect(self, *, reconnect: bool = True) -> None:
        """Connect, unless the logins that Discord allows in a day are all but spent.

        Discord resets the token of a bot that goes beyond, as one does whose engine fails at every
        start and which something starts again each time.

        Raises:
            TooManyLogins: they are.
        """
        limits = await self.fetch_session_start_limits()
        if limits.remaining < _SPARE_LOGINS:
            raise TooManyLogins(
                f"Discord allows this bot only {limits.remaining} more logins within"
                f" {limits.reset_after / 3_600_000:.0f} h and then resets its token: find in the"
                " log why it is started over and over, and wait until then."
            )
        await super().connect(reconnect=reconnect)

    async def wait_until_prepared(self) -> None:
        """Return when the names that ``/gbif`` searches are in order, a second after the start."""
        await self._prepared.wait()

    async def wait_until_engine_fails(self) -> None:
        """Return never, or raise once the engine cannot be started: it will answer nothing.

        Raises:
            EngineError: why it cannot.
        """
        await self._identifier.wait_until_failed()

    def _features(self, store: Store, lookup: Lookup) -> tuple[Feature, ...]:
        message_content = self._settings.discord.message_content
        naming = Naming(lookup.names, store)
        answerer = Answerer(self._identifier, store, Places(self._gbif, self._taxa), lookup.names)
        teacher = Teacher(self._identifier, SpeciesFinder(lookup, self._gbif))
        return (
            identify.feature(self, answerer, self._intake, store, message_content=message_content),
            gbif_feature.feature(lookup, naming),
            teach.feature(teacher, self._intake, naming, self._settings.teach),
            settings_feature.feature(store, lookup.names, message_content=message_content),
        )

    def _add(self, feature: Feature) -> None:
        for command in feature.commands:
            self.tree.add_command(command)
        self.add_dynamic_items(*feature.dynamic_items)
        for event, listener in feature.listeners.items():
            self.add_listener(listener, event)

    async def _publish_later(self, store: Store) -> None:
        while True:
            await asyncio.sleep(_PUBLISH_AGAIN_S)
            if await self._published(store):
                return

    async def _published(self, store: Store) -> bool:
        """Hand Discord the commands if they differ from those it was last given; tell if it has."""
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        canonical = json.dumps([self.application_id, payload], sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        if await store.commands_hash() == digest:
            return True
        try:
            await self.tree.sync()
        except DELIVERY_ERRORS as error:
            minutes = _PUBLISH_AGAIN_S / 60
            log.warning("Commands not published, next try in %d min: %s", minutes, error)
            return False
        log.info("Published %d commands.", len(payload))
        try:
            await store.set_commands_hash(digest)
        except sqlite3.Error as error:
            log.warning("They will be published again at the next start: %s", error)
        return True

    async def on_ready(self) -> None:
        """Log who the bot is, and the link that invites it."""
        if self.application_id is None:
            return
        link = discord.utils.oauth_url(
            self.application_id,
            permissions=_PERMISSIONS,
            scopes=("bot", "applications.commands"),
        )
        log.info("Online as %s. Invite me with %s", self.user, link)

    async def on_message(self, message: discord.Message, /) -> None:
        """Leave messages to the features' listeners; there are no prefix commands."""

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log an error that escaped a listener, in a line where it comes of the bot's stop."""
        if self.is_closed():
            log.info("Stopped while handling %s: %r", event_method, sys.exception())
            return
        log.error("While handling %s", event_method, exc_info=sys.exception())

    async def close(self) -> None:
        """Take no new photos, let those under way finish, then leave Discord."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        for task in (self._beating, self._publishing):
            if task is not None:
                task.cancel()
        try:
            await self._identifier.close(self._settings.discord.shutdown_s)
        finally:
            await super().close()
            if self._gbif is not None:
                self._gbif.close()
            await self._gbif_cache.close()
            if self._store is not None:
                await self._store.close()
