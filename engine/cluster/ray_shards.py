"""The shards of the index as a worker of the cluster asks them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from engine.settings import EngineSettings

_HURRIED_S = 1.0
_LOOK_AGAIN_S = 0.1


def shard_name(number: int) -> str:
    """Return the name of a shard's actor in its cluster."""
    return f"fieldmark-index-shard-{number}"


def first_line(error: RayError) -> str:
    """Say what happened; Ray puts what a call raised below the lines of where it was called."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return str(cause).strip().partition("\n")[0]


class RayShards:
    """Actors of this cluster, each known by its name, whichever of them bears it just now.

    One that died is waited for until another has taken its place, at first for as long as the
    engine starts. Later it is for half the time that a worker has for a request; and not so long
    again by those who ask after it was waited for in vain.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._count = settings.index_shards
        self._start_s = settings.start_timeout_s / 2
        self._patience_s = min(settings.stuck_after_s, settings.deadline_s) / 2
        self._within_s = self._start_s
        self._actors: dict[int, Any] = {}

    def ask(self, question: str, *about: Any) -> Sequence[Any]:
        """Ask every shard; return their answers in order, None of those that gave none in time.

        Raises:
            EngineError: what a shard raised.
        """
        give_up = time.monotonic() + self._within_s
        answers: list[Any] = [None] * self._count
        asked: dict[Any, int] = {}
        lacking = set(range(self._count))
        while lacking and (left_s := give_up - time.monotonic()) > 0:
            for number in lacking - set(asked.values()):
                if (actor := self._find(number)) is not None:
                    asked[getattr(actor, question).remote(*about)] = number
            all_asked = len(asked) == len(lacking)
            wait_s = left_s if all_asked else min(left_s, _LOOK_AGAIN_S)
            if not asked:
                time.sleep(wait_s)
                continue
            for ready in ray.wait(list(asked), num_returns=1, timeout=wait_s)[0]:
                number = asked.pop(ready)
                try:
                    answers[number] = ray.get(ready)
                except RayTaskError as error:
                    raise error.cause from error
                except RayError:
                    del self._actors[number]
                    time.sleep(_LOOK_AGAIN_S)
                else:
                    lacking.discard(number)
        self._within_s = min(_HURRIED_S, self._patience_s) if lacking else self._patience_s
        return answers

    def _find(self, number: int) -> Any | None:
        if number not in self._actors:
            try:
                self._actors[number] = ray.get_actor(shard_name(number))
            except ValueError:
                return None  # it has died, and no other has come yet
        return self._actors[number]
