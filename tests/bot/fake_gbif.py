"""A GBIF on loopback that gives prepared answers and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Prepared:
    """One answer: its bytes are sent as they are."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass
class FakeGbif:
    """Gives ``answers`` in turn; without one left it is silent until the test is over."""

    url: str = ""
    answers: list[Prepared] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        self.paths.append(request.path)
        self.queries.append(dict(request.query))
        self.agents.append(request.headers["User-Agent"])
        if not self.answers:
            await self.over.wait()
            return web.Response(status=503)
        prepared = self.answers.pop(0)
        return web.Response(
            body=prepared.body, status=prepared.status, content_type=prepared.content_type
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
