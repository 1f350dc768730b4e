"""Polite fetching: who we are, how often we ask, and when we stop asking."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError
from urllib3.util import Retry

from tools.sources.source import MAX_PHOTO_BYTES, PhotoSkipped

CONNECTIONS = 4
"""How many requests may be under way at once."""

PATIENCE = Retry(total=4, backoff_factor=1.0, backoff_max=30)
TIMEOUT_S = (3.05, 10)

_DEADLINE_S = 120.0
_LONGEST_WAIT_S = 120.0
_STRIKES = 3
_CHUNK = 1 << 16
_INTERRUPTED = "interrupted"
_MAX_ANSWER_BYTES = 64 << 20
# Worth another try; every other refusal is final.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class HostLost(PhotoSkipped):
    """The server does not answer, or asks to be left alone; it is not asked again in this run."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, final=False)


class _TryAgain(Exception):
    """The server asks for another attempt, after ``wait_s`` where it says so."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Web:
    """A client that says who it is, waits when told to, and gives up on lost servers.

    It may be used from several threads. ``contact`` is an address or a page that servers'
    people can turn to. A server that asks for a pause gets it from every thread; one that
    failed three requests in a row, each tried again as ``patience`` says, is lost.
    """

    def __init__(self, *, contact: str = "", patience: Retry = PATIENCE) -> None:
        self._patience = patience
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._resume_at: dict[str, float] = {}
        self._strikes: Counter[str] = Counter()
        self._lost: dict[str, str] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"Fieldmark ({contact})" if contact else "Fieldmark"
        self._session.max_redirects = 5
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=32, pool_maxsize=CONNECTIONS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def __enter__(self) -> Web:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask nothing more. A thread that waits for another attempt gives up at once."""
        self._stopped.set()
        self._session.close()

    def photo(self, url: str) -> bytes:
        """Fetch the file at ``url``, of any kind, up to the size of a photo.

        Raises:
            PhotoSkipped: it cannot be had.
            HostLost: nor can anything else from its server.
        """
        return self._ask(url, None, partial(self._body, limit=MAX_PHOTO_BYTES))

    def json(self, url: str, parameters: Mapping[str, Any]) -> Any:
        """Fetch the JSON document at ``url``.

        Raises:
            PhotoSkipped: the server refused the question.
            HostLost: the server does not answer.
        """
        return self._ask(url, parameters, self._document)

    def open_at(self, url: str, start: int, validator: str | None) -> requests.Response:
        """Open the file at ``url`` from byte ``start`` on; the caller closes the answer.

        With ``start`` above 0 the rest is asked for of the version that ``validator`` names.

        Raises:
            PhotoSkipped: it cannot be had.
            HostLost: the server does not answer.
        """
        # As it lies on the server: a transparently unpacked body has other lengths and ranges.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator or ""}
        return self._ask(url, None, lambda response: response, headers=headers, keep_open=True)

    def _ask(
        self,
        url: str,
        parameters: Mapping[str, Any] | None,
        use: Callable[[requests.Response], T],
        *,
        headers: Mapping[str, str] | None = None,
        keep_open: bool = False,
    ) -> T:
        host = host_of(url)
        left = self._patience
        while True:
            self._wait_for_turn(host)
            try:
                response = self._session.get(
                    url, params=parameters, headers=headers, stream=True, timeout=TIMEOUT_S
                )
                try:
                    _check_status(response)
                    result = use(response)
                finally:
                    if not keep_open:
                        response.close()
            except (_TryAgain, requests.ConnectionError, requests.Timeout) as error:
                left = self._try_again(host, left, error)
            except requests.exceptions.ChunkedEncodingError as error:
                left = self._try_again(host, left, error)
            except (requests.RequestException, HTTPError, UnicodeError) as error:
                raise PhotoSkipped("at an address that leads nowhere") from error
            else:
                with self._lock:
                    del self._strikes[host]
                return result

    def _body(self, response: requests.Response, limit: int) -> bytes:
        """Read an answer whole, up to ``limit`` bytes, within two minutes."""
        too_large = PhotoSkipped(f"larger than {limit >> 20} MiB")
        length = response.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) > limit:
            raise too_large
        deadline = time.monotonic() + _DEADLINE_S
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise too_large
            if self._stopped.is_set():
                raise HostLost(_INTERRUPTED)
            if time.monotonic() > deadline:
                raise _TryAgain(f"{host_of(response.url)} is too slow")
        return bytes(body)

    def _document(self, response: requests.Response) -> Any:
        body = self._body(response, _MAX_ANSWER_BYTES)
        try:
            return json.loads(body)
        except ValueError as error:
            host = host_of(response.url)
            raise _TryAgain(f"{host} answered something that is not JSON") from error

    def _wait_for_turn(self, host: str) -> None:
        with self._lock:
            if host in self._lost:
                raise HostLost(self._lost[host])
            wait_s = self._resume_at.get(host, 0.0) - time.monotonic()
        if (wait_s > 0 and self._stopped.wait(wait_s)) or self._stopped.is_set():
            raise HostLost(_INTERRUPTED)

    def _try_again(self, host: str, left: Retry, error: Exception) -> Retry:
        """Count the failure, and note when ``host`` may be asked again."""
        asked_to_wait = error.wait_s if isinstance(error, _TryAgain) else None
        if asked_to_wait is not None and asked_to_wait > _LONGEST_WAIT_S:
            raise self._lose(host, f"{host} asks to be left alone for {asked_to_wait:.0f} s")
        why = str(error) if isinstance(error, _TryAgain) else f"{host} could not be reached"
        try:
            left = left.increment("GET", host)
        except MaxRetryError:
            with self._lock:
                self._strikes[host] += 1
                strikes = self._strikes[host]
            if strikes >= _STRIKES:
                raise self._lose(host, why) from error
            raise PhotoSkipped(why, final=False) from error
        wait_s = left.get_backoff_time() if asked_to_wait is None else asked_to_wait
        with self._lock:
            self._resume_at[host] = max(self._resume_at.get(host, 0.0), time.monotonic() + wait_s)
        return left

    def _lose(self, host: str, reason: str) -> HostLost:
        with self._lock:
            self._lost[host] = reason
        return HostLost(reason)


def _check_status(response: requests.Response) -> None:
    status, host = response.status_code, host_of(response.url)
    if status in _PASSING:
        response.close()
        raise _TryAgain(f"{host} answered {status} {response.reason}", _retry_after_s(response))
    if status not in (200, 206):
        response.close()
        # Refused today is not gone: only the latter is never asked for again.
        final = status in (400, 404, 410, 415)
        raise PhotoSkipped(f"{host} answered {status} {response.reason}", final=final)


def _retry_after_s(response: requests.Response) -> float | None:
    """Return how long the server asks to wait, in seconds, if it says so legibly."""
    text = response.headers.get("Retry-After")
    try:
        return None if text is None else PATIENCE.parse_retry_after(text)
    except InvalidHeader:
        return None


def host_of(url: str) -> str:
    """Return the server that ``url`` names; of what names none, the text itself."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return url
