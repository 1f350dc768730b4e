"""REST v10: one frame around every route, which authenticates, judges, records and answers."""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import BodyPartReader, web

from tools.sandbox.errors import (
    WRONG_SHAPE,
    ApiError,
    invalid_form,
    no_such_route,
    too_large,
    unauthorized,
)
from tools.sandbox.events import Event
from tools.sandbox.faults import Faults
from tools.sandbox.messages import Upload
from tools.sandbox.people import Json
from tools.sandbox.spec import Judge, Violation
from tools.sandbox.state import World

BASE = "/api/v10"
_INVALID = (50006, 50035)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, read: ids from the path, the query, the JSON body and its files."""

    ids: dict[str, str]
    query: dict[str, str]
    payload: Any = None
    files: dict[int, Upload] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return an id of the path as a number; 0, which nothing has, where it is none."""
        text = self.ids[name]
        return int(text) if text.isdigit() else 0

    @property
    def body(self) -> Json:
        """The JSON body, where it has to be an object.

        Raises:
            ApiError: It is not.
        """
        if not isinstance(self.payload, dict):
            raise invalid_form({"_": ("DICT_TYPE_CONVERT", "Only dictionaries may be used here.")})
        return self.payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a route answers; no body means 204 No Content."""

    body: Any = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method and path template, with the function that answers it.

    ``bot_only`` routes want the bot's token; the others carry an interaction's in the path.
    """

    method: str
    path: str
    answer: Callable[[Call], Reply]
    bot_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, for tests to look back at.

    ``route`` is the template that served it, None where the sandbox has none.
    """

    method: str
    path: str
    route: str | None
    query: dict[str, str]
    payload: Any
    files: dict[int, Upload]
    status: int
    answer: Any


class Rest:
    """Serve discord.com/api/v10.

    ``exchanges`` and ``violations`` grow with every request; tests read them and may clear them.
    ``faults`` are answered in place of the real thing.
    """

    def __init__(self, world: World, routes: Iterable[Route], judge: Judge | None) -> None:
        self._world = world
        self._routes = list(routes)
        self._judge = judge
        self.faults = Faults()
        self.exchanges: list[Exchange] = []
        self.violations: list[Violation] = []

    def judge_event(self, event: Event) -> None:
        """Judge a message that is dispatched, as REST would answer it."""
        if self._judge and event.message is not None:
            self.violations += self._judge.event(event.name, event.data)

    def application(self) -> web.Application:
        """Return the site of discord.com."""
        site = web.Application()
        for route in self._routes:
            site.router.add_route(route.method, BASE + route.path, self._handler(route))
        site.router.add_route("*", "/{tail:.*}", self._handler(None))
        return site

    def _handler(self, route: Route | None) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            return await self._exchange(route, request)

        return handle

    async def _exchange(self, route: Route | None, request: web.Request) -> web.Response:
        method, path = request.method, request.path.removeprefix(BASE)
        call = Call(ids=dict(request.match_info), query=dict(request.query))
        headers: dict[str, str] = {}
        violations: list[Violation] = []
        try:
            call = await self._read(request, call)
            if self._judge:
                violations += self._judge.request(method, path, call.query, call.payload)
            fault = self.faults.take(method, path)
            if fault is None or fault.served:
                reply = self._answer(route, request, call)
            if fault:
                reply, headers = Reply(status=fault.status, body=fault.body), fault.headers
        except ApiError as error:
            reply = Reply(status=error.status, body=error.payload())
            if error.code in _INVALID:
                detail = json.dumps(error.errors) if error.errors else error.message
                violations.append(Violation("request", method, path, "", detail))
        if self._judge:
            violations += self._judge.answer(method, path, reply.status, reply.body)
        self.violations += violations
        self.exchanges.append(
            Exchange(
                method=method,
                path=path,
                route=route.path if route else None,
                query=call.query,
                payload=call.payload,
                files=call.files,
                status=reply.status,
                answer=reply.body,
            )
        )
        return _response(reply, self._limit_headers(route, method, path) | headers)

    def _answer(self, route: Route | None, request: web.Request, call: Call) -> Reply:
        if route is None:
            raise no_such_route()
        if route.bot_only and request.headers.get("Authorization") != f"Bot {self._world.token}":
            raise unauthorized()
        try:
            reply = route.answer(call)
        except WRONG_SHAPE as error:
            _log.warning(
                "%s %s: a body of the wrong shape", route.method, route.path, exc_info=True
            )
            raise invalid_form(
                {"_": ("BASE_TYPE_BAD", f"{type(error).__name__}: {error}")}
            ) from None
        return replace(reply, status=204) if reply.body is None else reply

    async def _read(self, request: web.Request, call: Call) -> Call:
        if not request.content_type.startswith("multipart/"):
            raw = await request.read()
            return replace(call, payload=_decoded(raw)) if raw else call
        payload, files = await read_form(request, self._world.settings.upload_limit)
        return replace(call, payload=payload, files=files)

    def _limit_headers(self, route: Route | None, method: str, path: str) -> dict[str, str]:
        bucket = f"{zlib.crc32(f'{method} {route.path if route else path}'.encode()):08x}"
        return {
            "X-RateLimit-Limit": "50",
            "X-RateLimit-Remaining": "49",
            "X-RateLimit-Reset": f"{time.time() + 1:.3f}",
            "X-RateLimit-Reset-After": "1.000",
            "X-RateLimit-Bucket": bucket,
            "Via": "1.1 google",
        }


def _response(reply: Reply, headers: dict[str, str]) -> web.Response:
    if reply.status == 204:
        return web.Response(status=204, headers=headers)
    # discord.py compares the header with exactly this, so no charset may follow.
    headers = headers | {"Content-Type": "application/json"}
    return web.Response(status=reply.status, body=json.dumps(reply.body).encode(), headers=headers)


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None


async def read_form(request: web.Request, upload_limit: int) -> tuple[Any, dict[int, Upload]]:
    """Read a multipart body: its ``payload_json`` and its ``files[n]``.

    Args:
        request: The request, not read yet.
        upload_limit: The most bytes one file may have.

    Raises:
        ApiError: 40005 for a file above the limit, 50109 for a broken ``payload_json``.
    """
    payload: Any = None
    files: dict[int, Upload] = {}
    refused = False
    try:
        parts = await request.multipart()
    except ValueError as error:
        raise ApiError(400, 50109, f"The multipart body is broken: {error}") from None
    async for part in parts:
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "payload_json":
            payload = _decoded(await part.read())
        elif part.name and part.name.startswith("files["):
            index = int(part.name.removeprefix("files[").removesuffix("]"))
            data = bytearray()
            while chunk := await part.read_chunk(1 << 16):
                # Read on after the limit, so that the sender hears the answer.
                refused = refused or len(data) + len(chunk) > upload_limit
                data += b"" if refused else chunk
            files[index] = Upload(
                filename=part.filename or "unknown",
                data=bytes(data),
                content_type=part.headers.get("Content-Type"),
            )
    if refused:
        raise too_large()
    return payload, files
