"""Codes that have a name in every language, such as countries', found as people type the names.

Names are those of Unicode's CLDR, which babel carries.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from rapidfuzz import fuzz

ENGLISH = "en-US"

_CLOSE_ENOUGH = 70
_FEWEST_LETTERS = 3


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

        What it begins comes first, then what a later word begins with it, then what it nearly is.
        """
        typed = fold(text)
        if not typed:
            return self._unasked(locale)[:limit]
        best: dict[str, float] = {}
        for key, code in self._keys(locale):
            score = _score(typed, key)
            if score >= _CLOSE_ENOUGH:
                best[code] = max(score, best.get(code, 0.0))
        names = self._names(locale)
        return sorted(best, key=lambda code: (-best[code], names[code]))[:limit]

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
    """Take out what people leave out: case, accents, punctuation, and "and" for "&"."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and "))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return " ".join("".join(c if _spells(c) else " " for c in letters).split())


def _spells(character: str) -> bool:
    """Tell whether a character is a part of a word; in Hindi vowels are marks, and no letters."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _score(typed: str, key: str) -> float:
    """Say how well ``typed`` fits a name: 300 is the name itself, 100 at most is a guess."""
    if key == typed:
        return 300.0
    if key.startswith(typed):
        return 200.0
    if f" {typed}" in key:
        return 150.0
    if len(typed) < _FEWEST_LETTERS:
        return 0.0
    return max(fuzz.ratio(typed, key), fuzz.ratio(typed, key[: len(typed)]))
