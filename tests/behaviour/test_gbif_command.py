"""/gbif as a member meets it, in a simulated Discord."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import simcord
from discord import app_commands
from discord.ext import commands

from bot.features.gbif import feature
from bot.gbif import GbifClient
from engine import TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared, fake_gbif

NOTHING = Prepared(b'{"diagnostics": {"matchType": "NONE"}, "synonym": false}')


class Room:
    """A server with one member, alice, and the bot in it."""

    def __init__(self, env: simcord.Env) -> None:
        self.env = env
        guild = env.create_guild()
        self.channel = guild.create_text_channel("garden")
        self.alice = guild.add_member(env.create_user("alice"))

    async def look_up(self, name: str, *, private: bool = False) -> discord.Embed:
        before = len(self.env.http_requests)
        result = await self.alice.slash(self.channel, "gbif", name=name, private=private)
        first = self.env.http_requests[before].json
        assert first is not None
        assert first["type"] == discord.InteractionResponseType.deferred_channel_message.value
        assert result.response is not None
        assert result.response.ephemeral is private
        (embed,) = result.response.embeds
        return embed

    async def type_name(self, text: str) -> list[dict[str, Any]]:
        return await self.alice.autocomplete(self.channel, "gbif", "name", text)


@asynccontextmanager
async def room_with(taxa: TaxonTable, client: GbifClient | None) -> AsyncIterator[Room]:
    bot = commands.AutoShardedBot(
        commands.when_mentioned, intents=discord.Intents.default(), shard_count=1
    )
    for command in feature(taxa, client).commands:
        bot.tree.add_command(command)
    env = simcord.Env(bot)
    await env.start()
    try:
        await bot.tree.sync()
        yield Room(env)
    finally:
        await env.shutdown()
    simcord.assert_no_errors(env)
    if client is not None:
        client.close()


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture
async def gbif(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGbif]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with fake_gbif() as server:
        yield server


@pytest.fixture
async def online(taxa: TaxonTable, gbif: FakeGbif) -> AsyncIterator[Room]:
    async with room_with(taxa, GbifClient(taxa, deadline_s=30, base_url=gbif.url)) as room:
        yield room


@pytest.fixture
async def offline(taxa: TaxonTable, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    client = GbifClient(taxa, deadline_s=30, base_url=f"http://127.0.0.1:{port}")
    async with room_with(taxa, client) as room:
        yield room


async def test_gbif_answers_with_its_card(online: Room, gbif: FakeGbif) -> None:
    answer = {
        "usage": {
            "key": "6DBT",
            "name": "Passer domesticus (Linnaeus, 1758)",
            "canonicalName": "Passer domesticus",
            "authorship": "(Linnaeus, 1758)",
            "rank": "SPECIES",
            "status": "ACCEPTED",
        },
        "classification": [{"key": "N", "name": "Animalia", "rank": "KINGDOM"}],
        "diagnostics": {"matchType": "EXACT"},
        "additionalStatus": [{"datasetAlias": "IUCN", "statusCode": "LC"}],
    }
    gbif.answers = [Prepared(json.dumps(answer).encode())]
    card = await online.look_up("house sparrow", private=True)
    assert card.title == "House Sparrow · *Passer domesticus* (Linnaeus, 1758)"
    assert card.url == "https://www.gbif.org/species/5231190"
    assert card.footer.text == "Data: GBIF.org / Catalogue of Life"


async def test_gbif_down_means_an_answer_from_local_data_that_says_so(offline: Room) -> None:
    card = await offline.look_up("Cassin's Finch")
    assert card.title == "Cassin's Finch · *Haemorhous cassinii*"
    assert card.url == "https://www.gbif.org/species/8255548"
    assert any("Fringillidae" in (field.value or "") for field in card.fields)
    assert card.footer.text == ("From Fieldmark's own taxon table; GBIF could not be reached.")


async def test_gbif_switched_off_is_said_too(taxa: TaxonTable) -> None:
    async with room_with(taxa, None) as room:
        card = await room.look_up("Aves")
    assert card.title == "Aves"
    assert card.footer.text is not None
    assert card.footer.text.endswith("looking names up at GBIF is switched off here.")


async def test_a_taxon_gbif_does_not_know_is_still_shown(online: Room, gbif: FakeGbif) -> None:
    gbif.answers = [NOTHING]
    card = await online.look_up("Passer domesticus")
    assert card.url == "https://www.gbif.org/species/5231190"
    assert card.footer.text is not None
    assert "GBIF has no entry under exactly this name" in card.footer.text


async def test_a_name_of_several_taxa_lists_them_all(online: Room, gbif: FakeGbif) -> None:
    card = await online.look_up("morus")
    assert card.description is not None
    assert "Sulidae" in card.description
    assert "Moraceae" in card.description
    assert gbif.queries == []


async def test_a_name_may_be_narrowed_by_a_higher_taxon(offline: Room) -> None:
    for name in ("Morus (Sulidae)", "morus (aves)"):
        card = await offline.look_up(name)
        assert card.title == "*Morus*"
        assert any("Sulidae" in (field.value or "") for field in card.fields)


async def test_a_misspelt_name_is_met_with_names_that_are_near(
    online: Room, gbif: FakeGbif
) -> None:
    gbif.answers = [NOTHING]
    card = await online.look_up("Parus majr")
    assert card.description is not None
    assert "Neither I nor GBIF know" in card.description
    assert "[*Parus major*](" in card.description


async def test_an_unknown_name_with_gbif_down_says_both(offline: Room) -> None:
    card = await offline.look_up("xyzzy [free](https://example.org) @everyone")
    assert card.description is not None
    assert "GBIF could not be reached" in card.description
    assert "https://" not in card.description
    assert "@everyone" not in card.description


@pytest.mark.parametrize("text", ["", "p", "great", "morus", "zzzz", "x" * 100, "[*]("])
async def test_autocomplete_keeps_to_discords_limits(offline: Room, text: str) -> None:
    choices = await offline.type_name(text)
    assert len(choices) <= 25
    for choice in choices:
        assert 1 <= len(choice["name"]) <= 100
        assert 1 <= len(choice["value"]) <= 100
    assert bool(choices) is (text in {"p", "great", "morus"})


@pytest.mark.parametrize("text", ["mor", "robin", "aves", "downy wood", "malus", "junco hy"])
async def test_what_autocomplete_offers_means_one_taxon(offline: Room, text: str) -> None:
    choices = await offline.type_name(text)
    assert choices
    for choice in choices[:8]:
        card = await offline.look_up(choice["value"])
        assert card.title is not None
        assert "is the name of" not in card.title
        assert card.title != "No such taxon found"


def test_gbif_is_offered_everywhere(taxa: TaxonTable) -> None:
    (command,) = feature(taxa, None).commands
    assert isinstance(command, app_commands.Command)
    assert command.allowed_contexts is not None
    assert command.allowed_installs is not None
    assert set(command.allowed_contexts.to_array()) == {0, 1, 2}
    assert set(command.allowed_installs.to_array()) == {0, 1}
