"""Codes that have a name in every language, such as countries', found as people type the names.

Names are those of Unicode's CLDR, which babel carries.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from babel import Locale, UnknownLocaleError
from rapidfuzz.distance import OSA, Indel

ENGLISH = "en-US"

# Of at least so many letters so many may be wrong, never the first. What is half typed, too, must
# have seven: "Vienna" is a typo from "Vietna", "Paris" from "Pakis".
_TYPOS = ((7, 2), (4, 1))
_HALF_TYPED = 7
_STROKES = str.maketrans("øłđ\N{LATIN SMALL LETTER DOTLESS I}", "oldi")

_Distance: TypeAlias = tuple[int, int]


class NamedCodes:
    """Finds codes by name, in a member's language or in English, or by the code itself.

    ``names`` gives the name of each code in a locale, the same codes in all; ``also`` are further
    names, whatever the locale, with their codes; ``unasked`` orders a locale's codes for who has
    typed nothing yet. Case, accents and punctuation never count.
    """

    def __init__(
        self,
        names: Callable[[str], Mapping[str, str]],
        *,
        also: Mapping[str, str],
        unasked: Callable[[str], list[str]],
    ) -> None:
        self._names = lru_cache(names)
        self._also = {fold(name): code for name, code in also.items()}
        self._unasked = unasked
        self._keys = lru_cache(self._keys_in)

    def name(self, code: str, locale: str = ENGLISH) -> str:
        """Return the name of ``code`` in a locale's language, such as "Austria"."""
        return self._names(locale)[code]

    def find(self, text: str, locale: str = ENGLISH) -> str | None:
        """Return the code that ``text`` is, as a choice sends it, or that it names exactly."""
        if text in self._names(ENGLISH):
            # Folded it may be a name: in Vietnamese Austria is "Áo", and AO Angola.
            return text
        typed = fold(text)
        return next((code for key, code in self._keys(locale) if key == typed), None)

    def suggest(self, text: str, locale: str = ENGLISH, limit: int = 25) -> list[str]:
        """Return up to ``limit`` codes for a name that is still being typed.

        What is called so comes first, then what it begins, then what a later word begins with
        it; where there is none of these, what it is but for a typo or two.
        """
        typed = fold(text)
        if not typed:
            return self._unasked(locale)[:limit]
        best = self._best(typed, locale, _fit) or self._best(typed, locale, _typos)
        names = self._names(locale)
        return sorted(best, key=lambda code: (best[code], names[code]))[:limit]

    def _best(
        self, typed: str, locale: str, measure: Callable[[str, str], _Distance | None]
    ) -> dict[str, _Distance]:
        """Return how far the nearest name of each code is from what was typed, if any is near."""
        best: dict[str, _Distance] = {}
        for key, code in self._keys(locale):
            distance = measure(typed, key)
            if distance is not None:
                best[code] = min(distance, best.get(code, distance))
        return best

    def _keys_in(self, locale: str) -> tuple[tuple[str, str], ...]:
        """Return every folded name that a code goes by here, with the code."""
        return tuple(dict.fromkeys(self._every_key(locale)))

    def _every_key(self, locale: str) -> Iterator[tuple[str, str]]:
        for names in (self._names(locale), self._names(ENGLISH)):
            for code, name in names.items():
                yield fold(name), code
        yield from self._also.items()
        for code in self._names(ENGLISH):
            yield fold(code), code


@lru_cache
def spoken_in(locale: str) -> Locale:
    """Return what CLDR knows of one of Discord's locales; of one that it lacks, English."""
    try:
        return Locale.parse(locale, sep="-")
    except (UnknownLocaleError, ValueError):
        # Discord adds languages now and then.
        return Locale.parse(ENGLISH, sep="-")


def fold(text: str) -> str:
    """Take out what people leave out: case, accents, strokes, punctuation; "&" becomes "and"."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and "))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    plain = letters.casefold().translate(_STROKES)
    return " ".join("".join(c if _spells(c) else " " for c in plain).split())


def _spells(character: str) -> bool:
    """Tell whether a character is a part of a word; in Hindi vowels are marks, and no letters."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _fit(typed: str, key: str) -> _Distance | None:
    """Tell, nearest first, whether ``typed`` is a name, begins one, or begins a later word."""
    if key == typed:
        return 0, 0
    if key.startswith(typed):
        return 1, 0
    return (2, 0) if f" {typed}" in key else None


def _typos(typed: str, key: str) -> _Distance | None:
    """Return how many typos make ``typed`` of a name or its beginning, if few enough.

    Of as many typos, a letter left out is likelier than one in place of another.
    """
    most = next((typos for length, typos in _TYPOS if len(typed) >= length), 0)
    if not most or key[:1] != typed[:1]:
        return None
    ends = {len(key)}
    if len(typed) >= _HALF_TYPED:
        ends.update(range(len(typed) - most, min(len(key), len(typed) + most + 1)))
    typos, letters = min(
        (OSA.distance(typed, key[:end]), Indel.distance(typed, key[:end])) for end in ends
    )
    return (typos, letters) if typos <= most else None
