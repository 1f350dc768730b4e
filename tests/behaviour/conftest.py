"""The real bot in a simulated Discord, with an engine that answers what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import simcord

from bot.app import FieldmarkBot
from bot.config import (
    DiscordSection,
    GbifSection,
    IntakeSection,
    Settings,
    StoreSection,
    TeachSection,
)
from engine import TaxonTable
from tests.behaviour.world import CannedEngine, CannedFetcher, World, build


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    changes = getattr(request, "param", {})
    return Settings(
        store=StoreSection(path=tmp_path / "bot.sqlite"),
        discord=DiscordSection(
            shutdown_s=0.2, message_content=changes.get("message_content", False)
        ),
        intake=IntakeSection(max_bytes=4096, max_photos=2),
        gbif=GbifSection(enabled=False),
        teach=TeachSection(servers=changes.get("servers", "all")),
    )


@pytest.fixture(autouse=True)
def slow_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell nobody of a queue before the test advances the simulated clock by so much.

    Else whatever holds the engine would be told of in real seconds, for which it would wait.
    """
    monkeypatch.setattr("bot.waiting._FIRST_AFTER_S", 100)
    monkeypatch.setattr("bot.waiting._EVERY_S", 200)


@pytest.fixture
async def engine() -> CannedEngine:
    return CannedEngine()


@pytest.fixture
def web() -> CannedFetcher:
    return CannedFetcher()


@pytest.fixture
async def simcord_bot(
    settings: Settings, engine: CannedEngine, taxa: TaxonTable, web: CannedFetcher
) -> AsyncIterator[FieldmarkBot]:
    bot = build(settings, engine, taxa, web)
    yield bot
    await bot.close()


@pytest.fixture
def world(simcord_env: simcord.Env, engine: CannedEngine, web: CannedFetcher) -> World:
    env = simcord_env
    guild = env.create_guild()
    channel = guild.create_text_channel("birds")
    alice = guild.add_member(env.create_user("alice"))
    return World(env, engine, guild, channel, alice, web)


@pytest.fixture
async def restart(
    world: World, settings: Settings, engine: CannedEngine, taxa: TaxonTable
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Put a new bot, with what the first one stored, in its place."""
    started = []

    async def restarted() -> None:
        started.append(build(settings, engine, taxa, world.web))
        await world.env.restart_bot(started[-1])

    yield restarted
    for bot in started:
        await bot.close()
