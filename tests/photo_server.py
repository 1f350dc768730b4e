"""A web server on loopback for files, which remembers what it was asked and fails on demand."""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from tests.loopback import on_loopback

Query = dict[str, list[str]]


def jpeg(seed: int = 0, size: int = 32) -> bytes:
    """Make a small photo, another one for each seed."""
    colour = (seed * 37 % 256, seed * 91 % 256, seed * 151 % 256)
    out = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(out, "JPEG", comment=str(seed).encode())
    return out.getvalue()


@dataclass
class Fault:
    """An answer in place of the right one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None


@dataclass
class PhotoServer:
    """``files`` by path, or what makes one of a query; ``faults`` come first, one a request."""

    url: str = ""
    files: dict[str, bytes | Callable[[Query], bytes]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    paths: list[str] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    photos: PhotoServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        server = self.photos
        server.paths.append(parts.path)
        server.queries.append(query)
        server.ranges.append(self.headers.get("Range"))
        server.agents.add(self.headers["User-Agent"])
        found = server.files.get(parts.path)
        fault = server.faults[parts.path].popleft() if server.faults[parts.path] else Fault()
        status, body = fault.status, fault.body
        if body is None and status == 200:
            if found is None:
                status, body = 404, b"<html>Not found</html>"
            else:
                body = found if isinstance(found, bytes) else found(query)
        self._answer(parts.path, status, body or b"", fault)

    def _answer(self, path: str, status: int, body: bytes, fault: Fault) -> None:
        start = 0
        asked = self.headers.get("Range")
        if status == 200 and asked and self.headers.get("If-Range") == '"v1"':
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Type", self.photos.types.get(path, "application/octet-stream"))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in fault.headers:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body) if fault.cut_after is None else start + fault.cut_after
        self.wfile.write(body[start:end])
        self.close_connection = self.close_connection or fault.cut_after is not None

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[PhotoServer]:
    """Serve files on a free port of loopback."""
    photos = PhotoServer()
    handler = type("BoundRequest", (_Request,), {"photos": photos})
    with on_loopback(handler) as address:
        photos.url = f"http://{address}"
        yield photos
