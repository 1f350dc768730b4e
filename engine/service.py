"""The engine as the rest of Fieldmark sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from engine.atlas import Atlas
from engine.contracts import (
    Group,
    Identification,
    Learnt,
    ModelInfo,
    ReferencePhoto,
    Requester,
    Taxon,
)
from engine.rollup import CERTAINTY
from engine.settings import EngineSettings
from engine.workers.admission import Ticket
from engine.workers.backend import Backend
from engine.workers.channel import Message
from engine.workers.encoding import (
    decode_answer,
    decode_coordinates,
    decode_forgotten,
    decode_learnt,
    decode_models,
    decode_world_map,
    encode_forgetting,
    encode_gps_question,
    encode_lesson,
    encode_settings,
    encode_tiles,
    prepare_to_read,
)
from engine.workers.pool import WorkerPool
from engine.workers.process import ProcessBackend

_WORKER = "engine.worker"


class Engine:
    """Names the species in photos, in worker processes of this machine or of a Ray cluster.

    Use as an async context manager, or call ``start`` and ``close``.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._models: tuple[ModelInfo, ...] = ()
        self._pool = WorkerPool(
            _backend(settings),
            queue_limit=settings.queue_limit,
            queue_mb=settings.queue_mb,
            deadline_s=settings.deadline_s,
            stuck_after_s=settings.stuck_after_s,
        )
        self._atlas = Atlas()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Have the workers started and return when the first is ready.

        Raises:
            EngineFailed: the workers die at start, or it was closed meanwhile.
        """
        self._models = decode_models(await self._pool.start())

    def models(self) -> tuple[ModelInfo, ...]:
        """Return what the catalog lists and how it stands here; empty until started."""
        return self._models

    def worker_pids(self) -> frozenset[int]:
        """Return the process ids of the workers alive now, for monitoring."""
        return frozenset(self._pool.pids)

    def check_room(self, requester: Requester | None) -> None:
        """Refuse what would be refused now, before photos are fetched for it.

        Raises:
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineFailed: no worker can be started.
        """
        self._pool.check_room(requester)

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
        """Identify one individual from one or several photos of it.

        ``limit`` is how many candidates to return; ``preview`` asks for a small JPEG of
        the first photo; ``certainty`` is how probable the verdict must be. ``requester`` is
        who takes turns with the others where requests have to wait, and ``ticket`` tells
        meanwhile how many are ahead. May be cancelled.

        Raises:
            PhotoRejected: none of the photos can be used; where some can, a note says which not.
            ModelUnavailable: no network on this machine answers for ``group``.
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineTimeout: no answer before the deadline.
            EngineFailed: the workers fail on this request or do not start.
        """
        asked = {
            "group": group.value,
            "limit": limit,
            "preview": preview,
            "certainty": certainty,
        }
        request = Message(asked, tuple(photos))
        answer, queued_s = await self._pool.submit(request, requester, ticket)
        identification = decode_answer(answer)
        timings = {"queue": round(queued_s * 1000, 1), **identification.timings_ms}
        return replace(identification, timings_ms=timings)

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
        """Add a labelled photo to the index; every worker knows it from its next photo on.

        Only its vector is kept, and beside it the ``identity`` by which it can be forgotten,
        which no other photo must have. To learn the same under the same identity again changes
        nothing and is answered as the first time. ``preview``, ``requester`` and ``ticket`` are
        as for ``identify``.

        Raises:
            PhotoRejected: the photo cannot be used.
            ModelUnavailable: there is no index on this machine.
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineTimeout: not done before the deadline, and not done later either.
            EngineFailed: the index cannot be written or is being changed, or the workers fail.
        """
        lesson = encode_lesson(photo, taxon, reference, identity, preview=preview)
        answer, _ = await self._pool.submit(lesson, requester, ticket)
        return decode_learnt(answer)

    async def forget(self, identity: str, *, requester: Requester | None = None) -> bool:
        """Take the photo that was learnt under ``identity`` out of the index again.

        Every worker knows so from its next photo on. Returns False where there was none.
        ``requester`` is as for ``identify``.

        Raises:
            ModelUnavailable: there is no index on this machine.
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineTimeout: not done before the deadline.
            EngineFailed: the photo was merged into too large a segment, the index cannot be
                written, or the workers fail.
        """
        answer, _ = await self._pool.submit(encode_forgetting(identity), requester)
        return decode_forgotten(answer)

    async def world_map(
        self,
        basemap: Sequence[bytes],
        density: Sequence[bytes],
        *,
        requester: Requester | None = None,
    ) -> bytes:
        """Make one PNG of the world from its west and its east, each a PNG tile or empty.

        ``requester`` is as for ``identify``.

        Raises:
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineTimeout: no answer before the deadline.
            EngineFailed: a tile cannot be read, or the workers fail.
        """
        answer, _ = await self._pool.submit(encode_tiles(basemap, density), requester)
        return decode_world_map(answer)

    async def country_of(self, photo: bytes, *, requester: Requester | None = None) -> str | None:
        """Return the ISO 3166-1 alpha-2 code of the country that a photo's GPS lies in.

        None where the photo carries no coordinates, or such as lie far out at sea. They are
        looked up on this machine, and neither stored nor logged. ``requester`` is as for
        ``identify``.

        Raises:
            EngineBusy: too many requests are waiting, or too many of the requester's.
            EngineTimeout: no answer before the deadline.
            EngineFailed: the country cannot be looked up, or the workers fail.
        """
        answer, _ = await self._pool.submit(encode_gps_question(photo), requester)
        coordinates = decode_coordinates(answer)
        return None if coordinates is None else await self._atlas.country_at(coordinates)

    async def close(self, drain_s: float = 10.0) -> None:
        """Take nothing new, finish what runs within ``drain_s`` seconds, end the workers."""
        await self._pool.close(drain_s)


def _backend(settings: EngineSettings) -> Backend:
    hello = encode_settings(settings)
    if settings.backend == "ray":
        from engine.cluster.backend import RayBackend

        return RayBackend(
            _WORKER,
            hello,
            address=settings.address,
            workers=settings.workers,
            threads=settings.threads,
            shards=settings.index_shards,
            start_timeout_s=settings.start_timeout_s,
        )
    return ProcessBackend(
        _WORKER,
        hello,
        workers=settings.workers,
        start_timeout_s=settings.start_timeout_s,
        meanwhile=prepare_to_read,
    )
