"""A circuit breaker: leave a service alone that fails, and try it again with one question."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock

from bot.gbif.errors import GbifUnavailable

_FAILURES = 5
_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 600.0


class CircuitBreaker:
    """Counts the failures of one service of GBIF, from any thread.

    Closed, every question passes. ``failures`` in a row open it, or a request to wait:
    questions are then refused at once. After the pause one question passes as a probe,
    and its outcome closes the breaker or opens it again.
    """

    def __init__(
        self,
        service: str,
        *,
        failures: int = _FAILURES,
        pause_s: float = _PAUSE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._limit = failures
        self._pause_s = pause_s
        self._now = now
        self._lock = Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    def check(self) -> None:
        """Raise where a question would be refused, without asking for the probe.

        Raises:
            GbifUnavailable: the breaker is open.
        """
        with self._lock:
            self._check()

    def admit(self) -> None:
        """Let a question pass; its outcome must be told by ``succeeded`` or ``failed``.

        Raises:
            GbifUnavailable: the breaker is open.
        """
        with self._lock:
            self._check()
            self._probing = self._open_until is not None

    def succeeded(self) -> None:
        """Note that the service works."""
        with self._lock:
            self._failures = 0
            self._open_until = None
            self._probing = False

    def failed(self, pause_s: float | None = None) -> None:
        """Note that the service failed; ``pause_s`` is how long it asked to be left alone."""
        with self._lock:
            self._failures += 1
            if self._probing or self._failures >= self._limit or pause_s is not None:
                pause = self._pause_s if pause_s is None else min(pause_s, _LONGEST_PAUSE_S)
                self._open_until = self._now() + pause
            self._probing = False

    def _check(self) -> None:
        if self._open_until is None:
            return
        wait = self._open_until - self._now()
        if wait > 0:
            raise GbifUnavailable(
                f"GBIF's {self._service} failed lately; it is asked again in {math.ceil(wait)} s."
            )
        if self._probing:
            raise GbifUnavailable(f"GBIF's {self._service} failed lately; it is being tried again.")
