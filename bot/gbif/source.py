"""GBIF's answers: fresh from the cache, else from GBIF, else from the cache with their age."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bot.gbif.cache import GbifCache, Kept
from bot.gbif.errors import GbifNonsense, GbifRefused, GbifUnavailable
from bot.gbif.facts import Dated
from bot.gbif.questions import Question
from bot.gbif.transport import GbifTransport

T = TypeVar("T")

_SHARE = 0.75
_SHARE_IF_KEPT = 0.3
"""Of a look-up's time, how much one question may take."""


class GbifSource:
    """Asks through ``transport`` what ``cache``, if there is one, does not answer.

    A question may take a part of ``deadline_s``, less where an older answer is at hand, so
    that this can still be served in time.
    """

    def __init__(
        self, transport: GbifTransport, cache: GbifCache | None, *, deadline_s: float
    ) -> None:
        self._transport = transport
        self._cache = cache
        self._deadline_s = deadline_s

    async def json(
        self,
        question: Question,
        shape: TypeAdapter[T],
        *,
        worth_keeping: Callable[[T], bool] = lambda _: True,
        dispensable: bool = False,
    ) -> Dated[T]:
        """Return the answer in its ``shape``.

        It is ``dispensable`` where other answers are kept that will do in its place.

        Raises:
            GbifUnavailable: no usable answer came in time, or was kept.
        """
        read = partial(_read, shape)
        return await self._answer(
            question, lambda raw: json.dumps(raw).encode(), read, worth_keeping, dispensable
        )

    async def kept(self, question: Question, shape: TypeAdapter[T]) -> Dated[T] | None:
        """Return an answer that is kept, with its age where it is to be asked for again."""
        kept = await self._kept(question, partial(_read, shape))
        if kept is None:
            return None
        return Dated(kept[0], None if kept[1].age_s < question.fresh_s else kept[1].age_s)

    async def keep(self, question: Question, body: bytes) -> None:
        """Keep an answer that came with another's."""
        if self._cache is not None:
            await self._cache.put(question.checklist, question.key, body)

    async def picture(self, question: Question) -> Dated[bytes]:
        """Return the answer as it is.

        Raises:
            GbifUnavailable: no picture came in time, or was kept.
        """
        return await self._answer(question, bytes, bytes, lambda _: True)

    async def _answer(
        self,
        question: Question,
        write: Callable[[Any], bytes],
        read: Callable[[bytes], T],
        worth_keeping: Callable[[T], bool],
        dispensable: bool = False,
    ) -> Dated[T]:
        kept = await self._kept(question, read)
        if kept is not None and kept[1].age_s < question.fresh_s:
            return Dated(kept[0])
        waits = kept is None and not dispensable
        within_s = self._deadline_s * (_SHARE if waits else _SHARE_IF_KEPT)
        try:
            raw = await self._transport.ask(question.service, question.call, within_s=within_s)
            body = write(raw)
            value = read(body)
        except GbifUnavailable as error:
            if kept is None or isinstance(error, GbifRefused):
                raise
            return Dated(kept[0], kept[1].age_s)
        if worth_keeping(value):
            await self.keep(question, body)
        return Dated(value)

    async def _kept(self, question: Question, read: Callable[[bytes], T]) -> tuple[T, Kept] | None:
        if self._cache is None:
            return None
        kept = await self._cache.get(question.checklist, question.key)
        try:
            return None if kept is None else (read(kept.body), kept)
        except GbifNonsense:
            # Kept by another version of this program, which read the answer otherwise.
            return None


async def ask_all(asking: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all to their end, so that what did come is kept, and raise the first failure."""
    results = await asyncio.gather(*asking, return_exceptions=True)
    answers = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        answers.append(result)
    return answers


def _read(shape: TypeAdapter[T], body: bytes) -> T:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        raise GbifNonsense("GBIF answered with something that is no answer.") from error
