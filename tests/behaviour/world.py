"""What the tests of behaviour share: an engine that answers what it is told, and a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import discord
import simcord

from bot.app import FieldmarkBot
from bot.config import Settings
from bot.errors import Refusal
from bot.photos.fetch import PhotoFetcher
from engine import (
    CERTAINTY,
    Ancestor,
    Candidate,
    EngineError,
    Group,
    Identification,
    Learnt,
    ModelInfo,
    ReferencePhoto,
    Requester,
    Taxon,
    TaxonTable,
    Ticket,
    Verdict,
)

JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
PREVIEW = b"\xff\xd8\xff\xdb" + bytes(20)

ROBIN = Taxon(
    scientific_name="Erithacus rubecula",
    rank="species",
    lineage=(
        Ancestor("kingdom", "Animalia"),
        Ancestor("class", "Aves"),
        Ancestor("genus", "Erithacus"),
    ),
    vernacular_name="European robin",
    gbif_key=2492462,
)
BIRDS = ModelInfo(
    name="birds", title="AIY Birds", group=Group.BIRD, version="V1", classes=965, runtime="test"
)
PLANTS = replace(
    BIRDS, name="plants", title="AIY Plants", group=Group.PLANT, problem="It is not downloaded."
)
ANSWER = Identification(
    candidates=(Candidate(taxon=ROBIN, probability=0.93, model="birds"),),
    verdict=Verdict(taxon=ROBIN, probability=0.93),
    group=Group.BIRD,
    known=True,
    known_score=0.97,
    models=(BIRDS,),
    timings_ms={"total": 120.0},
)

LARUS_VERDICT = Verdict(
    taxon=Taxon(scientific_name="Larus", rank="genus", lineage=ROBIN.lineage[:2], gbif_key=2481126),
    probability=0.91,
)


@dataclass
class CannedEngine:
    """An engine that answers ``answer``, or raises ``error``, and keeps what it was asked.

    ``hold`` keeps answers back until ``answering`` is set, ``start_slowly`` keeps the engine
    from being ready, and from answering, until ``started`` is. ``ahead`` is what a ticket
    tells meanwhile.
    ``learnt`` is what it was taught, by identity. ``country`` is where the GPS of every photo
    lies, which ``gps_error`` keeps from being read.
    """

    answer: Identification = ANSWER
    error: Exception | None = None
    no_room: EngineError | None = None
    start_error: EngineError | None = None
    asked: list[tuple[tuple[bytes, ...], Group]] = field(default_factory=list)
    certainties: list[float] = field(default_factory=list)
    requesters: list[Requester | None] = field(default_factory=list)
    ahead: int | None = None
    country: str | None = None
    gps_error: EngineError | None = None
    learnt: dict[str, tuple[bytes, Taxon]] = field(default_factory=dict)
    credits: list[ReferencePhoto] = field(default_factory=list)
    located: list[bytes] = field(default_factory=list)
    closed: int = 0
    held_by: simcord.Env | None = None
    starting_in: simcord.Env | None = None
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, env: simcord.Env) -> None:
        self.held_by = env

    def start_slowly(self, env: simcord.Env) -> None:
        self.starting_in = env

    async def until_started(self) -> None:
        if self.starting_in is not None:
            await self.starting_in.external_wait(self.started.wait(), reason="the engine starts")

    async def start(self) -> None:
        await self.until_started()
        if self.start_error is not None:
            raise self.start_error

    def check_room(self, requester: Requester | None) -> None:
        if self.no_room is not None:
            raise self.no_room

    async def identify(
        self,
        photos: Sequence[bytes],
        group: Group,
        *,
        limit: int = 5,
        preview: bool = False,
        certainty: float = CERTAINTY,
        requester: Requester | None = None,
        ticket: Ticket | None = None,
    ) -> Identification:
        self.asked.append((tuple(photos), group))
        self.certainties.append(certainty)
        self.requesters.append(requester)
        if ticket is not None:
            ticket.issue(lambda: self.ahead)
        await self.until_started()
        if self.held_by is not None:
            await self.held_by.external_wait(self.answering.wait(), reason="the engine works")
        if self.error is not None:
            raise self.error
        return replace(self.answer, preview=PREVIEW if preview else None, photos=len(photos))

    async def learn(
        self,
        photo: bytes,
        taxon: Taxon,
        reference: ReferencePhoto,
        *,
        identity: str | None = None,
        preview: bool = False,
        requester: Requester | None = None,
        ticket: Ticket | None = None,
    ) -> Learnt:
        self.credits.append(reference)
        self.requesters.append(requester)
        await self.until_started()
        if self.held_by is not None:
            await self.held_by.external_wait(self.answering.wait(), reason="the engine works")
        if self.error is not None:
            raise self.error
        assert identity is not None
        new = identity in self.learnt or (photo, taxon) not in self.learnt.values()
        if new:
            self.learnt[identity] = (photo, taxon)
        photos = sum(known == taxon for _, known in self.learnt.values())
        return Learnt(new=new, photos=photos, preview=PREVIEW if preview else None)

    async def forget(self, identity: str, *, requester: Requester | None = None) -> bool:
        self.requesters.append(requester)
        if self.error is not None:
            raise self.error
        return self.learnt.pop(identity, None) is not None

    async def country_of(self, photo: bytes, *, requester: Requester | None = None) -> str | None:
        self.located.append(photo)
        self.requesters.append(requester)
        if self.gps_error is not None:
            raise self.gps_error
        return self.country

    async def world_map(
        self,
        basemap: Sequence[bytes],
        density: Sequence[bytes],
        *,
        requester: Requester | None = None,
    ) -> bytes:
        self.requesters.append(requester)
        return b"".join([*basemap, *density])

    def models(self) -> tuple[ModelInfo, ...]:
        return (BIRDS, PLANTS)

    async def close(self, drain_s: float) -> None:
        self.closed += 1

    @property
    def groups(self) -> list[Group]:
        return [group for _, group in self.asked]


class CannedFetcher(PhotoFetcher):
    """A web of a few photos."""

    def __init__(self) -> None:
        super().__init__(max_bytes=1, timeout_s=1)
        self.pages: dict[str, bytes] = {}

    async def fetch(self, link: str) -> bytes:
        if link not in self.pages:
            raise Refusal("I could not reach that link.")
        return self.pages[link]


@dataclass(frozen=True)
class World:
    """A server with a channel and a member, and the bot in it."""

    env: simcord.Env
    engine: CannedEngine
    guild: simcord.GuildHandle
    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    web: CannedFetcher

    @property
    def bot(self) -> FieldmarkBot:
        assert isinstance(self.env.bot, FieldmarkBot)
        return self.env.bot

    @property
    def user(self) -> discord.ClientUser:
        assert self.env.bot.user is not None
        return self.env.bot.user

    @property
    def mention(self) -> str:
        return self.user.mention

    @property
    def answers(self) -> list[discord.Message]:
        """The bot's messages in the channel, oldest first."""
        history = self.channel.history()
        return [message for message in history if message.author == self.env.bot.user]

    def channel_where(self, **allowed: bool) -> simcord.ChannelHandle:
        """Create a channel in which the bot has or lacks the named permissions."""
        overwrite = discord.PermissionOverwrite(**allowed)
        return self.guild.create_text_channel("other", overwrites={self.user: overwrite})

    def answers_in(self, channel: simcord.ChannelHandle) -> list[discord.Message]:
        """The bot's messages in ``channel``, oldest first."""
        return [message for message in channel.history() if message.author == self.env.bot.user]


def build(
    settings: Settings, engine: CannedEngine, taxa: TaxonTable, web: CannedFetcher
) -> FieldmarkBot:
    return FieldmarkBot(settings, engine, taxa, fetcher=web, shard_count=1)
