"""The CDN: stored files at signed addresses, and the ways a real one can disappoint."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from tools.sandbox.messages import Attachment
from tools.sandbox.state import World

_GONE = "This content is no longer available."


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a file is served, for tests of what the reader does about it.

    Attributes:
        status: Answer this HTTP status and no file.
        stall_after: Send this many bytes, then nothing more while the reader stays.
        cut_after: Promise the whole length, send this many bytes and drop the connection.
        chunk: Send this many bytes at a time.
        pause: Wait this many seconds before each chunk, as a slow connection does.
        pad_to: Serve this many bytes: the file's own, then zeros.
        length: Whether to say the length in advance.
        content_type: Say this in place of the sender's claim.
    """

    status: int | None = None
    stall_after: int | None = None
    cut_after: int | None = None
    chunk: int = 64 * 1024
    pause: float = 0.0
    pad_to: int | None = None
    length: bool = True
    content_type: str | None = None


class Cdn:
    """Serve the world's files.

    ``served`` lists the id of every file whose address somebody asked for, in order.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._deliveries: dict[int | None, Delivery] = {}
        self.served: list[int] = []
        self.closing = asyncio.Event()

    def deliver(self, delivery: Delivery | None, *, attachment_id: int | None = None) -> None:
        """Serve one file, or every file, as ``delivery`` says; None goes back to plain."""
        if delivery is None:
            self._deliveries.pop(attachment_id, None)
        else:
            self._deliveries[attachment_id] = delivery

    def application(self) -> web.Application:
        """Return the site of cdn.discordapp.com and media.discordapp.net."""
        site = web.Application()
        site.router.add_get("/{folder}/{owner}/{number}/{name}", self.signed)
        return site

    async def signed(self, request: web.Request) -> web.StreamResponse:
        """Serve a file whose address is signed and has not expired."""
        file = self._world.files.at(_path(request))
        if file is None or not self._world.files.opens(request.query, file.path):
            return web.Response(status=404, text=_GONE)
        return await self._send(request, file)

    async def unsigned(self, request: web.Request) -> web.StreamResponse:
        """Serve a file to the page, where addresses do not expire."""
        file = self._world.files.at(_path(request))
        return await self._send(request, file) if file else web.Response(status=404, text=_GONE)

    async def _send(self, request: web.Request, file: Attachment) -> web.StreamResponse:
        self.served.append(file.id)
        delivery = self._deliveries.get(file.id) or self._deliveries.get(None) or Delivery()
        if delivery.status is not None:
            return web.Response(status=delivery.status, text=_GONE)
        claimed = delivery.content_type or file.upload.claimed_type()
        response = web.StreamResponse(
            headers={
                "Content-Type": claimed or "application/octet-stream",
                "X-Content-Type-Options": "nosniff",
                "Content-Disposition": f"inline; filename*=UTF-8''{quote(file.upload.filename)}",
                # A page somebody uploaded must not run with the rights of the sandbox's own.
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Cache-Control": "private, max-age=31536000",
            }
        )
        size = delivery.pad_to or len(file.upload.data)
        if delivery.length:
            response.content_length = size
        await response.prepare(request)
        if request.method != "HEAD":
            await self._body(request, response, file.upload.data, size, delivery)
        return response

    async def _pause(self, seconds: float | None) -> None:
        """Wait, but not beyond the sandbox's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    async def _body(
        self,
        request: web.Request,
        response: web.StreamResponse,
        data: bytes,
        size: int,
        delivery: Delivery,
    ) -> None:
        stops = [end for end in (delivery.cut_after, delivery.stall_after) if end is not None]
        end = min([size, *stops])
        read = _padded(data)
        for start in range(0, end, delivery.chunk):
            if delivery.pause:
                await self._pause(delivery.pause)
            await response.write(read(start, min(start + delivery.chunk, end)))
        if delivery.stall_after is not None:
            await self._pause(None)
        if stops and request.transport is not None:
            request.transport.abort()
        elif not stops:
            await response.write_eof()


def _padded(data: bytes) -> Callable[[int, int], bytes]:
    def read(start: int, end: int) -> bytes:
        return data[start:end].ljust(end - start, b"\0")

    return read


def _path(request: web.Request) -> str:
    info = request.match_info
    return f"/{info['folder']}/{info['owner']}/{info['number']}/{quote(info['name'], safe='')}"
