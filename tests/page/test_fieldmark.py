"""The product as a person at the page meets it: drop a photo, run /identify, see the card."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import FilePayload, expect

from engine import Engine, EngineSettings
from tests.hub_modules import HubModules
from tests.page.conftest import OpenPage
from tests.page.gestures import choose_app, drop, last_message, message_box, say, start_command
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASSINS_FINCH = "https://www.gbif.org/species/8255548"


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
