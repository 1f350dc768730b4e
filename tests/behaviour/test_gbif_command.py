"""/gbif as a member meets it, in a simulated Discord."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import discord
import pytest
import simcord
from discord.ext import commands

from bot.features.gbif import Lookup, feature
from bot.gbif import GbifClient
from engine import TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared, fake_gbif


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture
async def gbif(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGbif]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with fake_gbif() as server:
        yield server


@pytest.fixture
def client(taxa: TaxonTable, gbif: FakeGbif) -> Iterator[GbifClient]:
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url)
    yield client
    client.close()


class Room:
    """A server with one member and the bot in it."""

    def __init__(self, env: simcord.Env) -> None:
        guild = env.create_guild()
        self.channel = guild.create_text_channel("garden")
        self.alice = guild.add_member(env.create_user("alice"))

    async def look_up(self, name: str, *, private: bool = False) -> discord.Embed:
        result = await self.alice.slash(self.channel, "gbif", name=name, private=private)
        assert result.deferred
        assert result.ephemeral is private
        assert result.response is not None
        (embed,) = result.response.embeds
        return embed

    async def type_name(self, text: str) -> list[dict[str, str]]:
        return await self.alice.autocomplete(self.channel, "gbif", "name", text)


async def room_with(env_bot: commands.Bot, taxa: TaxonTable, client: GbifClient | None) -> None:
    for command in feature(taxa, client).commands:
        env_bot.tree.add_command(command)


@pytest.fixture
def make_bot(taxa: TaxonTable):  # type: ignore[no-untyped-def]
    def make(client: GbifClient | None) -> commands.Bot:
        bot = commands.Bot(command_prefix="!", intents=discord.Intents.default())
        for command in feature(taxa, client).commands:
            bot.tree.add_command(command)
        return bot

    return make
