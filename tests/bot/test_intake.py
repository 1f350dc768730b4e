"""How photos are taken in, apart from what is a photo: that is judged over the wire."""

from __future__ import annotations

import asyncio

from bot.config import IntakeSection
from bot.fetch import PhotoFetcher
from bot.intake import Intake
from tests.behaviour.world import JPEG

MANY = 40


class CountingFetcher(PhotoFetcher):
    """Counts how many links are being fetched at once; each takes until ``enough`` have begun."""

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
        await self.go_on.wait()
        self.now -= 1
        return JPEG


async def test_however_many_links_are_posted_only_some_are_fetched_at_once() -> None:
    fetcher = CountingFetcher(enough=16)
    intake = Intake(IntakeSection(), fetcher)
    links = (intake.read_one(None, f"https://example.org/{n}") for n in range(MANY))
    photos = await asyncio.gather(*links)
    assert [photo.data for photo in photos] == [(JPEG,)] * MANY
    assert fetcher.most == 16
