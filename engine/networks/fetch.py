"""Fetch one file over HTTP: resumed where it stopped, tried again, bounded.

What has come lies in a ``.part`` file; beside it stands which version of the file the
bytes belong to, so that a later attempt can ask for the rest of that version alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from engine.networks.hub import HubError, Progress, write_json

MAX_DOWNLOAD = 512 << 20
PATIENCE = Retry(total=5, backoff_factor=1.0, backoff_max=30)

_TIMEOUT_S = (10, 60)
_CHUNK = 1 << 18
_MAX_REDIRECTS = 10
# Worth another try later; every other refusal is final.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_GZIP_MAGIC = b"\x1f\x8b"


class DownloadFailed(HubError):
    """The module did not arrive; ``str`` is one sentence. What came is kept for next time."""


class _CutOff(Exception):
    """The connection failed in a way that another attempt may mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A download in progress: the bytes at ``path``, which may not all be there yet.

    ``module`` is the name of the folder that a person would unpack it into.
    """

    url: str
    path: Path
    module: str

    @property
    def _stamp(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        """Return how many bytes are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def resumable(self) -> tuple[int, str] | None:
        """Return how many bytes are here and the validator they came with, if they can go on."""
        try:
            stamp = json.loads(self._stamp.read_text(encoding="utf-8"))
            usable = stamp["url"] == self.url and isinstance(stamp["validator"], str)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        size = self.size()
        return (size, stamp["validator"]) if usable and size > 0 else None

    def start_over(self, validator: str | None) -> None:
        """Drop what is here, and note the version that comes next."""
        self.discard()
        if validator is not None:
            write_json(self._stamp, {"url": self.url, "validator": validator})

    def discard(self) -> None:
        """Drop what is here."""
        self.path.unlink(missing_ok=True)
        self._stamp.unlink(missing_ok=True)


def fetch_archive(part: Part, progress: Progress, *, patience: Retry, limit: int) -> None:
    """Fetch the tar.gz at ``part.url``, whole, into ``part.path``.

    ``patience`` says how often to try again without a byte gained, and how long to wait in
    between; ``limit`` is in bytes.

    Raises:
        DownloadFailed: it cannot be had, is larger than ``limit``, or is no archive.
    """
    left, best = patience, part.size()
    answered = False
    with requests.Session() as session:
        session.max_redirects = _MAX_REDIRECTS
        session.headers["User-Agent"] = "fieldmark"
        while True:
            try:
                return _fetch_once(session, part, progress, limit)
            except (_CutOff, requests.ConnectionError, requests.Timeout) as error:
                answered = answered or isinstance(error, _CutOff)
                if part.size() > best:
                    left, best = patience, part.size()
                try:
                    left = left.increment("GET", part.url)
                except MaxRetryError:
                    raise DownloadFailed(_unreachable(part, error)) from error
                # A host that never said a word is most likely out of reach for good.
                if not answered and len(left.history) > 1:
                    raise DownloadFailed(_unreachable(part, error)) from error
                left.sleep()
            except requests.RequestException as error:
                raise DownloadFailed(
                    f"{part.url} leads nowhere ({error}): correct the model's handle."
                ) from error


def _fetch_once(session: requests.Session, part: Part, progress: Progress, limit: int) -> None:
    held = part.resumable()
    # As it lies on the server: a transparently unpacked body has other lengths and ranges.
    headers = {"Accept-Encoding": "identity"}
    if held is not None:
        headers |= {"Range": f"bytes={held[0]}-", "If-Range": held[1]}
    with session.get(part.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        _refuse_plain_text(response)
        start = held[0] if held is not None and _continues(response, held[0]) else 0
        if _is_wrong_part(response, start):
            part.discard()
            raise _CutOff(f"{_host(response.url)} sent another part than the one asked for")
        _refuse_failure(response, part)
        if start == 0:
            part.start_over(_validator(response))
        total = _total(response, start)
        try:
            _append(response, part, progress, start, total, limit)
        except DownloadFailed:
            part.discard()
            raise


def _append(
    response: requests.Response,
    part: Part,
    progress: Progress,
    done: int,
    total: int | None,
    limit: int,
) -> None:
    host = _host(response.url)
    progress(done, total)
    try:
        chunks = response.raw.stream(_CHUNK, decode_content=False)
        with part.path.open("ab") as file:
            for chunk in _check_archive(chunks, part, host, done, total, limit):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    except HTTPError as error:
        raise _CutOff(f"the connection to {host} broke off") from error


def _check_archive(
    chunks: Iterable[bytes], part: Part, host: str, done: int, total: int | None, limit: int
) -> Iterator[bytes]:
    """Pass the chunks on, as long as they are those of a tar.gz within the limit."""
    first = done == 0
    for chunk in chunks:
        done += len(chunk)
        if max(done, total or 0) > limit:
            raise DownloadFailed(
                f"{part.url} is larger than the {limit >> 20} MiB that Fieldmark accepts: "
                "correct the model's handle."
            )
        if first and not chunk.startswith(_GZIP_MAGIC):
            raise DownloadFailed(_no_module(part, host))
        first = False
        yield chunk


def _refuse_plain_text(response: requests.Response) -> None:
    hops = [hop.url for hop in (*response.history, response)]
    if hops[0].startswith("https:") and not all(url.startswith("https:") for url in hops):
        raise DownloadFailed(f"{hops[0]} leads to an address without encryption: refused.")


def _continues(response: requests.Response, start: int) -> bool:
    return response.status_code == requests.codes.partial_content and response.headers.get(
        "Content-Range", ""
    ).startswith(f"bytes {start}-")


def _is_wrong_part(response: requests.Response, start: int) -> bool:
    status = response.status_code
    return status == requests.codes.requested_range_not_satisfiable or (
        status == requests.codes.partial_content and start == 0
    )


def _refuse_failure(response: requests.Response, part: Part) -> None:
    status, host = response.status_code, _host(response.url)
    if status in _PASSING:
        raise _CutOff(f"{host} answered {status} {response.reason}")
    if status in (401, 403):
        raise DownloadFailed(f"{host} refuses to hand out {part.url} ({status}): {_by_hand(part)}.")
    if status not in (200, 206):
        raise DownloadFailed(
            f"{host} has no module at {part.url} ({status} {response.reason}): "
            "correct the model's handle in the catalog."
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadFailed(_no_module(part, host))


def _validator(response: requests.Response) -> str | None:
    """Return what identifies this version of the file; If-Range takes no weak ETag."""
    etag = response.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _total(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isascii() and length.isdigit() else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _unreachable(part: Part, error: Exception) -> str:
    why = f" ({error})" if isinstance(error, _CutOff) else ""
    return f"{_host(part.url)} could not be reached{why}: try again later, or {_by_hand(part)}."


def _no_module(part: Part, host: str) -> str:
    return (
        f"{host} sent something else than a module for {part.url}, such as a web page: "
        f"correct the model's handle, or {_by_hand(part)}."
    )


def _by_hand(part: Part) -> str:
    return (
        f"download {part.url} with a browser, unpack it into a folder called {part.module}, "
        "and name the folder above it in FIELDMARK_MODELS"
    )
