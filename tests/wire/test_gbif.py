"""/gbif over the wire: its card, map and menu, judged by Discord's description of its API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.bot.fake_gbif import FakeGbif, Prepared, bot_that_asks, tile
from tools.sandbox import Sandbox

Json = dict[str, Any]


SEA, DOTS = tile(), tile((100, 50))
SPARROW = {
    "usage": {"key": "4DXJW", "name": "Passer domesticus", "rank": "SPECIES", "status": "ACCEPTED"},
    "classification": [{"key": "N", "name": "Animalia", "rank": "KINGDOM"}],
    "diagnostics": {"matchType": "EXACT"},
    "additionalStatus": [{"datasetAlias": "IUCN", "statusCode": "LC"}],
}


def sparrow(request: web.Request) -> Prepared:
    """Answer as a GBIF that knows the house sparrow, and nothing else."""
    if request.path == "/v2/species/match":
        known = request.query.get("scientificName") == "Passer domesticus"
        answer = SPARROW if known else {"diagnostics": {"matchType": "NONE"}}
        return Prepared(json.dumps(answer).encode())
    if request.path.endswith("/vernacularNames"):
        return Prepared(b'{"results": []}')
    if request.path == "/v1/occurrence/search":
        return Prepared(b'{"count": 12, "facets": []}')
    if "/omt/" in request.path:
        return Prepared(SEA, content_type="image/png")
    east = "/0/1/" in request.path
    return Prepared(b"", 204) if east else Prepared(DOTS, content_type="image/png")


@pytest.fixture
def gbif(gbif: FakeGbif) -> FakeGbif:
    gbif.route = sparrow
    return gbif


@pytest.fixture
async def online(sandbox: Sandbox, gbif: FakeGbif, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with bot_that_asks(gbif, sandbox, tmp_path):
        yield sandbox


async def test_the_card_comes_with_a_map_of_the_world(online: Sandbox) -> None:
    asked = await online.member.run_command("gbif", {"name": "house sparrow"})
    message = await asked.answer()
    (card,) = message["embeds"]
    assert card["title"] == "House Sparrow · *Passer domesticus*"
    assert card["image"]["url"].startswith("https://cdn.discordapp.com/attachments/")
    assert (card["image"]["width"], card["image"]["height"]) == (1024, 512)
    assert card["image"]["description"].startswith("A map of the world")


async def test_the_menu_leads_to_a_card(online: Sandbox) -> None:
    asked = await online.member.run_command("gbif", {"name": "morus", "private": True})
    message = await asked.answer()
    (row,) = message["components"]
    (menu,) = row["components"]
    chosen = menu["options"][1]["value"]
    await (await online.member.select(message, menu["custom_id"], [chosen])).acknowledged()
    updated = await online.wait_for(
        lambda m: m["id"] == message["id"] and m["embeds"][0]["title"] == "*Morus*"
    )
    assert any("Moraceae" in field["value"] for field in updated["embeds"][0]["fields"])
