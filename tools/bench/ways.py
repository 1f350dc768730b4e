"""Who takes part in a comparison: the rebuilds of what people use today, and ours.

All take a photo's bytes and return the name of the likeliest species.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Protocol

from tools.bench.rebuilds import Hobby, Original, TensorFlowPool

_LOOK_AGAIN_S = 0.01


class Way(Protocol):
    """A way to name the species in a photo; ``start`` comes first, ``close`` last."""

    async def start(self) -> None:
        """Load what it needs."""
        ...

    async def identify(self, photo: bytes) -> str:
        """Return the scientific name of the likeliest species."""
        ...

    async def settle(self) -> None:
        """Wait until all that was started is up, after the first answer."""
        ...

    def worker_pids(self) -> Collection[int]:
        """Return the processes that hold a network."""
        ...

    def runtime(self) -> str:
        """Say what runs the network."""
        ...

    async def close(self) -> None:
        """End what was started."""
        ...


class Fieldmark:
    """Ours: the engine, asked as the bot asks it."""

    def __init__(self, *, settings: dict[str, Any], group: str) -> None:
        self._settings = settings
        self._asked = group

    async def start(self) -> None:
        """Start the engine."""
        from engine import Engine, Group
        from engine.workers.channel import Message
        from engine.workers.encoding import decode_settings

        self._group = Group(self._asked)
        self._engine = Engine(decode_settings(Message({"settings": self._settings})))
        await self._engine.start()

    async def identify(self, photo: bytes) -> str:
        """Ask the engine."""
        answer = await self._engine.identify([photo], self._group)
        return answer.candidates[0].taxon.scientific_name if answer.candidates else ""

    async def settle(self) -> None:
        """Wait for the other workers, which start after the first is ready."""
        workers = self._settings["workers"]
        while len(self._engine.worker_pids()) < workers:  # noqa: ASYNC110 - nothing tells of them
            await asyncio.sleep(_LOOK_AGAIN_S)

    def worker_pids(self) -> Collection[int]:
        """Return the engine's workers."""
        return self._engine.worker_pids()

    def runtime(self) -> str:
        """Say what the engine runs its networks with."""
        return ", ".join(sorted({m.runtime for m in self._engine.models() if m.runtime}))

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()


WAYS: dict[str, type[Original | Hobby | TensorFlowPool | Fieldmark]] = {
    "original": Original,
    "hobby": Hobby,
    "pool": TensorFlowPool,
    "fieldmark": Fieldmark,
}
