"""Every answer of GBIF to a question about a name, kept from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from pydantic import BaseModel

from bot.gbif.answer import NameAnswer
from tools.keys.resolved import Question
from tools.label_facts import LabelsError

_BEGINNING = b'[{"kingdom": '
"""Of each line: what is cut short but begins otherwise is a file of somebody else's."""


class Refusal(BaseModel):
    """An answer that is none: the question was refused, for good."""

    refused: str


Answer = NameAnswer | Refusal


def read_answer(raw: object) -> Answer:
    """Read an answer as it came, or as it was noted.

    Raises:
        ValueError: It is neither a name match nor a refusal.
    """
    if isinstance(raw, dict) and "refused" in raw:
        return Refusal.model_validate(raw)
    return NameAnswer.model_validate(raw)


class Journal:
    """Answers in a file that only grows, one line of JSON each.

    A last line that was cut short is as good as not there.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at ``path``, or begin one.

        Raises:
            LabelsError: The file is no journal.
        """
        self._path = path
        self._answers: dict[Question, tuple[date, Answer]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole, cut = _lines(path.read_bytes() if path.exists() else b"")
            for line in whole.decode("utf-8").split("\n")[:-1]:
                asked, asked_on, raw = json.loads(line)
                answer = date.fromisoformat(asked_on), read_answer(raw)
                self._answers[Question(**asked)] = answer
        except (OSError, ValueError, TypeError) as error:
            raise LabelsError(
                f"{path} is no journal of answers: name another file, or remove it."
            ) from error
        if cut:
            path.write_bytes(whole)

    def answer_to(self, question: Question) -> tuple[date, Answer] | None:
        """Return when ``question`` was answered, and how, if it was."""
        return self._answers.get(question)

    def note(self, question: Question, asked_on: date, raw: object) -> tuple[date, Answer]:
        """Write an answer down as it came, and return it read."""
        line = json.dumps([asdict(question), asked_on.isoformat(), raw], ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        self._answers[question] = asked_on, read_answer(raw)
        return self._answers[question]


def _lines(data: bytes) -> tuple[bytes, bytes]:
    """Part whole lines from one that was cut short."""
    end = data.rfind(b"\n") + 1
    whole, cut = data[:end], data[end:]
    if cut[: len(_BEGINNING)] != _BEGINNING[: len(cut)]:
        raise ValueError("The last line is none of a journal.")
    return whole, cut
