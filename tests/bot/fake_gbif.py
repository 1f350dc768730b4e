"""A GBIF on loopback that gives prepared answers and remembers what it was asked."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from PIL import Image

from bot.app import FieldmarkBot
from bot.gbif.client import GbifClient
from engine import Engine, EngineSettings, TaxonTable
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings


@dataclass(frozen=True)
class Prepared:
    """One answer: its bytes are sent as they are."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class FakeGbif:
    """Gives ``answers`` in turn, then what ``route`` says; else it is silent to the test's end."""

    url: str = ""
    answers: list[Prepared] = field(default_factory=list)
    route: Callable[[web.Request], Prepared | None] | None = None
    handler: Callable[[web.Request], Awaitable[web.Response]] | None = None
    paths: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        self.paths.append(request.path)
        self.queries.append(dict(request.query))
        self.agents.append(request.headers["User-Agent"])
        if self.handler is not None:
            return await self.handler(request)
        routed = self.route(request) if self.route is not None and not self.answers else None
        if not self.answers and routed is None:
            await self.over.wait()
            return web.Response(status=503)
        prepared = routed or self.answers.pop(0)
        return web.Response(
            body=prepared.body,
            status=prepared.status,
            headers={"Content-Type": prepared.content_type, **prepared.headers},
        )


@asynccontextmanager
async def fake_gbif() -> AsyncIterator[FakeGbif]:
    """Serve a ``FakeGbif`` on a free port of loopback."""
    gbif = FakeGbif()
    app = web.Application()
    app.router.add_get("/{path:.*}", gbif.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    gbif.url = f"http://{host}:{port}"
    try:
        yield gbif
    finally:
        gbif.over.set()
        await runner.cleanup()


@pytest.fixture
async def gbif(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGbif]:
    """Serve a GBIF for one test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with fake_gbif() as server:
        yield server


@asynccontextmanager
async def bot_that_asks(gbif: FakeGbif, sandbox: Sandbox, folder: Path) -> AsyncIterator[None]:
    """Bring the bot online in ``sandbox``, with no network, and ``gbif`` for its GBIF."""
    taxa = TaxonTable.load()
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url)
    engine = Engine(EngineSettings(home=folder))
    # The first question imports pygbif, and a card waits four seconds for all its parts.
    await asyncio.gather(engine.start(), client.look_up("Nothing"))
    bot = FieldmarkBot(
        sandbox_settings(folder),
        engine,
        taxa,
        connector=sandbox.connector(),
        gbif=client,
        guild_ready_timeout=0.05,
    )
    running = asyncio.create_task(bot.start(sandbox.token))
    try:
        await sandbox.online(30)
        await bot.wait_until_ready()
        yield
    finally:
        await bot.close()
        await asyncio.gather(running, return_exceptions=True)


def tile(*dots: tuple[int, int]) -> bytes:
    """Return half a map of the world: the sea, or dots on nothing where any are given."""
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 0) if dots else (113, 116, 171, 255))
    for dot in dots:
        image.putpixel(dot, (255, 255, 0, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
