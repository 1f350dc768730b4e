"""Links of strangers: only public web servers are reached, and only so much is read."""

from __future__ import annotations

import asyncio
import errno
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from bot.config import IntakeSection
from bot.errors import Refusal
from bot.photos.fetch import PhotoFetcher
from bot.photos.guard import Address, Rule, guarded_connector, is_public, public_web
from bot.photos.intake import Intake
from engine import Requester

JPEG = b"\xff\xd8\xff\xe0" + bytes(2000)
LIMIT = 10_000
ALICE = Requester(member=1)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A web server on loopback that counts the connections it gets."""

    host: str
    port: int
    paths: list[str] = field(default_factory=list)

    def url(self, path: str = "/photo.jpg", host: str | None = None) -> str:
        return f"http://{host or self.host}:{self.port}{path}"


def loopback(address: Address, port: int) -> bool:
    return address.is_loopback


def only(port: int) -> Rule:
    return lambda address, asked: address.is_loopback and asked == port


def fetcher(rule: Rule = public_web, **options: Any) -> PhotoFetcher:
    resolver = options.pop("resolver", None)
    return PhotoFetcher(
        max_bytes=LIMIT,
        timeout_s=options.pop("timeout_s", 20),
        connector=lambda: guarded_connector(rule, resolver=resolver),
    )


async def photo(request: web.Request) -> web.Response:
    return web.Response(body=JPEG, content_type="image/jpeg")


async def page(request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><p>A robin</p>", content_type="image/jpeg")


async def endless(request: web.Request) -> web.StreamResponse:
    """Announce a small photo and never stop sending."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG)
    while not request.transport.is_closing():
        request.transport.write(bytes(4096))
        await asyncio.sleep(0)
    return web.Response()


async def announced(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(LIMIT + 1)})
    await response.prepare(request)
    return response


async def silent(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(JPEG[:100])
    await asyncio.Event().wait()
    return response


async def bomb(request: web.Request) -> web.Response:
    return web.Response(
        body=gzip.compress(JPEG + bytes(50 * LIMIT)), headers={"Content-Encoding": "gzip"}
    )


async def cut(request: web.Request) -> web.StreamResponse:
    """Announce more than is sent."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc")
    request.transport.close()
    return web.Response()


async def rubbish(request: web.Request) -> web.StreamResponse:
    """Answer with what is no HTTP."""
    assert request.transport is not None
    request.transport.write(bytes(range(32)) * 10 + b"\r\n\r\n")
    return web.Response()


async def astray(request: web.Request) -> web.StreamResponse:
    """Redirect to an address that no header may hold."""
    assert request.transport is not None
    location = b"Location: http://photos.example/\0?" + request.query_string.encode()
    request.transport.write(b"HTTP/1.1 302 Found\r\n" + location + b"\r\n\r\n")
    return web.Response()


async def hop(request: web.Request) -> web.Response:
    left = int(request.match_info["left"])
    target = f"/hop/{left - 1}" if left else "/photo.jpg"
    return web.Response(status=302, headers={"Location": target})


async def away(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]})


ROUTES: dict[str, Handler] = {
    "/photo.jpg": photo,
    "/page.jpg": page,
    "/endless.jpg": endless,
    "/announced.jpg": announced,
    "/silent.jpg": silent,
    "/bomb.jpg": bomb,
    "/cut.jpg": cut,
    "/rubbish.jpg": rubbish,
    "/astray.jpg": astray,
    "/hop/{left}": hop,
    "/away": away,
}


async def serve(host: str) -> tuple[web.AppRunner, Server]:
    server = Server(host=f"[{host}]" if ":" in host else host, port=0)

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        server.paths.append(request.path)
        return await handler(request)

    app = web.Application(middlewares=[record])
    for path, handler in ROUTES.items():
        app.router.add_get(path, handler)
    # Without its own log of addresses, for the tests of the bot's.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    server.port = runner.addresses[0][1]
    return runner, server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    runner, server = await serve("127.0.0.1")
    yield server
    await runner.cleanup()


class FixedResolver(AbstractResolver):
    """Says that every name means ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=self.address, port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.168.1.1",
        "255.255.255.255",
    ],
)
async def test_a_link_to_this_machine_or_its_neighbours_is_refused(
    server: Server, host: str
) -> None:
    with pytest.raises(Refusal) as caught:
        await fetcher().fetch(server.url(host=host))
    assert "won't open" in str(caught.value)
    assert server.paths == []


async def test_a_link_to_ipv6_loopback_is_refused() -> None:
    try:
        runner, server = await serve("::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        with pytest.raises(Refusal, match="won't open"):
            await fetcher().fetch(server.url())
        assert server.paths == []
        assert await fetcher(loopback).fetch(server.url()) == JPEG
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
async def test_a_name_that_resolves_to_a_private_address_is_refused(
    server: Server, address: str
) -> None:
    resolver = FixedResolver(address)
    with pytest.raises(Refusal, match="won't open"):
        await fetcher(resolver=resolver).fetch(server.url(host="photos.example"))
    assert server.paths == []


async def test_a_resolver_that_hands_back_a_name_is_refused(server: Server) -> None:
    with pytest.raises(Refusal, match="won't open"):
        await fetcher(loopback, resolver=FixedResolver("localhost")).fetch(
            server.url(host="photos.example")
        )
    assert server.paths == []


async def test_a_redirect_to_a_refused_address_is_refused(server: Server) -> None:
    other_runner, other = await serve("127.0.0.1")
    try:
        with pytest.raises(Refusal, match="won't open"):
            await fetcher(only(server.port)).fetch(server.url(f"/away?to={other.url()}"))
        assert server.paths == ["/away"]
        assert other.paths == []
    finally:
        await other_runner.cleanup()


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://example.org/a.jpg", "http://me:pw@example.org/", "http://[::1"],
)
async def test_a_redirect_is_judged_like_a_link(server: Server, target: str) -> None:
    with pytest.raises(Refusal):
        await fetcher(loopback).fetch(server.url(f"/away?to={target}"))


async def test_five_redirects_are_followed_and_six_are_not(server: Server) -> None:
    assert await fetcher(loopback).fetch(server.url("/hop/4")) == JPEG
    with pytest.raises(Refusal, match="redirects more than 5"):
        await fetcher(loopback).fetch(server.url("/hop/5"))


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("", "must start with http"),
        ("robin.jpg", "must start with http"),
        ("file:///etc/passwd", "must start with http"),
        ("ftp://example.org/a.jpg", "must start with http"),
        ("data:image/png;base64,AAAA", "must start with http"),
        ("http://", "must start with http"),
        ("http://[::1", "must start with http"),
        ("http://example.org:99999/", "must start with http"),
        ("https://example.org/" + "a" * 3000, "must start with http"),
        ("https://me:secret@example.org/a.jpg", "user name or password"),
        ("https://me@example.org/a.jpg", "user name or password"),
        ("https://discord.com/channels/1/2/3", "Apps > Identify"),
    ],
)
async def test_what_is_no_plain_web_link_is_refused(link: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as caught:
        await fetcher().fetch(link)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_is_a_link(text: str) -> None:
    nowhere = FixedResolver("127.0.0.1")
    with pytest.raises(Refusal):
        asyncio.run(fetcher(resolver=nowhere).fetch(text))


@pytest.mark.parametrize("path", ["/endless.jpg", "/announced.jpg"])
async def test_reading_stops_at_the_limit(server: Server, path: str) -> None:
    with pytest.raises(Refusal, match="larger than"):
        await fetcher(loopback).fetch(server.url(path))


async def test_a_server_that_stalls_is_given_up(server: Server) -> None:
    with pytest.raises(Refusal, match=r"within 0\.05 seconds"):
        await fetcher(loopback, timeout_s=0.05).fetch(server.url("/silent.jpg"))


async def test_an_error_page_is_said(server: Server) -> None:
    with pytest.raises(Refusal, match="error 404"):
        await fetcher(loopback).fetch(server.url("/nothing"))


class NoName(FixedResolver):
    """Knows no name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(None, f"{host} is not known")


@pytest.mark.parametrize(
    "link",
    [
        "/cut.jpg?token=s3cret",
        "/rubbish.jpg?token=s3cret",
        "/astray.jpg?token=s3cret",
        "/silent.jpg?token=s3cret",
        "/announced.jpg?token=s3cret",
        "/nothing?token=s3cret",
        "/away?to=http://127.1/?token=s3cret",
        "/away?to=http://a..b/?token=s3cret",
        "/away?to=ftp://example.org/?token=s3cret",
        "/away?to=http://s3cret.example/",
        "http://127.0.0.1:{unused}/?token=s3cret",
        "http://10.0.0.1/?token=s3cret",
        "http://s3cret.example/",
    ],
)
async def test_no_part_of_a_link_is_logged(
    server: Server, caplog: pytest.LogCaptureFixture, link: str, unused_tcp_port: int
) -> None:
    caplog.set_level(logging.INFO)
    link = link.format(unused=unused_tcp_port)
    impatient = fetcher(loopback, resolver=NoName(""), timeout_s=0.5)
    with pytest.raises(Refusal):
        await impatient.fetch(server.url(link) if link.startswith("/") else link)
    assert "s3cret" not in caplog.text


async def test_what_kind_of_failure_it_was_is_logged(
    caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Refusal):
        await fetcher(loopback).fetch(f"http://127.0.0.1:{unused_tcp_port}/")
    assert f"ClientConnectorError, errno {errno.ECONNREFUSED}" in caplog.text


@pytest.mark.parametrize("host", ["a..b", "...", "a" * 70 + ".example"])
async def test_a_host_that_no_resolver_takes_is_said(server: Server, host: str) -> None:
    for link in (f"http://{host}/photo.jpg", server.url(f"/away?to=http://{host}/photo.jpg")):
        with pytest.raises(Refusal, match="could not reach"):
            await fetcher(loopback).fetch(link)


async def test_a_closed_port_is_said(unused_tcp_port: int) -> None:
    with pytest.raises(Refusal, match="could not reach"):
        await fetcher(loopback).fetch(f"http://127.0.0.1:{unused_tcp_port}/")


@pytest.mark.parametrize(
    ("path", "reason"), [("/page.jpg", "a web page"), ("/bomb.jpg", "an archive")]
)
async def test_what_is_no_photo_is_named(server: Server, path: str, reason: str) -> None:
    intake = Intake(IntakeSection(max_bytes=LIMIT), fetcher(loopback))
    with pytest.raises(Refusal, match=reason):
        await intake.link(server.url(path), ALICE)


async def test_a_photo_is_read(server: Server) -> None:
    intake = Intake(IntakeSection(max_bytes=LIMIT), fetcher(loopback))
    assert await intake.link(server.url(), ALICE) == JPEG


async def test_the_guard_is_in_the_connector_itself(server: Server) -> None:
    async with aiohttp.ClientSession(connector=guarded_connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(server.url())
    assert server.paths == []


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
def test_only_the_ports_of_the_web_are_open(port: int) -> None:
    address = ip_address("93.184.215.14")
    assert not public_web(address, port)
    assert public_web(address, 80)
    assert public_web(address, 443)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True),
        ("1.1.1.1", True),
        ("162.159.135.233", True),
        ("2606:4700:4700::1111", True),
        ("2a00:1450:4001:82a::200e", True),
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("203.0.113.7", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("2002:808:808::1", False),
        ("3fff::1", False),
        ("64:ff9b::808:808", False),
        ("64:ff9b:1::1", False),
        ("::ffff:8.8.8.8", False),
        ("::8.8.8.8", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("100::1", False),
    ],
)
def test_public_addresses(text: str, public: bool) -> None:
    assert is_public(ip_address(text)) is public


@given(st.ip_addresses())
def test_nothing_that_python_calls_special_is_public(address: Address) -> None:
    if is_public(address):
        special = (
            address.is_private,
            address.is_loopback,
            address.is_link_local,
            address.is_multicast,
            address.is_reserved,
            address.is_unspecified,
        )
        assert address.is_global
        assert not any(special)
