"""Turns at a message: what concerns the same one is decided one after another, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock for each message, kept for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def of(self, message_id: int) -> asyncio.Lock:
        """Return the lock of a message; who comes first goes first."""
        lock = self._locks.get(message_id)
        if lock is None:
            lock = self._locks[message_id] = asyncio.Lock()
        return lock


class Choices:
    """What was chosen below which message, where the last choice counts, however long each takes.

    ``turns`` are for showing what came of them.
    """

    def __init__(self) -> None:
        self.turns = Turns()
        self._last: dict[int, object] = {}

    @contextmanager
    def made(self, message_id: int) -> Iterator[Callable[[], bool]]:
        """Note a choice; what is given tells whether it still is the last."""
        choice = object()
        self._last[message_id] = choice
        try:
            yield lambda: self._last.get(message_id) is choice
        finally:
            if self._last.get(message_id) is choice:
                del self._last[message_id]
