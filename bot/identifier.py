"""The engine as the bot sees it, and a stand-in for it while it is still starting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from engine import (
    CERTAINTY,
    EngineError,
    EngineFailed,
    Group,
    Identification,
    Learnt,
    ModelInfo,
    ReferencePhoto,
    Requester,
    Taxon,
    Ticket,
)

log = logging.getLogger(__name__)

_CLOSING = "I'm shutting down. Please try again in a minute."


class Identifier(Protocol):
    """What the features need of an engine."""

    def check_room(self, requester: Requester | None) -> None:
        """Raise EngineError where a request would be refused now, whatever it is."""

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
        """Identify one individual from one or several photos of it, or raise EngineError."""

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
        """Add a labelled photo to the index under its identity, or raise EngineError."""

    async def forget(self, identity: str, *, requester: Requester | None = None) -> bool:
        """Take the photo of this identity out again; tell if it was there, or raise EngineError."""

    async def country_of(self, photo: bytes, *, requester: Requester | None = None) -> str | None:
        """Return the code of the country that a photo's GPS lies in, or raise EngineError."""

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the hosted networks, those with a problem included."""


class Cartographer(Protocol):
    """What makes one picture of a map's tiles."""

    async def world_map(
        self,
        basemap: Sequence[bytes],
        density: Sequence[bytes],
        *,
        requester: Requester | None = None,
    ) -> bytes:
        """Make a PNG of the world from its west and its east, or raise EngineError."""


class StartableIdentifier(Identifier, Cartographer, Protocol):
    """An identifier with a life of its own; ``engine.Engine`` is one."""

    async def start(self) -> None:
        """Return when the first worker can answer, or raise EngineError.

        What is asked before is answered then, or refused as it would be later.
        """

    async def close(self, drain_s: float) -> None:
        """Finish what is under way within ``drain_s`` seconds, then stop."""


class StartingIdentifier:
    """An identifier that may be asked while its engine still starts.

    Starting takes seconds and Discord must not wait for it: the bot goes online at once,
    and a photo that comes early waits in the engine's queue, with its limits.
    """

    def __init__(self, engine: StartableIdentifier) -> None:
        self._engine = engine
        self._start: asyncio.Task[None] | None = None
        self._failed = asyncio.Event()
        self._closing = False
        self._handlers: set[asyncio.Task[Any]] = set()

    def begin(self) -> None:
        """Start the engine in the background. Calling it again does nothing."""
        if self._start is None:
            self._start = asyncio.create_task(self._engine.start(), name="engine start")
            self._start.add_done_callback(self._log_start)

    async def wait_until_failed(self) -> None:
        """Return never, or raise once the engine has failed to start.

        Raises:
            EngineError: why it has.
        """
        await self._failed.wait()
        if self._start is not None:
            self._start.result()

    def check_room(self, requester: Requester | None) -> None:
        """Refuse what the engine would refuse now; whoever asks is waited for by ``close``.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        self._engine.check_room(requester)

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
        """Have the engine identify ``photos``, once it has started.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        return await self._engine.identify(
            photos,
            group,
            limit=limit,
            preview=preview,
            certainty=certainty,
            requester=requester,
            ticket=ticket,
        )

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
        """Have the engine learn ``photo``, once it has started.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        return await self._engine.learn(
            photo,
            taxon,
            reference,
            identity=identity,
            preview=preview,
            requester=requester,
            ticket=ticket,
        )

    async def forget(self, identity: str, *, requester: Requester | None = None) -> bool:
        """Have the engine forget a photo, once it has started.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        return await self._engine.forget(identity, requester=requester)

    async def country_of(self, photo: bytes, *, requester: Requester | None = None) -> str | None:
        """Have the engine say where a photo's GPS lies, once it has started.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        return await self._engine.country_of(photo, requester=requester)

    async def world_map(
        self,
        basemap: Sequence[bytes],
        density: Sequence[bytes],
        *,
        requester: Requester | None = None,
    ) -> bytes:
        """Have the engine make a map, once it has started.

        Raises:
            EngineError: as the engine does, also where it could not start or is closing.
        """
        self._admit()
        return await self._engine.world_map(basemap, density, requester=requester)

    def _admit(self) -> None:
        # Who is refused is waited for, too: they are still to be told.
        self._track_handler()
        if self._closing or self._start is None:
            raise EngineFailed(_CLOSING)
        self._check_start()

    def _check_start(self) -> None:
        if self._start is not None and self._start.done() and not self._start.cancelled():
            self._start.result()

    def _track_handler(self) -> None:
        """Remember whose answer is still to be sent once the engine has given its own."""
        handler = asyncio.current_task()
        if handler is not None and handler not in self._handlers:
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the hosted networks, those with a problem included."""
        return self._engine.models()

    async def close(self, drain_s: float) -> None:
        """Take nothing new, let what is under way finish for ``drain_s`` seconds, and stop.

        The tasks that asked until the engine has stopped get what is left of that time, at least
        a second, to send what they were answered.
        """
        self._closing = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain_s
        if self._start is not None:
            self._start.cancel()
        await self._engine.close(drain_s)
        handlers = self._handlers - {asyncio.current_task()}
        if handlers:
            await asyncio.wait(handlers, timeout=max(1.0, deadline - loop.time()))

    def _log_start(self, start: asyncio.Task[None]) -> None:
        if start.cancelled():
            return
        error = start.exception()
        if error is None:
            for model in self._engine.models():
                log.info("%s: %s", model.title, model.problem or f"ready ({model.runtime})")
            return
        self._failed.set()
        if isinstance(error, EngineError):
            log.error("The engine did not start: %s", error)
        else:
            log.error("The engine did not start.", exc_info=error)
