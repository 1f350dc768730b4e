"""/settings: watched channels, how sure a verdict must be, where photos are taken, the language.

Kept: the ids of channel and server, with what was chosen for them.
"""

from __future__ import annotations

import logging
from typing import Any, TypeAlias, cast

import discord
from discord import app_commands

from bot.errors import DELIVERY_ERRORS, permission_name
from bot.feature import Feature, Listener
from bot.groups import CHOICES, PLURALS
from bot.headline import percent
from bot.options.countries import in_a_sentence
from bot.options.language import LanguageOption
from bot.options.languages import LANGUAGES
from bot.options.place import PlaceOption
from bot.store import GuildSettings, Store, WatchedChannel
from bot.taxon.local_names import LocalNames
from engine import CERTAINTY, Group

log = logging.getLogger(__name__)

_MAX_CONTENT = 2000

_Channel: TypeAlias = app_commands.AppCommandChannel | app_commands.AppCommandThread

_INTENT_OFF = (
    "This bot runs without the Message Content intent, so Discord does not show it the photos"
    " of a channel: whoever runs it can turn the intent on in the developer portal and set"
    " `message_content = true`. Photos with a mention, `/identify` and"
    " Apps > Identify work without it."
)
_CERTAINTY_MEANS = (
    "Where I am less sure of the species I name the genus, the family or a higher taxon"
    " instead, and list the species below it."
)
_PLACE_MEANS = (
    "Species that GBIF has no record of there are held less likely, and marked; none is left"
    " out. `/identify place:` names another place for one photo, or `anywhere`."
)
_NEEDED = ("view_channel", "embed_links", "read_message_history")


class WatchableChannel(app_commands.Transformer):
    """An option that takes the channels in which photos are posted, forums included.

    Spelt out because the library offers forums only together with media channels.
    """

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Return the type of the option."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Return the types of channel that Discord offers."""
        kinds = discord.ChannelType
        return [
            kinds.text,
            kinds.news,
            kinds.voice,
            kinds.forum,
            kinds.public_thread,
            kinds.private_thread,
        ]

    async def transform(
        self,
        interaction: discord.Interaction[Any],  # noqa: ARG002 - the library's signature
        value: Any,
        /,
    ) -> _Channel:
        """Take the channel as Discord sends it."""
        return cast(_Channel, value)


_ChannelOption: TypeAlias = app_commands.Transform[_Channel, WatchableChannel]


def feature(store: Store, names: LocalNames, *, message_content: bool) -> Feature:
    """Build the feature; ``message_content`` says whether the bot may read channels at all."""
    settings = app_commands.Group(
        name="settings",
        description="What Fieldmark does in this server.",
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
        # All spelt out: what is left unset would be taken from the tree.
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=False, private_channel=False
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )

    @settings.command(description="Identify every photo posted in a channel.")
    @app_commands.describe(channel="The channel", group="What its photos show")
    @app_commands.choices(group=CHOICES)
    @app_commands.checks.has_permissions(manage_guild=True)
    async def watch(
        interaction: discord.Interaction[Any],
        channel: _ChannelOption,
        group: str = Group.AUTO.value,
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        if not message_content:
            await _say(interaction, _INTENT_OFF)
            return
        chosen = Group(group)
        await store.watch(
            WatchedChannel(channel_id=channel.id, guild_id=channel.guild_id, group=chosen)
        )
        text = f"From now on I look at every photo in {channel.mention} for {PLURALS[chosen]}."
        await _say(interaction, " ".join([text, *_missing(channel)]))

    @settings.command(description="Stop identifying every photo of a channel.")
    @app_commands.describe(channel="The channel")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def unwatch(interaction: discord.Interaction[Any], channel: _ChannelOption) -> None:
        await interaction.response.defer(ephemeral=True)
        was_watched = await store.unwatch(channel.id)
        state = "I no longer watch" if was_watched else "I was not watching"
        await _say(interaction, f"{state} {channel.mention}.")

    @settings.command(description="Choose how sure I must be before I name a species.")
    @app_commands.describe(percent="From 50 to 95; leave it out for the default")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def certainty(
        interaction: discord.Interaction[Any],
        percent: app_commands.Range[int, 50, 95] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        chosen = None if percent is None else percent / 100
        await store.set_certainty(interaction.guild_id or 0, chosen)
        await _say(interaction, f"{_certainty(chosen)} {_CERTAINTY_MEANS}")

    @settings.command(
        description="Choose the country or continent that the photos of this server are from."
    )
    @app_commands.describe(where="The country or continent; leave it out for anywhere")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def place(
        interaction: discord.Interaction[Any], where: PlaceOption | None = None
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        await store.set_country(interaction.guild_id or 0, where)
        text = _place(where)
        await _say(interaction, f"{text} {_PLACE_MEANS}" if where is not None else text)

    @settings.command(description="Choose the language that species are named in.")
    @app_commands.describe(name="The language; leave it out for the server's own")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def language(
        interaction: discord.Interaction[Any], name: LanguageOption | None = None
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        await store.set_language(interaction.guild_id or 0, name)
        known = 0 if name is None else await names.species_named_in(name)
        await _say(interaction, f"{_language(name)} {_language_means(name, known)}".rstrip())

    @settings.command(description="Show what is chosen, and which channels are watched.")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def show(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(ephemeral=True)
        chosen = await store.settings_of(interaction.guild_id)
        watched = [
            channel
            for channel in await store.watched_in(interaction.guild_id or 0)
            if await _still_there(channel, interaction.guild, store)
        ]
        lines = [f"<#{channel.channel_id}>: {PLURALS[channel.group]}" for channel in watched]
        head = (
            "Watched channels:" if lines else "No channel is watched; `/settings watch` adds one."
        )
        above = "\n".join([*_described(chosen), head])
        below = "" if message_content else f"\n{_INTENT_OFF}"
        room = _MAX_CONTENT - len(above) - len(below)
        await _say(interaction, above + _listed(lines, room) + below)

    return Feature(commands=(settings,), listeners=_forgetting(store))


def _forgetting(store: Store) -> dict[str, Listener]:
    """Make what hears of channels and servers that are gone, and forgets them."""

    async def channel_deleted(channel: discord.abc.GuildChannel) -> None:
        await store.unwatch(channel.id)

    async def thread_deleted(event: discord.RawThreadDeleteEvent) -> None:
        await store.unwatch(event.thread_id)

    async def left(guild: discord.Guild) -> None:
        # Not what happens when Discord has an outage, which the library tells apart.
        await store.forget_guild(guild.id)

    return {
        "on_guild_channel_delete": channel_deleted,
        "on_raw_thread_delete": thread_deleted,
        "on_guild_remove": left,
    }


async def _still_there(channel: WatchedChannel, guild: discord.Guild | None, store: Store) -> bool:
    """Tell whether a watched channel exists; one deleted while the bot was away is forgotten."""
    if guild is None or guild.get_channel_or_thread(channel.channel_id) is not None:
        return True
    try:
        await guild.fetch_channel(channel.channel_id)
    except discord.NotFound:
        await store.unwatch(channel.channel_id)
        return False
    except DELIVERY_ERRORS as error:
        log.info("Whether channel %d exists is not known: %s", channel.channel_id, error)
    return True


def _listed(lines: list[str], room: int) -> str:
    """Put as many lines as ``room`` characters hold below another, and say how many are left."""
    for left in range(len(lines) + 1):
        tail = [f"... and {left} more."] if left else []
        text = "".join(f"\n{line}" for line in [*lines[: len(lines) - left], *tail])
        if len(text) <= room:
            return text
    return ""


def _described(chosen: GuildSettings) -> list[str]:
    return [_certainty(chosen.certainty), _place(chosen.country), _language(chosen.language)]


def _certainty(chosen: float | None) -> str:
    certainty, default = (CERTAINTY, " (the default)") if chosen is None else (chosen, "")
    return f"A species is named from {percent(certainty)}{default}."


def _place(where: str | None) -> str:
    if where is None:
        return "Photos may be from anywhere; `/settings place` names a country or continent."
    return f"Photos are taken to be from {in_a_sentence(where)}."


def _language(code: str | None) -> str:
    if code is None:
        return "Species are named in the server's own language; `/settings language` names another."
    return f"Species are named in {LANGUAGES.name(code)}."


def _language_means(code: str | None, known: int) -> str:
    """Say how far that goes; English names are there for most."""
    if code is None or code == "en":
        return ""
    if not known:
        return "But I know none by a name in it yet, so cards stay English; `/gbif` has GBIF's."
    return (
        f"I know {known:,} by a name in it; `/gbif` also has GBIF's. Where there is none you see"
        " the English or the scientific name, and what I say myself stays English."
    )


def _missing(channel: _Channel) -> list[str]:
    """Say which permissions the bot lacks in a channel it is to watch."""
    resolved = channel.resolve()
    if resolved is None:
        return []
    allowed = resolved.permissions_for(resolved.guild.me)
    # Posts of a forum are threads.
    threads = isinstance(resolved, discord.Thread | discord.ForumChannel)
    needed = (*_NEEDED, "send_messages_in_threads" if threads else "send_messages")
    names = [permission_name(flag) for flag in needed if not getattr(allowed, flag)]
    if not names:
        return []
    return [f"I still need these permissions there: {', '.join(names)}."]


async def _say(interaction: discord.Interaction[Any], text: str) -> None:
    await interaction.edit_original_response(content=text)
