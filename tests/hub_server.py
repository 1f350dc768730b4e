"""A Hub on loopback: serves one module as the real one does, and fails on demand."""

from __future__ import annotations

import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.loopback import on_loopback

HANDLE_PATH = "/google/aiy/vision/classifier/birds_V1/1"
STORAGE_PATH = "/storage/birds_V1.tar.gz"


def pack_module(folder: Path) -> bytes:
    """Pack a module as the Hub does: a tar.gz with the module at its root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    return out.getvalue()


class HubServer:
    """What the server holds, what it was asked, and how it is to fail next.

    ``faults`` are taken one a request for the archive itself; each answers in the server's
    place.
    """

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        self.etag = '"v1"'
        self.knows_ranges = True
        self.faults: deque[Callable[[Request], None]] = deque()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.address = ""

    @property
    def handle(self) -> str:
        """The handle of the module."""
        return f"http://{self.address}{HANDLE_PATH}"

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request for the archive."""
        return [headers.get("Range") for path, headers in self.asked if path == STORAGE_PATH]


class Request(BaseHTTPRequestHandler):
    """One request, with the answers that the server or a fault gives."""

    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_GET(self) -> None:
        self.hub.asked.append((self.path, dict(self.headers)))
        if self.path == f"{HANDLE_PATH}?tf-hub-format=compressed":
            self.redirect(STORAGE_PATH)
        elif self.path != STORAGE_PATH:
            self.refuse(HTTPStatus.NOT_FOUND)
        elif self.hub.faults:
            self.hub.faults.popleft()(self)
        else:
            self.serve()

    def redirect(self, location: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self, *, cut_after: int | None = None, shift: int = 0) -> None:
        """Serve the archive or the range asked for, ``shift`` bytes off, or break off early."""
        archive, start = self.hub.archive, 0
        asked = self.headers.get("Range")
        if self.hub.knows_ranges and asked and self.headers.get("If-Range") == self.hub.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-")) + shift
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {start}-{len(archive) - 1}/{len(archive)}")
        else:
            self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/gzip")
        self.send_header("ETag", self.hub.etag)
        self.send_header("Content-Length", str(len(archive) - start))
        self.end_headers()
        end = len(archive) if cut_after is None else start + cut_after
        self.wfile.write(archive[start:end])
        self.close_connection = self.close_connection or cut_after is not None

    def serve_page(self) -> None:
        self.serve_bytes(b"<html>Sign in</html>", "text/html; charset=utf-8")

    def serve_bytes(self, content: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(archive: bytes) -> Iterator[HubServer]:
    """Serve ``archive`` on a free port of loopback."""
    hub = HubServer(archive)
    handler = type("BoundRequest", (Request,), {"hub": hub})
    with on_loopback(handler) as hub.address:
        yield hub
