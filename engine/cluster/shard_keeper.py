"""Who keeps the shards of the index alive, spread over the nodes of the cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from engine.cluster.index_shard import IndexShard
from engine.cluster.ray_shards import first_line, shard_name
from engine.index.shard import spread

log = logging.getLogger(__name__)

_SEARCHES_AT_ONCE = 8
_SHUN_S = 30.0


class ShardKeeper:
    """Has an actor for each shard, and another elsewhere when it is lost.

    They claim no processors: a worker waits while they search for it.
    """

    def __init__(self, shards: int, watch: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._shards = shards
        self._watch = watch
        self._homes: dict[int, str] = {}
        self._actors: dict[int, Any] = {}
        self._shunned: dict[str, float] = {}

    def settle(self, nodes: Sequence[str]) -> None:
        """See that every shard has an actor, and none of the ``nodes`` too many of them."""
        now = time.monotonic()
        shunned = {node for node, until in self._shunned.items() if until > now}
        for number, node in spread(self._shards, self._homes, nodes, shunned).items():
            if self._homes.get(number) == node:
                continue
            if number in self._actors:
                log.info("Shard %d of the index moves to node %s.", number, node[:8])
                ray.kill(self._actors.pop(number))
            self._start(number, node)

    def _start(self, number: int, node: str) -> None:
        options = {
            "name": shard_name(number),
            "num_cpus": 0,
            "max_concurrency": _SEARCHES_AT_ONCE + 1,
            "max_restarts": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        try:
            actor = ray.remote(IndexShard).options(**options).remote(number, self._shards)
        except ValueError:
            self._homes.pop(number, None)  # the one before still has the name: the next time, then
            return
        self._homes[number] = node
        self._actors[number] = actor
        self._watch(self._mourn(number, actor))

    async def _mourn(self, number: int, actor: Any) -> None:
        try:
            await actor.live.remote()
        except RayError as error:
            if self._actors.get(number) is not actor:
                return
            log.warning("Shard %d of the index ended (%s).", number, first_line(error))
            del self._actors[number]
            home = self._homes.pop(number)
            if isinstance(error, ActorUnavailableError):
                # Its node may have died, which Ray takes ten seconds to say; or it lives on,
                # bears the name, and nobody asks it any more.
                self._shunned[home] = time.monotonic() + _SHUN_S
                ray.kill(actor)
