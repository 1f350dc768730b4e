"""Put questions to GBIF's name matching, one at a time, and write every answer down.

A run that was stopped, by anyone or by GBIF, goes on where it was: what the journal
answers is not asked. A server that asks for a pause gets it; one that stays away ends
the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from bot.gbif.answer import NameAnswer
from bot.gbif.client import API, BACKBONE
from tools.keys.journal import Journal, read_answer
from tools.keys.match import SOURCE, judge, parameters
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.resolved import Question

if TYPE_CHECKING:
    from requests import PreparedRequest

PATIENCE = Retry(total=4, backoff_factor=1.0, backoff_max=30)
_TIMEOUT_S = (3.05, 10)
_LONGEST_WAIT_S = 120.0
# Worth another try; every other refusal is an answer.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class GbifLost(Exception):
    """GBIF does not answer any more; the message says how, in one sentence."""


class _TryAgain(Exception):
    """GBIF asks for another attempt, after ``wait_s`` where it says so."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Asker:
    """Asks GBIF through pygbif, one question after another.

    ``contact`` is where GBIF reaches whoever runs this; ``base_url`` and ``wait`` are for
    tests.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        today: date,
        contact: str = "",
        base_url: str = API,
        patience: Retry = PATIENCE,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._journal = journal
        self._today = today
        self._dress = partial(_dress, base_url=base_url, contact=contact)
        self._patience = patience
        self._wait = wait

    def ask(self, question: Question) -> Outcome:
        """Return what GBIF says to ``question``, now or in the journal.

        Raises:
            GbifLost: GBIF does not answer, or asks to be left alone.
        """
        if question.rank == "hybrid":
            return Unresolved(question=question, doubt=Doubt.FORMULA, source="")
        noted = self._journal.answer_to(question)
        if noted is None:
            raw = self._answer(parameters(question))
            noted = self._journal.note(question, self._today, raw)
        asked_on, answer = noted
        if isinstance(answer, NameAnswer):
            return judge(question, answer, asked_on)
        return Unresolved(
            question=question, doubt=Doubt.REFUSED, source=SOURCE, detail=answer.refused
        )

    def _answer(self, asked: Mapping[str, str]) -> Any:
        left = self._patience
        while True:
            try:
                return _name_backbone(asked, self._dress)
            except _TryAgain as error:
                wait_s = error.wait_s
                if wait_s is not None and wait_s > _LONGEST_WAIT_S:
                    raise GbifLost(f"GBIF asks to be left alone for {wait_s:.0f} s") from error
                try:
                    left = left.increment("GET", API)
                except MaxRetryError:
                    raise GbifLost(f"GBIF does not answer ({error})") from error
                self._wait(left.get_backoff_time() if wait_s is None else wait_s)


def _name_backbone(asked: Mapping[str, str], dress: Any) -> Any:
    """Ask once; a refusal that is final is an answer like another."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # Importing pygbif loads pyplot.
    from pygbif.gbifutils import NoResultException
    from pygbif.species import name_backbone
    from requests import HTTPError

    try:
        raw = name_backbone(**asked, checklistKey=BACKBONE, timeout=_TIMEOUT_S, auth=dress)
        read_answer(raw)
    except HTTPError as error:
        status = error.response.status_code
        if status not in _PASSING:
            return {"refused": f"{status} {error.response.reason}"}
        wait_s = _retry_after_s(error.response.headers.get("Retry-After"))
        raise _TryAgain(f"{status} {error.response.reason}", wait_s) from error
    except (OSError, ValueError, KeyError, NoResultException) as error:
        raise _TryAgain(type(error).__name__) from error
    return raw


def _retry_after_s(text: str | None) -> float | None:
    try:
        return None if text is None else PATIENCE.parse_retry_after(text)
    except InvalidHeader:
        return None


def _dress(request: PreparedRequest, *, base_url: str, contact: str) -> PreparedRequest:
    """Put our name on a request of pygbif, and our server into its address."""
    signature = f"Fieldmark ({contact})" if contact else "Fieldmark"
    request.headers["User-Agent"] = f"{signature} {request.headers['User-Agent']}"
    if request.url is not None:
        request.url = base_url + request.url.removeprefix(API)
    return request
