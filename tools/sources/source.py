"""What every source of labelled photos gives, and how it ends when it cannot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.photos.filetype import file_type
from engine import Taxon

MAX_PHOTO_BYTES = 25 << 20
"""The largest file that is taken for a photo, in bytes."""

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and how far it goes where that is known."""


class SourceError(Exception):
    """The source cannot be used, or went away; ``str`` is one sentence: what, and what to do."""


class PhotoSkipped(Exception):
    """One photo cannot be had; ``str`` is the reason in a few words, the same for its like.

    ``final`` is False where another attempt, later, may have it.
    """

    def __init__(self, reason: str, *, final: bool = True) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePhoto:
    """One photo with its species and what is owed to its author.

    ``taxon`` is the row of the taxon table, or a new taxon where the table has none.
    ``name`` is what people find it by: its path from the source's folder, or its page's address.
    ``source`` names the kind of source, ``licence`` is text for people (``"CC BY 4.0"``),
    ``attribution`` names the author, and ``url`` is a page about the photo. ``identity``
    is the same whenever the photo is met again, so that it is never taken in twice.
    """

    data: bytes = field(repr=False)
    taxon: Taxon
    name: str
    source: str
    licence: str
    attribution: str
    url: str | None
    identity: str

    @property
    def scientific_name(self) -> str:
        """The taxon's name."""
        return self.taxon.scientific_name


class Source(ABC):
    """Labelled photos, one after another.

    ``total`` is how many photos the source has, or None while that is not known; ``seen``
    is how many of them are behind us: given out, skipped or already done. ``skipped`` counts
    photos that could not be used, by reason, ``examples`` names one for each reason where it has
    a name, and ``notes`` holds sentences for people about what is missing.
    """

    def __init__(self) -> None:
        self.total: int | None = None
        self.seen = 0
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.notes: list[str] = []

    @abstractmethod
    def photos(self, done: Container[str]) -> Iterator[SourcePhoto]:
        """Give every usable photo whose identity is not in ``done``, each once.

        A source that must read a photo to know it gives those in ``done``, too: who keeps them
        learns what they are labelled by now.

        Raises:
            SourceError: the source as a whole is unusable or went away. What was given
                out before is good.
        """

    def report(self) -> Iterator[str]:
        """Give the notes, and a sentence for each reason why photos were skipped."""
        yield from self.notes
        for reason, photos in self.skipped.most_common():
            example = f", such as {self.examples[reason]}" if reason in self.examples else ""
            yield f"Skipped {photos:,}: {reason}{example}."

    def _skip(self, reason: str, name: str | None = None) -> None:
        self.skipped[reason] += 1
        if name is not None:
            self.examples.setdefault(reason, name)


def check_photo(data: bytes) -> bytes:
    """Return ``data`` if it begins like a photo.

    Raises:
        PhotoSkipped: it is something else, by its first bytes.
    """
    kind = file_type(data)
    if not kind.photo:
        raise PhotoSkipped(f"not a photo but {kind.name}")
    return data
