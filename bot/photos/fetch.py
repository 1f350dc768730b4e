"""Fetch a photo from a link that a stranger gave, within limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import aiohttp
from yarl import URL

from bot.errors import Refusal
from bot.photos.guard import AddressRefused, guarded_connector

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_MAX_URL = 2048
_CHUNK = 64 * 1024
_DISCORD_SITES = {"discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com"}
_HEADERS = {
    "Accept": "image/*",
    # A compressed answer is not unpacked, so that it cannot grow; photos gain nothing by it.
    "Accept-Encoding": "identity",
    "User-Agent": "Fieldmark (a Discord bot that names the species in a photo)",
}


class PhotoFetcher:
    """Reads what a link leads to, over http or https, from public web servers only.

    ``connector`` makes the connector of each fetch; the default refuses whatever is not a
    public web server (see ``bot.photos.guard``).
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        connector: Callable[[], aiohttp.TCPConnector] = guarded_connector,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._connector = connector

    async def fetch(self, link: str) -> bytes:
        """Return the bytes behind ``link``.

        Raises:
            Refusal: the link or what it leads to is not acceptable; the sentence says why.
        """
        url = _checked(link)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aiohttp.ClientSession(
                    connector=self._connector(),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    auto_decompress=False,
                    headers=_HEADERS,
                ) as session,
            ):
                return await self._follow(session, url)
        except TimeoutError:
            raise Refusal(
                f"That link did not give me a photo within {self._timeout_s:g} seconds."
                " Please upload the photo instead."
            ) from None
        except (aiohttp.ClientError, UnicodeError) as error:
            # UnicodeError is the resolver's: a part of the host's name is empty or too long.
            raise _unreachable(error) from error

    async def _follow(self, session: aiohttp.ClientSession, url: URL) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            async with session.get(url, allow_redirects=False) as response:
                target = response.headers.get("Location")
                if 300 <= response.status < 400 and target is not None:
                    url = _checked(target, base=url)
                    continue
                if response.status != 200:
                    raise Refusal(
                        f"That link answers with error {response.status}, not with a photo."
                        " Please check it, or upload the photo instead."
                    )
                return await self._read(response)
        raise Refusal(
            f"That link redirects more than {_MAX_REDIRECTS} times."
            " Please give me the photo's own link."
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Read the body and stop at the limit, whatever length was announced."""
        if (response.content_length or 0) > self._max_bytes:
            raise self._too_large()
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> Refusal:
        return Refusal(
            f"What that link leads to is larger than {self._max_bytes / 2**20:.0f} MB."
            " Please use a smaller photo."
        )


def _checked(link: str, *, base: URL | None = None) -> URL:
    """Parse ``link``, relative to ``base`` if given, and refuse what is no plain web link."""
    try:
        url = URL(link.strip())
        url = base.join(url) if base is not None else url
        usable = (
            len(link) <= _MAX_URL
            and url.scheme in {"http", "https"}
            and bool(url.host)
            and url.port is not None
        )
    except ValueError:
        usable = False
    if not usable:
        raise Refusal("That is not a link I can open: it must start with http:// or https://.")
    if url.user is not None or url.password is not None:
        raise Refusal("That link carries a user name or password, so I won't open it.")
    if url.host in _DISCORD_SITES and url.path.startswith("/channels/"):
        raise Refusal(
            "That link leads to a message: open the menu of the message, then Apps > Identify."
        )
    return url


def _unreachable(error: aiohttp.ClientError | UnicodeError) -> Refusal:
    # Not the error's own text: it may hold the address, and so what nobody else is to read.
    log.info(
        "A link could not be fetched: %s, errno %s.",
        type(error).__name__,
        getattr(error, "errno", None),
    )
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, AddressRefused
    ):
        return Refusal(
            "That link leads to an address that is not public, so I won't open it."
            " Please upload the photo instead."
        )
    if isinstance(error, aiohttp.InvalidURL):
        return Refusal("That link names its server in a way I won't open. Please use its name.")
    return Refusal("I could not reach that link. Please check it, or upload the photo instead.")
