"""Starting, publishing commands, and stopping."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import simcord

from bot.app import FieldmarkBot
from bot.config import Settings
from bot.store import Store
from engine import EngineFailed, TaxonTable
from tests.behaviour.world import JPEG, CannedEngine, CannedFetcher, World, build

PHOTO = ("IMG_1.jpg", JPEG)


def publications(world: World) -> list[list[dict[str, Any]]]:
    """Return the commands of each time that the bot handed Discord its commands."""
    bodies: list[Any] = [
        request.json
        for request in world.env.http_requests
        if request.method == "PUT" and request.path.endswith("/commands")
    ]
    return bodies


async def test_commands_are_published_once(
    world: World, settings: Settings, engine: CannedEngine, taxa: TaxonTable
) -> None:
    assert len(publications(world)) == 1
    again = build(settings, engine, taxa, world.web)
    await world.env.restart_bot(again)
    assert len(publications(world)) == 1
    await again.close()


@pytest.fixture
async def changed(
    settings: Settings, engine: CannedEngine, taxa: TaxonTable, web: CannedFetcher
) -> AsyncIterator[FieldmarkBot]:
    """A bot with a command more."""
    bot = build(settings, engine, taxa, web)

    @bot.tree.command(name="new", description="A new command.")
    async def new(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("new")

    yield bot
    await bot.close()


async def test_changed_commands_are_published_again(world: World, changed: FieldmarkBot) -> None:
    await world.env.restart_bot(changed)
    assert len(publications(world)) == 2


@pytest.mark.parametrize(
    ("status", "code"), [(400, 30034), (503, 0)], ids=["a day's limit", "away"]
)
async def test_commands_that_discord_does_not_take_are_offered_again(
    world: World, changed: FieldmarkBot, caplog: pytest.LogCaptureFixture, status: int, code: int
) -> None:
    world.env.inject_error("PUT", "/applications/*/commands", status=status, code=code)
    await world.env.restart_bot(changed)
    assert "Commands not published, next try in 10 min" in caplog.text
    await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    assert len(world.answers) == 1
    assert (await world.alice.slash(world.channel, "identify", photo=PHOTO)).response is not None
    for _ in range(3):
        await world.env.advance_time(601)
    assert len(publications(world)) == 3
    assert (await world.alice.slash(world.channel, "new")).response is not None


async def test_commands_are_published_where_the_database_cannot_be_written(
    world: World, changed: FieldmarkBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Store, value: str) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "set_commands_hash", fail)
    await world.env.restart_bot(changed)
    assert (await world.alice.slash(world.channel, "new")).response is not None


async def test_what_the_commands_are(world: World) -> None:
    (published,) = publications(world)
    commands = {command["name"]: command for command in published}
    assert set(commands) == {"identify", "Identify", "gbif", "settings", "teach", "Teach"}
    for name in ("identify", "Identify", "gbif"):
        assert commands[name]["contexts"] == [0, 1, 2]
        assert commands[name]["integration_types"] == [0, 1]
    for name in ("settings", "teach", "Teach"):
        assert commands[name]["contexts"] == [0]
        assert commands[name]["integration_types"] == [0]
    settings = commands["settings"]
    assert settings["default_member_permissions"] == discord.Permissions(manage_guild=True).value
    managing = discord.Permissions(manage_messages=True).value
    assert commands["Teach"]["default_member_permissions"] == managing


async def test_the_bot_asks_for_little(world: World) -> None:
    bot = world.env.bot
    assert not bot.intents.message_content
    assert not bot.intents.members
    assert list(bot.cached_messages) == []
    guild = bot.get_guild(world.guild.id)
    assert guild is not None
    assert list(guild.members) == [guild.me]


async def test_the_invitation_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="bot.app"):
        await world.bot.on_ready()
    (line,) = [text for text in caplog.messages if "oauth2/authorize" in text]
    assert "scope=bot+applications.commands" in line
    assert f"client_id={world.env.bot.application_id}" in line
    assert "permissions=" in line


async def test_a_photo_that_comes_before_the_engine_is_ready_waits_for_it(
    settings: Settings, engine: CannedEngine, taxa: TaxonTable, web: CannedFetcher
) -> None:
    bot = build(settings, engine, taxa, web)
    env = simcord.Env(bot)
    engine.start_slowly(env)
    await env.start()
    guild = env.create_guild()
    channel = guild.create_text_channel("birds")
    alice = guild.add_member(env.create_user("alice"))
    result = await alice.slash(channel, "identify", photo=PHOTO)
    assert result.deferred
    assert result.response is not None
    assert result.response.embeds == []
    engine.started.set()
    await env.settle()
    assert result.response.embeds[0].title == "European robin"
    await env.shutdown()
    await bot.close()


async def test_an_engine_that_does_not_start_is_said(
    engine: CannedEngine, settings: Settings, taxa: TaxonTable, web: CannedFetcher
) -> None:
    engine.start_error = EngineFailed("The workers do not start: see the log.")
    bot = build(settings, engine, taxa, web)
    async with simcord.run(bot) as env:
        guild = env.create_guild()
        channel = guild.create_text_channel("birds")
        alice = guild.add_member(env.create_user("alice"))
        result = await alice.slash(channel, "identify", photo=PHOTO)
        assert result.response is not None
        assert result.response.content == "The workers do not start: see the log."
    await bot.close()


async def test_closing_stops_the_engine_once(world: World, engine: CannedEngine) -> None:
    bot = world.env.bot
    await bot.close()
    await bot.close()
    assert engine.closed == 1
    assert bot.is_closed()


async def test_what_the_stop_cuts_off_is_no_error(
    engine: CannedEngine,
    settings: Settings,
    taxa: TaxonTable,
    web: CannedFetcher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot = build(settings, engine, taxa, web)
    with caplog.at_level("INFO", logger="bot.app"):
        async with bot:
            await bot.on_error("on_message")
        await bot.on_error("on_message")
    said = [r.levelname for r in caplog.records if "on_message" in r.message]
    assert said == ["ERROR", "INFO"]
