"""A place on /identify and for a server, with a GBIF on loopback that has known counts."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import discord
import pytest
import simcord
from aiohttp import web

from bot.app import FieldmarkBot
from bot.config import Settings
from bot.gbif.client import GbifClient
from engine import Candidate, EngineFailed, Requester, TaxonTable, Verdict
from tests.behaviour.world import ANSWER, JPEG, CannedEngine, CannedFetcher, World
from tests.bot.fake_gbif import FakeGbif, Prepared

PHOTO = ("IMG_1.jpg", JPEG)
LOOKS = {"Haemorhous mexicanus": 0.6, "Passer domesticus": 0.3, "Passer montanus": 0.08}
IN_AUSTRIA = {"Passer domesticus": 2_000_000, "Passer montanus": 400_000}


@pytest.fixture(autouse=True, scope="module")
def pygbif_imported() -> None:
    """Import what the client imports at its first question: on a busy machine that takes long."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    importlib.import_module("pygbif")


@pytest.fixture
def gbif(gbif: FakeGbif, taxa: TaxonTable) -> FakeGbif:
    """Have records of the sparrows in Austria, and of nothing else."""
    keys = {str(taxa.named(name)[0].gbif_key): count for name, count in IN_AUSTRIA.items()}

    def counts(request: web.Request) -> Prepared:
        if request.path == "/v2/species/match":
            return Prepared(b'{"diagnostics": {"matchType": "NONE"}, "synonym": false}')
        here = request.query.get("country") == "AT" or request.query.get("continent") == "EUROPE"
        count = keys.get(request.query["taxonKey"], 0) if here else 0
        return Prepared(json.dumps({"count": count, "results": []}).encode())

    gbif.route = counts
    return gbif


@pytest.fixture
async def simcord_bot(
    settings: Settings, engine: CannedEngine, taxa: TaxonTable, web: CannedFetcher, gbif: FakeGbif
) -> AsyncIterator[FieldmarkBot]:
    client = GbifClient(taxa, base_url=gbif.url)
    bot = FieldmarkBot(settings, engine, taxa, fetcher=web, gbif=client, shard_count=1)
    yield bot
    await bot.close()


@pytest.fixture(autouse=True)
def finch(engine: CannedEngine, taxa: TaxonTable) -> None:
    """Have the engine take a photo for a finch of America, and less so for a sparrow."""
    candidates = tuple(
        Candidate(taxon=taxa.named(name)[0], probability=p, model="birds")
        for name, p in LOOKS.items()
    )
    verdict = Verdict(taxon=candidates[0].taxon, probability=0.6)
    engine.answer = replace(ANSWER, candidates=candidates, verdict=verdict)


@pytest.fixture
def boss(world: World) -> simcord.MemberActor:
    role = world.guild.create_role("boss", permissions=discord.Permissions(manage_guild=True))
    return world.guild.add_member(world.env.create_user("boss"), roles=[role])


def lines(embed: discord.Embed) -> list[str]:
    return [line for line in (embed.description or "").splitlines() if line.startswith("`")]


async def identify(world: World, **options: object) -> discord.Embed:
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO, **options)
    assert result.response is not None
    (embed,) = result.response.embeds
    return embed


async def test_a_place_changes_the_order_and_removes_nothing(world: World) -> None:
    embed = await identify(world, place="AT")
    first, second, third = lines(embed)
    assert embed.title == "A sparrow of the genus Passer"
    assert "House Sparrow" in first
    assert "Tree Sparrow" in second
    assert "House Finch" in third
    assert third.endswith("not recorded in Austria")
    assert "not recorded" not in first + second
    assert "Taken to be from Austria. Records: GBIF.org" in (embed.footer.text or "")


async def test_without_a_place_gbif_is_not_asked(world: World, gbif: FakeGbif) -> None:
    embed = await identify(world)
    assert embed.title == "House Finch"
    assert gbif.queries == []
    assert "Taken to be from" not in (embed.footer.text or "")


async def test_a_country_may_be_typed_in_full(world: World, gbif: FakeGbif) -> None:
    await identify(world, place="austria")
    assert {query["country"] for query in gbif.queries if "country" in query} == {"AT"}


async def test_a_country_is_offered_while_it_is_typed(world: World) -> None:
    offered = await world.alice.autocomplete(world.channel, "identify", "place", "asutria")
    assert offered[0] == {"name": "Austria", "value": "AT"}
    nothing_typed = await world.alice.autocomplete(world.channel, "identify", "place", "")
    assert len(nothing_typed) == 25
    assert [choice["value"] for choice in nothing_typed[:2]] == ["gps", "anywhere"]
    by_word = await world.alice.autocomplete(world.channel, "identify", "place", "photo")
    assert by_word[0] == {"name": "From the photo's GPS, if it carries any", "value": "gps"}


async def test_a_continent_is_a_place(
    world: World, boss: simcord.MemberActor, gbif: FakeGbif
) -> None:
    offered = await world.alice.autocomplete(world.channel, "identify", "place", "europ")
    assert offered[0] == {"name": "Europe", "value": "EUROPE"}
    embed = await identify(world, place="EUROPE")
    assert lines(embed)[2].endswith("not recorded in Europe")
    assert {query["continent"] for query in gbif.queries if "continent" in query} == {"EUROPE"}
    assert "from Europe." in await settings(boss, world, "place", where="Europe")
    await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    assert "House Sparrow" in lines(world.answers[0].embeds[0])[0]


async def test_the_photos_gps_is_used_where_the_member_says_so(world: World) -> None:
    world.engine.country = "AT"
    embed = await identify(world, place="gps")
    assert world.engine.located == [JPEG]
    alice = Requester(member=world.alice.id, server=world.guild.id)
    assert world.engine.requesters == [alice, alice], "for the photo, and for its GPS"
    assert "House Sparrow" in lines(embed)[0]
    assert lines(embed)[2].endswith("not recorded in Austria")
    assert "Taken to be from Austria (by the photo's GPS)." in (embed.footer.text or "")


async def test_the_photos_gps_is_not_looked_at_unasked(
    world: World, boss: simcord.MemberActor
) -> None:
    world.engine.country = "AT"
    assert (await identify(world)).title == "House Finch"
    await identify(world, place="NZ")
    await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    assert world.engine.located == []
    refused = await settings(boss, world, "place", where="gps")
    assert "I know no country or continent called “gps”." in refused
    world.env.errors.clear()


async def test_without_coordinates_no_place_is_used_not_even_the_servers(
    world: World, boss: simcord.MemberActor, gbif: FakeGbif
) -> None:
    await settings(boss, world, "place", where="AT")
    embed = await identify(world, place="From the photo's GPS, if it carries any")
    assert embed.title == "House Finch"
    assert "The photo carries no coordinates, or none near land" in (embed.footer.text or "")
    assert gbif.queries == []


async def test_a_country_that_cannot_be_looked_up_costs_no_answer(world: World) -> None:
    world.engine.gps_error = EngineFailed("no atlas")
    embed = await identify(world, place="gps")
    assert embed.title == "House Finch"
    assert "The photo's GPS could not be looked up just now" in (embed.footer.text or "")


async def test_what_is_no_country_is_refused_for_the_asker_alone(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO, place="Austri*")
    assert result.ephemeral
    assert result.response is not None
    said = result.response.content
    assert "I know no country or continent called “Austri\\*”. Did you mean Austria" in said
    assert world.engine.asked == []
    assert len(world.env.errors) == 1


async def test_with_gbif_down_the_card_comes_as_it_was_and_says_so(
    world: World, gbif: FakeGbif
) -> None:
    gbif.route = lambda request: Prepared(b"gone", status=404, content_type="text/plain")
    embed = await identify(world, place="AT")
    assert embed.title == "House Finch"
    assert [line for line in lines(embed) if "not recorded" in line] == []
    footer = embed.footer.text or ""
    assert "That it is from Austria was not taken into account: GBIF could not be reached" in footer


async def test_a_servers_place_counts_for_every_photo_unless_another_is_named(
    world: World, boss: simcord.MemberActor, gbif: FakeGbif
) -> None:
    said = await settings(boss, world, "place", where="AT")
    assert "Photos are taken to be from Austria." in said
    await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    (answer,) = world.answers
    assert "House Sparrow" in lines(answer.embeds[0])[0]
    asked = len(gbif.queries)
    assert (await identify(world, place="anywhere")).title == "House Finch"
    assert len(gbif.queries) == asked
    elsewhere = await identify(world, place="nz")
    assert "not recorded in New Zealand" in lines(elsewhere)[0]
    photo = await world.alice.send(world.channel, "look", attachments=[PHOTO])
    result = await world.alice.context_menu(world.channel, "Identify", photo)
    assert result.response is not None
    assert "House Sparrow" in lines(result.response.embeds[0])[0]


async def test_a_servers_place_can_be_shown_and_taken_back(
    world: World, boss: simcord.MemberActor, gbif: FakeGbif
) -> None:
    assert "Photos may be from anywhere" in await settings(boss, world, "show")
    await settings(boss, world, "place", where="Netherlands")
    assert "from the Netherlands." in await settings(boss, world, "show")
    assert "Photos may be from anywhere" in await settings(boss, world, "place")
    assert (await identify(world)).title == "House Finch"
    assert gbif.queries == []


async def test_a_servers_place_is_its_own(world: World, boss: simcord.MemberActor) -> None:
    await settings(boss, world, "place", where="AT")
    result = await world.alice.user.slash("identify", photo=PHOTO)
    assert result.response.embeds[0].title == "House Finch"
    there = await world.alice.user.slash("identify", photo=PHOTO, place="AT")
    assert "House Sparrow" in lines(there.response.embeds[0])[0]


async def settings(boss: simcord.MemberActor, world: World, name: str, **options: object) -> str:
    result = await boss.slash(world.channel, f"settings {name}", **options)
    assert result.ephemeral
    assert result.response is not None
    return result.response.content
