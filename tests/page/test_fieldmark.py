"""The product as a person at the page meets it: drop a photo, run /identify, see the card."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, expect

from engine import Engine, EngineSettings
from tests.bot.fake_gbif import Prepared, bot_that_asks, fake_gbif, tile
from tests.hub_modules import HubModules
from tests.page.conftest import OpenPage
from tests.page.gestures import (
    choose_app,
    drop,
    last_message,
    message_box,
    offered,
    say,
    start_command,
)
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASSINS_FINCH = "https://www.gbif.org/species/8255548"
PUMA, GANNETS, MULBERRIES = "4QHKG", "5YZQ", "5YZM"


def known(key: str, name: str, author: str, rank: str, *lineage: str, iucn: str = "") -> Prepared:
    """Answer as GBIF does of a name that it knows; the lineage begins with the kingdom."""
    ranks = ("KINGDOM", "PHYLUM", "CLASS", "ORDER", "FAMILY", "GENUS")
    answer: dict[str, Any] = {
        "usage": {
            "key": key,
            "name": f"{name} {author}",
            "canonicalName": name,
            "authorship": author,
            "rank": rank,
            "status": "ACCEPTED",
        },
        "classification": [
            {"key": f"K{higher}", "name": higher, "rank": its_rank}
            for its_rank, higher in zip(ranks, lineage, strict=False)
        ],
        "diagnostics": {"matchType": "EXACT"},
        "additionalStatus": [{"datasetAlias": "IUCN", "statusCode": iucn}] if iucn else [],
    }
    return Prepared(json.dumps(answer).encode())


def counted(total: int, **countries: int) -> Prepared:
    """Answer how many occurrences there are, and in which countries most."""
    counts = [{"name": code, "count": count} for code, count in countries.items()]
    facets = [{"field": "COUNTRY", "counts": counts}]
    return Prepared(json.dumps({"count": total, "facets": facets}).encode())


BIRDS = ("Animalia", "Chordata", "Aves")
CATS = ("Animalia", "Chordata", "Mammalia", "Carnivora", "Felidae", "Puma")
PLANTS = ("Plantae", "Tracheophyta", "Magnoliopsida")
NAMES = {
    ("Puma concolor", "Animalia"): known(
        PUMA, "Puma concolor", "(Linnaeus, 1771)", "SPECIES", *CATS, iucn="LC"
    ),
    ("Morus", "Animalia"): known(
        GANNETS, "Morus", "Vieillot, 1816", "GENUS", *BIRDS, "Suliformes", "Sulidae"
    ),
    ("Morus", "Plantae"): known(MULBERRIES, "Morus", "L.", "GENUS", *PLANTS, "Rosales", "Moraceae"),
}
UNKNOWN = Prepared(b'{"diagnostics": {"matchType": "NONE"}}')
COUNTRIES = {
    PUMA: counted(37_412, US=23_714, MX=3_208, CA=2_961, CR=1_840, BR=1_377),
    GANNETS: counted(640_318, GB=412_055, IE=88_310, NZ=40_127, AU=31_902, ZA=12_004),
    MULBERRIES: counted(171_926, US=61_230, CN=20_045, JP=9_871, ES=8_112, FR=7_650),
}
VERNACULARS = [("Puma", "eng"), ("Cougar", "eng"), ("Mountain Lion", "eng"), ("Puma", "deu")]
SPOKEN = {"results": [{"vernacularName": name, "language": code} for name, code in VERNACULARS]}


def map_tiles(shared: Path | None) -> dict[str, list[bytes]]:
    """Return the base map and two maps of dots, west and east; GBIF's own where they are there."""
    if shared is None:
        dots = tile((100, 150), (140, 260)), tile((20, 100), (300, 300))
        return {"base": [tile(), tile()], "americas": [dots[0], b""], "world": [*dots]}
    recorded = {
        "base": ("rgbif__map_fetch_png__2.png", "rgbif__map_fetch_png__3.png"),
        "americas": ("pygbif__test_map__0.png",),
        "world": ("rgbif__map_fetch_png__0.png", "rgbif__map_fetch_png__1.png"),
    }
    folder = shared / "gbif" / "recordings"
    tiles = {name: [(folder / file).read_bytes() for file in has] for name, has in recorded.items()}
    tiles["americas"].append(b"")
    return tiles


@pytest.fixture
def red_bird() -> FilePayload:
    """Return a photo in which the tiny bird network sees its label 0."""
    out = io.BytesIO()
    Image.new("RGB", (480, 320), "red").save(out, "JPEG", quality=95)
    return {"name": "finch.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fieldmark(
    hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    """Run the whole bot, with tiny networks, in a sandbox."""
    folder = tmp_path_factory.mktemp("page")
    engine = Engine(EngineSettings(home=folder / "home", models_dir=hub_modules.no_plants))
    async with (
        Sandbox() as sandbox,
        sandboxed_bot(sandbox, engine, sandbox_settings(folder)),
    ):
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asking_gbif(
    shared_or_none: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    """Run the bot in a sandbox with a GBIF that knows the puma and both genera called Morus."""
    tiles = map_tiles(shared_or_none)

    def gbif(request: web.Request) -> Prepared:
        asked, path = request.query, request.path
        if path == "/v2/species/match":
            return NAMES.get((asked["scientificName"], asked.get("kingdom", "")), UNKNOWN)
        if path.endswith("/vernacularNames"):
            return Prepared(json.dumps(SPOKEN).encode())
        if path == "/v1/occurrence/search":
            return COUNTRIES[asked["taxonKey"]]
        drawn = "base" if "/omt/" in path else "americas" if asked["taxonKey"] == PUMA else "world"
        half = tiles[drawn]["/0/1/" in path]
        return Prepared(half, 200 if half else 204, content_type="image/png")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        async with fake_gbif() as server, Sandbox() as sandbox:
            server.route = gbif
            async with bot_that_asks(server, sandbox, tmp_path_factory.mktemp("gbif")):
                yield sandbox


async def test_a_dropped_photo_becomes_a_card_with_a_linked_species(
    fieldmark: Sandbox, open_page: OpenPage, red_bird: FilePayload, artifacts: Path
) -> None:
    page = await open_page(fieldmark.page_url)
    await expect(page.get_by_text("Fieldmark is online")).to_be_visible()
    await drop(page, red_bird)
    form = await start_command(page, "/identify")
    await form.get_by_role("combobox", name="group").fill("bird")
    await form.get_by_role("button", name="Send").click()

    answer = last_message(page)
    await expect(answer).to_contain_text("used /identify")
    species = answer.get_by_role("link", name="Cassin's Finch", exact=True)
    await expect(species.first).to_have_attribute("href", CASSINS_FINCH, timeout=15_000)
    await page.screenshot(path=artifacts / "fieldmark-identify.png")


async def test_a_photo_is_identified_from_its_menu_and_a_name_from_the_suggestions(
    fieldmark: Sandbox, open_page: OpenPage, red_bird: FilePayload, artifacts: Path
) -> None:
    page = await open_page(fieldmark.page_url)
    await drop(page, red_bird)
    sent = await say(page, "Seen this morning")
    await choose_app(page, sent, "Identify")
    answer = page.get_by_role("article").filter(has_text="used Identify")
    await expect(answer.get_by_role("region")).to_contain_text("%", timeout=15_000)

    await message_box(page).fill("/gbif")
    await page.keyboard.press("Enter")
    await page.keyboard.type("cassin's fin")
    await expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    for key in ("Enter", "Enter"):
        await page.keyboard.press(key)
    card = last_message(page).get_by_role("region")
    await expect(card).to_contain_text("Haemorhous cassinii")
    await page.screenshot(path=artifacts / "fieldmark-gbif.png")

    await expect(sent.get_by_text("Seen this morning")).not_to_be_in_viewport()
    await answer.get_by_role("link", name="Go to the photo").click()
    await expect(sent.get_by_text("Seen this morning")).to_be_in_viewport()


async def test_a_taxons_card_has_its_map_its_red_list_category_and_its_countries(
    asking_gbif: Sandbox, open_page: OpenPage, artifacts: Path
) -> None:
    page = await open_page(asking_gbif.page_url)
    card = (await look_up(page, "puma concolor")).get_by_role("region")
    await expect(card.get_by_role("link", name="Puma concolor")).to_be_visible()
    await expect(card).to_contain_text("Least concern (LC)")
    most = "United States (23,714), Mexico (3,208), Canada (2,961), Costa Rica (1,840)"
    await expect(card).to_contain_text(f"37,412, most of them in {most}")
    await expect_map(card, f"where Puma concolor was recorded. Most records: {most}")
    await page.screenshot(path=artifacts / "fieldmark-gbif-map.png")


async def test_of_an_ambiguous_name_one_taxon_after_the_other_can_be_chosen(
    asking_gbif: Sandbox, open_page: OpenPage, artifacts: Path
) -> None:
    page = await open_page(asking_gbif.page_url)
    answer = await look_up(page, "morus")
    card = answer.get_by_role("region")
    await expect(card).to_contain_text("“morus” is the name of 2 taxa")
    menu = answer.get_by_role("combobox", name="Which one do you mean?")
    await expect(menu).to_be_visible()
    await page.screenshot(path=artifacts / "fieldmark-gbif-ambiguous.png")
    await menu.click()
    await expect(offered(page)).to_have_count(2)
    await page.screenshot(path=artifacts / "fieldmark-gbif-menu.png")

    await offered(page).filter(has_text="Sulidae").click()
    await expect(card).to_contain_text("United Kingdom (412,055)")
    await expect_map(card, "where Morus was recorded. Most records: United Kingdom")
    await expect(menu).to_have_accessible_name("Which one do you mean?: Morus (Sulidae), genus")
    await page.screenshot(path=artifacts / "fieldmark-gbif-chosen.png")

    await menu.click()
    await offered(page).filter(has_text="Moraceae").click()
    await expect(card).to_contain_text("China (20,045)")
    await expect_map(card, "where Morus was recorded. Most records: United States")


async def look_up(page: Page, name: str) -> Locator:
    """Run /gbif with a name as it is typed, and return the answer."""
    form = await start_command(page, "/gbif")
    await form.get_by_role("combobox", name="name").fill(name)
    await form.get_by_role("button", name="Send").click()
    answer = last_message(page)
    await expect(answer).to_contain_text("used /gbif")
    return answer


async def expect_map(card: Locator, shows: str) -> None:
    """Wait for a card's map to be drawn whole, with words for who does not see it."""
    world = card.get_by_role("img", name=shows)
    await expect(world).to_have_js_property("naturalWidth", 1024)
    await expect(world).to_have_js_property("naturalHeight", 512)
    await expect(world).to_have_attribute("alt", re.compile("^A map of the world with dots"))
