"""Answers a test wants in place of the real ones: rate limits and failures."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace
from typing import Any

from tools.sandbox.people import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One answer to give ``times`` times, ``served`` after doing what was asked all the same."""

    method: str
    path: str
    times: int
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    served: bool = False


class Faults:
    """Hold the answers to come. Oldest first; each is used up by the requests it meets.

    Paths are shell patterns over the path below ``/api/v10``, methods may be ``*``.
    """

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def rate_limit(
        self,
        method: str,
        path: str,
        *,
        retry_after: float = 0.1,
        times: int = 1,
        everywhere: bool = False,
    ) -> None:
        """Answer 429 to the next requests.

        Args:
            method: The HTTP method.
            path: The path.
            retry_after: Seconds the bot is told to wait.
            times: How many requests.
            everywhere: Whether it is the global limit.
        """
        headers = {
            "Retry-After": str(max(1, round(retry_after))),
            "X-RateLimit-Scope": "global" if everywhere else "user",
        }
        if everywhere:
            headers["X-RateLimit-Global"] = "true"
        body: Json = {
            "message": "You are being rate limited.",
            "code": 0,
            "retry_after": retry_after,
            "global": everywhere,
        }
        self._waiting.append(
            Fault(method=method, path=path, times=times, status=429, body=body, headers=headers)
        )

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int,
        body: Any = None,
        times: int = 1,
        served: bool = False,
    ) -> None:
        """Answer the next requests with a status and, if given, a body.

        Args:
            method: The HTTP method.
            path: The path.
            status: The status.
            body: The body; Discord's own refusals have ``{"code": 50013, "message": ...}``.
            times: How many requests.
            served: Whether they are done all the same, so that only their answers are lost.
        """
        body = body or {"code": 0, "message": f"{status}: injected"}
        self._waiting.append(
            Fault(method=method, path=path, times=times, status=status, body=body, served=served)
        )

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that a request meets, once less to come."""
        for index, fault in enumerate(self._waiting):
            if fault.method in ("*", method) and fnmatch.fnmatch(path, fault.path):
                if fault.times > 1:
                    self._waiting[index] = replace(fault, times=fault.times - 1)
                else:
                    del self._waiting[index]
                return fault
        return None
