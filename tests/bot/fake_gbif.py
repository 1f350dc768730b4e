"""A GBIF on loopback that gives prepared answers and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


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
