"""How photos are taken in, apart from what is a photo: that is judged over the wire."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import discord
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bot.config import IntakeSection
from bot.errors import Refusal
from bot.photos.fetch import PhotoFetcher
from bot.photos.intake import Intake, given
from engine import Requester
from tests.behaviour.world import JPEG

MANY = 40
ALICE, BOB = Requester(member=1, server=9), Requester(member=2, server=9)


class CountingFetcher(PhotoFetcher):
    """Counts how many links are being fetched at once; each takes until ``enough`` have begun.

    Those with "quick" in them take no time.
    """

    def __init__(self, enough: int) -> None:
        super().__init__(max_bytes=1, timeout_s=1)
        self.enough = enough
        self.begun = self.now = self.most = 0
        self.go_on = asyncio.Event()

    async def fetch(self, link: str) -> bytes:
        self.begun += 1
        self.now += 1
        self.most = max(self.most, self.now)
        if self.begun >= self.enough:
            self.go_on.set()
        if "quick" not in link:
            await self.go_on.wait()
        self.now -= 1
        return JPEG


async def test_however_many_links_are_posted_only_some_are_fetched_at_once() -> None:
    fetcher = CountingFetcher(enough=16)
    intake = Intake(IntakeSection(), fetcher)
    links = (
        intake.read(given(None, f"https://example.org/{n}"), Requester(member=n))
        for n in range(MANY)
    )
    photos = await asyncio.gather(*links)
    assert [photo.data for photo in photos] == [(JPEG,)] * MANY
    assert fetcher.most == 16


async def test_slow_links_of_one_member_hold_up_nobody_else() -> None:
    fetcher = CountingFetcher(enough=MANY)
    intake = Intake(IntakeSection(), fetcher)
    async with asyncio.TaskGroup() as group:
        elsewhere = Requester(member=ALICE.member, server=10)
        for n in range(MANY - 1):
            who = (ALICE, elsewhere)[n % 2]
            group.create_task(intake.read(given(None, f"https://example.org/{n}"), who))
        quick = group.create_task(intake.read(given(None, "https://example.org/quick"), BOB))
        assert (await quick).data == (JPEG,)
        assert fetcher.now == 2
        fetcher.go_on.set()
    assert fetcher.begun == MANY


@pytest.mark.parametrize("members", [1, MANY])
async def test_a_link_that_waits_too_long_for_others_is_refused(members: int) -> None:
    intake = Intake(IntakeSection(url_timeout_s=0.05), CountingFetcher(enough=MANY + 1))
    links = (
        intake.link(f"https://example.org/{n}", Requester(member=n % members)) for n in range(MANY)
    )
    tasks = {asyncio.create_task(link) for link in links}
    refused, _ = await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_EXCEPTION)
    with pytest.raises(Refusal, match=r"^Too many links .* again in 0\.05 seconds"):
        await refused.pop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def attached(name: str, cdn: object, *, size: int = 100) -> discord.Attachment:
    """Return an attachment whose bytes ``cdn`` gives."""
    state: Any = type("State", (), {"http": cdn})
    return discord.Attachment(
        data={
            "id": 1,
            "filename": name,
            "size": size,
            "url": f"https://cdn.discordapp.com/attachments/1/1/{name}?hm=5ecret",
            "proxy_url": f"https://media.discordapp.net/attachments/1/1/{name}?hm=5ecret",
        },
        state=state,
    )


class SlowCdn:
    """Gives nothing of what is called slow until ``go_on``."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def get_from_cdn(self, url: str) -> bytes:
        if "slow" in url:
            await self.go_on.wait()
        return JPEG


async def test_many_photos_of_one_member_hold_up_nobody_else() -> None:
    cdn, intake = SlowCdn(), Intake(IntakeSection(), CountingFetcher(enough=1))
    async with asyncio.TaskGroup() as group:
        for _ in range(MANY):
            group.create_task(intake.attachment(attached("slow.jpg", cdn), ALICE))
        quick = group.create_task(intake.attachment(attached("quick.jpg", cdn), BOB))
        assert await quick == JPEG
        cdn.go_on.set()


def test_a_photo_that_is_a_little_too_large_is_said_to_be_larger_than_what_is_read() -> None:
    intake = Intake(IntakeSection(), CountingFetcher(enough=1))
    with pytest.raises(Refusal, match="is 26 MB and I read at most 25 MB"):
        intake.check(attached("large.jpg", SlowCdn(), size=25 * 2**20 + 1))


class BrokenCdn:
    """Answers every request for a file with what is no HTTP, as aiohttp reports it."""

    async def get_from_cdn(self, url: str) -> bytes:
        asked = aiohttp.RequestInfo(URL(url), "GET", CIMultiDictProxy(CIMultiDict()), URL(url))
        raise aiohttp.ClientResponseError(asked, (), status=400, message="no HTTP")


async def test_a_file_that_discord_does_not_hand_over_is_logged_without_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    attachment = attached("at_home.jpg", BrokenCdn())
    intake = Intake(IntakeSection(), CountingFetcher(enough=1))
    with pytest.raises(Refusal, match=r"did not hand me `at_home\.jpg`"):
        await intake.attachment(attachment, ALICE)
    assert "ClientResponseError, status 400" in caplog.text
    assert "at_home" not in caplog.text
    assert "5ecret" not in caplog.text
