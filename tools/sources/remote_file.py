"""A large file on a server, read as a stream that survives broken connections."""

from __future__ import annotations

import io
from typing import Any

import requests
from urllib3.exceptions import HTTPError, MaxRetryError

from tools.sources.download import PATIENCE, Web, host_of
from tools.sources.source import PhotoSkipped, SourceError


class RemoteFile(io.RawIOBase):
    """The bytes of a file on a server, read once from front to end.

    Where the connection breaks off, the rest of the same version is asked for.
    """

    def __init__(self, web: Web, url: str) -> None:
        """Open the file at ``url``.

        Raises:
            SourceError: it cannot be had.
        """
        self._web = web
        self._url = url
        self._position = 0
        self.size: int | None = None
        self._validator: str | None = None
        self._left = PATIENCE
        self._response = self._open()
        length = self._response.headers.get("Content-Length", "")
        self.size = int(length) if length.isascii() and length.isdigit() else None
        self._validator = self._response.headers.get("ETag")
        if self._validator is None or self._validator.startswith("W/"):
            self._validator = self._response.headers.get("Last-Modified")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return how many bytes are behind us."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with the next bytes; 0 at the end.

        Raises:
            SourceError: the connection broke off and the rest cannot be had.
        """
        while True:
            try:
                data = self._response.raw.read(len(buffer), decode_content=False)
            except HTTPError:
                data = b""
            if data or self.size is None or self._position >= self.size:
                break
            self._reopen()
        if data:
            self._left = PATIENCE
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Let the connection go."""
        if not self.closed:
            self._response.close()
        super().close()

    def _reopen(self) -> None:
        self._response.close()
        try:
            self._left = self._left.increment("GET", self._url)
        except MaxRetryError as error:
            raise SourceError(
                f"The connection to {host_of(self._url)} keeps breaking off: try again later, or "
                f"download {self._url} and name the file."
            ) from error
        self._response = self._open()

    def _open(self) -> requests.Response:
        try:
            response = self._web.open_at(self._url, self._position, self._validator)
        except PhotoSkipped as error:
            raise SourceError(
                f"{self._url} cannot be had ({error}): try again later, or name a file."
            ) from error
        begins = response.headers.get("Content-Range", "").startswith(f"bytes {self._position}-")
        if self._position and not (response.status_code == 206 and begins):
            response.close()
            raise SourceError(
                f"{self._url} broke off after {self._position >> 20} MiB and cannot be gone on "
                "with: download it and name the file."
            )
        return response
