"""The country of a position, looked up on this machine.

Each question gets a process of its own (``engine.locate``), since the gazetteer takes a second
to read and 300 MB: too much to keep for what few members ask. The position goes there over a
socket pair, and not as an argument, which others on the machine could see.
"""

from __future__ import annotations

import asyncio

from engine.contracts import Coordinates, EngineFailed
from engine.workers.backend import WorkerStartFailed
from engine.workers.channel import Message
from engine.workers.process import WorkerProcess

_WITHIN_S = 15.0


class Atlas:
    """Knows which country a position lies in, by the nearest city or village; one at a time.

    Args:
        within_s: how long an answer may take, waiting for those before it included.
    """

    def __init__(self, *, within_s: float = _WITHIN_S) -> None:
        self._within_s = within_s
        self._turn = asyncio.Lock()

    async def country_at(self, position: Coordinates) -> str | None:
        """Return the ISO 3166-1 alpha-2 code; None where no settlement is within 200 km.

        Raises:
            EngineFailed: the process died, or was too slow.
        """
        question = Message({"latitude": position.latitude, "longitude": position.longitude})
        try:
            async with asyncio.timeout(self._within_s), self._turn:
                process, answer = await WorkerProcess.spawn(
                    "engine.locate", question, within_s=self._within_s
                )
                await process.stop()
        except (WorkerStartFailed, TimeoutError) as error:
            raise EngineFailed("The country of a photo could not be looked up.") from error
        country: str | None = answer.body["country"]
        return country
