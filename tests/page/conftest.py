"""A browser, and a page of it that may reach nothing but the sandbox."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import sklearn.datasets
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    FilePayload,
    Page,
    Request,
    WebError,
    async_playwright,
)

from tests.page.naturalist import Naturalist
from tools.sandbox import Sandbox

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[[str], Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start Debian's Chromium once for all page tests."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "needs the Debian package chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Keep one window with one tab, since opening those takes longer than most tests."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    await context.new_page()
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(context: BrowserContext) -> AsyncIterator[OpenPage]:
    """Return a function that opens an address: first in the kept tab, then in further ones.

    The test fails if a page raised an error, logged one, or asked anything of another host.
    """
    complaints: list[str] = []
    requests: list[str] = []
    allowed: set[str] = set()
    opened: list[Page] = []

    def on_error(error: WebError) -> None:
        complaints.append(str(error.error))

    def on_line(line: ConsoleMessage) -> None:
        if line.type == "error":
            complaints.append(line.text)

    def on_dialog(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")

    def on_request(request: Request) -> None:
        requests.append(request.url)

    async def open_(address: str) -> Page:
        page = await context.new_page() if opened else context.pages[0]
        opened.append(page)
        origin = address.split("#")[0]
        allowed.update((origin, f"blob:{origin}"))
        await page.goto(address)
        return page

    context.on("weberror", on_error)
    context.on("console", on_line)
    context.on("dialog", on_dialog)
    context.on("request", on_request)
    yield open_
    context.remove_listener("weberror", on_error)
    context.remove_listener("console", on_line)
    context.remove_listener("dialog", on_dialog)
    context.remove_listener("request", on_request)
    for page in opened[1:]:
        await page.close()
    for page in opened[:1]:
        await page.goto("about:blank")
    assert complaints == []
    assert [url for url in requests if not url.startswith(tuple(allowed))] == []


@pytest.fixture(scope="session")
def flower() -> FilePayload:
    """Return the photo that comes with scikit-learn (CC BY), as a browser takes a file."""
    photo = Path(sklearn.datasets.__file__).parent / "images" / "flower.jpg"
    return {"name": photo.name, "mimeType": "image/jpeg", "buffer": photo.read_bytes()}


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Return the folder of pictures that a run leaves behind, outside git."""
    folder = Path(__file__).parents[2] / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """Run one sandbox for all page tests; each test has a channel of its own in it."""
    async with Sandbox(bot_name="Naturalist") as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def naturalist(sandbox: Sandbox) -> AsyncIterator[Naturalist]:
    """Keep the test bot online, its commands registered."""
    async with Naturalist(connector=sandbox.connector(), guild_ready_timeout=0.05) as bot:
        await bot.login(sandbox.token)
        connection = asyncio.create_task(bot.connect())
        await bot.wait_until_ready()
        yield bot
        await bot.close()
        await connection


@dataclass(slots=True, kw_only=True)
class Stage:
    """A page open at a channel of its own, and the bot that is online there."""

    page: Page
    address: str
    bot: Naturalist
    sandbox: Sandbox
    open_page: OpenPage


@pytest_asyncio.fixture(loop_scope="session")
async def stage(open_page: OpenPage, sandbox: Sandbox, naturalist: Naturalist) -> Stage:
    """Open the page at a fresh channel."""
    naturalist.may_answer.clear()
    channel = sandbox.add_channel(f"visit-{len(sandbox.guild.channels)}", topic="What did you see?")
    address = f"{sandbox.page_url}#{channel.id}"
    page = await open_page(address)
    await page.get_by_role("log", name=f"Messages in {channel.name}").wait_for()
    return Stage(page=page, address=address, bot=naturalist, sandbox=sandbox, open_page=open_page)
