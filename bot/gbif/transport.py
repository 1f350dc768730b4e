"""Carry questions to GBIF, through pygbif where it has the call, never holding up the bot.

pygbif is synchronous, knows no time-out and no retry, and importing it loads matplotlib
and calls ``logging.basicConfig``. So it is imported at the first question, in one of the
threads kept here. They are the transport's own: those of ``asyncio.to_thread`` also resolve
host names, which must go on while GBIF hangs. Pictures have threads apart, so that a slow
map never stands before a name.

Two things of each request are set through the ``auth=`` argument, which pygbif hands on
to requests and which may change a prepared request in any way: the ``User-Agent`` (GBIF
asks for a name and a contact) and, in tests, the server, since pygbif spells out
``https://api.gbif.org`` in the function. A hook set in the same place reads the answer
within bounds. Nothing of pygbif is patched.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bot.gbif.breaker import CircuitBreaker
from bot.gbif.errors import (
    GbifBusy,
    GbifNonsense,
    GbifNotFound,
    GbifRefused,
    GbifUnavailable,
)

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

T = TypeVar("T")

API = "https://api.gbif.org"
TILES = "https://tile.gbif.org"

_CONNECT_S = 3.05
_ATTEMPTS = 3
_MAX_BYTES = 4 * 1024 * 1024
_CHUNK = 64 * 1024
_TOO_MANY, _UNAVAILABLE, _NOT_FOUND = 429, 503, 404
_CLIENT_ERROR, _SERVER_ERROR = 400, 500


class Service(StrEnum):
    """The parts of GBIF that fail apart from one another, each with a breaker of its own."""

    NAMES = "name matching"
    USAGES = "checklist"
    OCCURRENCES = "occurrence search"
    MAPS = "maps"
    BASEMAP = "base map"


class GbifTransport:
    """Asks GBIF at most four questions at a time, and for two pictures beside them.

    Args:
        contact: An address or URL where GBIF reaches whoever runs this bot.
        deadline_s: How long one attempt may keep a thread.
        base_url: The server to ask in place of GBIF's, for tests.
        backoff_s: The first wait between two attempts, where GBIF names none.
    """

    def __init__(
        self, *, contact: str, deadline_s: float, base_url: str | None, backoff_s: float
    ) -> None:
        self._deadline_s = deadline_s
        self._backoff_s = backoff_s
        self._dress = partial(_dress, base_url=base_url, contact=contact, within_s=deadline_s)
        self._prepared = False
        self._breakers = {service: CircuitBreaker(service.value) for service in Service}
        words = ThreadPoolExecutor(max_workers=4, thread_name_prefix="gbif")
        pictures = ThreadPoolExecutor(max_workers=2, thread_name_prefix="gbif-map")
        self._threads = dict.fromkeys(Service, words) | {
            Service.MAPS: pictures,
            Service.BASEMAP: pictures,
        }

    def close(self) -> None:
        """Take no more questions. Those under way end by themselves, at their time-out."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def prepare(self) -> None:
        """Import pygbif in a thread, if nobody did yet, so that no question has to wait for it."""
        if not self._prepared:
            self._prepared = True
            self._threads[Service.NAMES].submit(_import_pygbif)

    async def ask(self, service: Service, call: Callable[..., T], *, within_s: float) -> T:
        """Return what ``call`` returns in a thread, given requests' options as keywords.

        Waiting for a thread counts. Failures that may pass are tried again as long as the
        time allows.

        Raises:
            GbifUnavailable: no usable answer came, or none is expected just now.
        """
        breaker = self._breakers[service]
        loop = asyncio.get_running_loop()
        ends = loop.time() + within_s
        attempt = partial(self._attempt, breaker, call)
        async with deadline(within_s):
            for number in range(1, _ATTEMPTS + 1):
                breaker.check()
                try:
                    return await loop.run_in_executor(self._threads[service], attempt)
                except GbifUnavailable as error:
                    wait = self._wait(error, number)
                    if not error.transient or loop.time() + wait >= ends or number == _ATTEMPTS:
                        raise
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _wait(self, error: GbifUnavailable, attempt: int) -> float:
        if error.retry_after is not None:
            return error.retry_after
        longest = self._backoff_s * 2.0 ** (attempt - 1)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing

    def _attempt(self, breaker: CircuitBreaker, call: Callable[..., T]) -> T:
        """Try once, in a thread; the breaker learns of it even if nobody waits any more."""
        breaker.admit()
        try:
            answer = _explained(call, (_CONNECT_S, self._deadline_s), self._dress)
        except GbifRefused:
            breaker.succeeded()
            raise
        except GbifUnavailable as error:
            long_pause = (error.retry_after or 0.0) >= self._deadline_s
            breaker.failed(error.retry_after if long_pause else None)
            raise
        except BaseException:
            breaker.failed()
            raise
        breaker.succeeded()
        return answer


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Limit the time of what is inside.

    Raises:
        GbifUnavailable: it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise GbifUnavailable(f"GBIF did not answer within {seconds:g} s.") from error


def get_json(path: str, parameters: Mapping[str, Any], **options: Any) -> Any:
    """Fetch what pygbif has no call for, or one that it warns of, in the way it fetches."""
    from pygbif.gbifutils import gbif_GET

    return gbif_GET(f"{API}{path}", dict(parameters), **options)


def get_picture(url: str, parameters: Mapping[str, Any], **options: Any) -> bytes:
    """Fetch a PNG; empty where there is nothing to show (204)."""
    import requests

    response = requests.get(url, params=dict(parameters), **options)  # noqa: S113 - in options
    response.raise_for_status()
    if response.status_code == requests.codes.no_content:
        return b""
    if response.headers.get("Content-Type") != "image/png":
        raise GbifNonsense("GBIF answered with something that is no picture.")
    return response.content


def _import_pygbif() -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")
    import pygbif  # noqa: F401


def _explained(call: Callable[..., T], timeout: tuple[float, float], dress: Any) -> T:
    """Run ``call`` and make the many errors of pygbif, requests and urllib3 ours."""
    _import_pygbif()
    import requests
    from pygbif.gbifutils import NoResultException

    # Not the errors' own texts: they hold the address, and so what a member typed.
    try:
        return call(timeout=timeout, auth=dress, allow_redirects=False)
    except requests.HTTPError as error:
        raise _status_error(error.response) from error
    except (NoResultException, KeyError, ValueError) as error:
        raise GbifNonsense("GBIF answered with something that is no answer.") from error
    except OSError as error:
        slow = isinstance(error, requests.Timeout)
        raise GbifUnavailable(
            f"GBIF could not be asked ({type(error).__name__}).", transient=not slow
        ) from error


def _status_error(response: Response) -> GbifUnavailable:
    status = response.status_code
    reason = f"GBIF could not be asked ({status})."
    if status in (_TOO_MANY, _UNAVAILABLE):
        pause = _retry_after(response.headers.get("Retry-After"))
        return GbifBusy(reason, transient=True, retry_after=pause)
    if status == _NOT_FOUND:
        return GbifNotFound("GBIF has no such thing (404).")
    if _CLIENT_ERROR <= status < _SERVER_ERROR:
        return GbifRefused(f"GBIF does not accept the question ({status}).")
    return GbifUnavailable(reason, transient=True)


def _retry_after(header: str | None) -> float | None:
    """Read the header as seconds, or as a date; None where it is neither."""
    if header is None:
        return None
    try:
        if header.strip().isdecimal():
            return float(header)
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _dress(
    request: PreparedRequest, *, base_url: str | None, contact: str, within_s: float
) -> PreparedRequest:
    """Put our name, contact and bounds on a request, and in tests our server into its address."""
    signature = f"Fieldmark ({contact})" if contact else "Fieldmark"
    request.headers["User-Agent"] = f"{signature} {request.headers.get('User-Agent', '')}".strip()
    address = request.url or ""
    server = next((known for known in (API, TILES) if address.startswith(f"{known}/")), None)
    if server is None:
        raise ValueError("Only GBIF may be asked through here.")
    if base_url is not None:
        request.url = base_url + address.removeprefix(server)
    request.hooks["response"].append(partial(_read_bounded, within_s=within_s))
    return request


def _read_bounded(response: Response, *_: Any, within_s: float, **__: Any) -> Response:
    """Read an answer's body, however it trickles, up to a size and for a time."""
    from urllib3.exceptions import HTTPError

    ends = time.monotonic() + within_s
    body = io.BytesIO()
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body.write(chunk)
            if body.tell() > _MAX_BYTES or time.monotonic() > ends:
                response.raw.close()
                raise GbifNonsense("GBIF's answer is too long, or does not end.")
    except HTTPError as error:
        raise GbifNonsense("GBIF's answer broke off.") from error
    body.seek(0)
    response.raw = body
    return response
