"""Files at signed addresses, and the ways a CDN disappoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tools.sandbox import Delivery, Sandbox, Settings

BYTES = bytes(range(256)) * 1000


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=sandbox.connector()) as session:
        yield session


async def posted(sandbox: Sandbox, name: str = "a.jpg", kind: str = "image/jpeg") -> str:
    message = await sandbox.member.post(sandbox.channel, files=[(name, BYTES, kind)])
    url: str = message["attachments"][0]["url"]
    return url


async def test_the_right_bytes_and_headers(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    url = await posted(sandbox, "grünfink «1».jpg")
    for address in (url, url.replace("cdn.discordapp.com", "media.discordapp.net")):
        async with session.get(address) as response:
            assert response.headers["Content-Type"] == "image/jpeg"
            assert response.content_length == len(BYTES)
            assert await response.read() == BYTES
    async with session.head(url) as response:
        assert response.content_length == len(BYTES)


async def test_a_changed_or_expired_address_is_gone(spec: Path) -> None:
    settings = Settings(attachment_lifetime=-1)
    async with (
        Sandbox(spec, settings=settings) as sandbox,
        aiohttp.ClientSession(connector=sandbox.connector()) as session,
    ):
        expired = await posted(sandbox)
        settings.attachment_lifetime = 60
        [read_again] = (message["attachments"][0]["url"] for message in sandbox.said())
        fresh = await posted(sandbox)
        changed = fresh.replace("?ex=", "?ex=f")
        for url, status in (
            (fresh, 200),
            (read_again, 200),
            (expired, 404),
            (changed, 404),
            (fresh.split("?")[0], 404),
        ):
            async with session.get(url) as response:
                assert response.status == status


async def test_a_deleted_message_takes_its_files_along(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    url = await posted(sandbox)
    await sandbox.member.delete(sandbox.said()[0])
    async with session.get(url) as response:
        assert response.status == 404


async def test_statuses_types_and_sizes_can_be_set(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    url = await posted(sandbox)
    number = int(sandbox.said()[0]["attachments"][0]["id"])
    sandbox.cdn.deliver(Delivery(status=404))
    sandbox.cdn.deliver(
        Delivery(pad_to=3_000_000, length=False, content_type="text/html"), attachment_id=number
    )
    async with session.get(url) as response:
        assert response.headers["Content-Type"] == "text/html"
        assert response.content_length is None
        body = await response.read()
    assert len(body) == 3_000_000
    assert body.startswith(BYTES)
    sandbox.cdn.deliver(None, attachment_id=number)
    async with session.get(url) as response:
        assert response.status == 404


async def test_a_transfer_can_break_off(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    url = await posted(sandbox)
    sandbox.cdn.deliver(Delivery(cut_after=1000))
    async with session.get(url) as response:
        assert response.content_length == len(BYTES)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_transfer_can_be_slow(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    url = await posted(sandbox)
    sandbox.cdn.deliver(Delivery(chunk=1, pause=60))
    async with session.get(url) as response:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.content.readany()
    sandbox.cdn.deliver(Delivery(chunk=100_000, pause=0.001))
    async with session.get(url) as response:
        assert await response.read() == BYTES


async def test_a_transfer_can_stall(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    url = await posted(sandbox)
    sandbox.cdn.deliver(Delivery(stall_after=1000))
    async with session.get(url) as response:
        assert await response.content.readexactly(1000) == BYTES[:1000]
        rest = asyncio.create_task(response.content.readany())
        done, _ = await asyncio.wait([rest], timeout=0.05)
        assert not done
        rest.cancel()
