"""The countries and continents of the world as people type them, in their language or English.

Names are those of Unicode's CLDR, which babel carries. The codes of countries are ISO 3166-1
alpha-2 and ``XK`` for Kosovo: the 250 that GBIF's own list of countries has. Those of
continents are GBIF's too; they are longer, so that one code says which of the two it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from rapidfuzz import fuzz

ENGLISH = "en-US"

# What CLDR has of two letters and ISO 3166-1 has not: unions, outposts, placeholders.
_NO_COUNTRIES = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"]
)

# GBIF's continents by the UN M49 codes that CLDR names them under. North America reaches down to
# Panama in both. Antarctica is among the countries already, as AQ.
_CONTINENTS = {
    "002": "AFRICA",
    "003": "NORTH_AMERICA",
    "005": "SOUTH_AMERICA",
    "009": "OCEANIA",
    "142": "ASIA",
    "150": "EUROPE",
}

# Common English names of which CLDR's are no near spelling.
_ALSO_CALLED = {
    "america": "US",
    "burma": "MM",
    "czech republic": "CZ",
    "east timor": "TL",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "northern ireland": "GB",
    "scotland": "GB",
    "swaziland": "SZ",
    "turkey": "TR",
    "uk": "GB",
    "usa": "US",
    "wales": "GB",
}
_WITH_ARTICLE = frozenset(
    ["AE", "BQ", "BS", "CF", "DO", "GB", "GM", "IM", "IO", "KM", "MV", "NL", "PH", "TF", "UM", "US"]
)

_CLOSE_ENOUGH = 70
_FEWEST_LETTERS = 3


def is_continent(code: str) -> bool:
    """Tell whether a code is a continent's, and not a country's."""
    return code in _CONTINENTS.values()


def place_name(code: str, locale: str = ENGLISH) -> str:
    """Return the name of a country or continent in a language, such as "Austria"."""
    return _names(locale)[code]


def in_a_sentence(code: str) -> str:
    """Return the English name as it stands in a sentence: "the Netherlands".

    >>> [in_a_sentence(code) for code in ("AT", "US", "FO", "PS", "EUROPE")]
    ['Austria', 'the United States', 'the Faroe Islands', 'the Palestinian Territories', 'Europe']
    """
    name = place_name(code)
    plural = name.endswith((" Islands", " Territories"))
    return f"the {name}" if plural or code in _WITH_ARTICLE else name


def find_place(text: str, locale: str = ENGLISH) -> str | None:
    """Return the code of the country or continent that ``text`` names exactly, by code or name.

    Case, accents and punctuation do not count.
    """
    typed = _fold(text)
    return next((code for key, code in _keys(locale) if key == typed), None)


def suggest_places(text: str, locale: str = ENGLISH, limit: int = 25) -> list[str]:
    """Return the codes of up to ``limit`` places for a name that is still being typed.

    What it begins comes first, then what a later word begins with it, then what it nearly is.
    Nothing typed, and the country of ``locale`` leads, before the continents and the others.
    """
    typed = _fold(text)
    if not typed:
        return _unasked(locale)[:limit]
    best: dict[str, float] = {}
    for key, code in _keys(locale):
        score = _score(typed, key)
        if score >= _CLOSE_ENOUGH:
            best[code] = max(score, best.get(code, 0.0))
    names = _names(locale)
    return sorted(best, key=lambda code: (-best[code], names[code]))[:limit]


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


@lru_cache
def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        # Discord adds languages now and then.
        return Locale.parse(ENGLISH, sep="-")


@lru_cache
def _names(locale: str) -> Mapping[str, str]:
    names = _locale(locale).territories
    countries = {
        code: name for code, name in names.items() if len(code) == 2 and code not in _NO_COUNTRIES
    }
    return countries | {code: names[m49] for m49, code in _CONTINENTS.items()}


@lru_cache
def _keys(locale: str) -> tuple[tuple[str, str], ...]:
    """Return every folded name that a place goes by here, with its code."""
    return tuple(dict.fromkeys(_every_key(locale)))


def _every_key(locale: str) -> Iterator[tuple[str, str]]:
    for names in (_names(locale), _names(ENGLISH)):
        for code, name in names.items():
            yield _fold(name), code
    yield from _ALSO_CALLED.items()
    for code in _names(ENGLISH):
        yield _fold(code), code


def _unasked(locale: str) -> list[str]:
    spoken = _locale(locale)
    likely = get_global("likely_subtags").get(spoken.language, "")
    home = spoken.territory or likely.rpartition("_")[2]
    names = _names(locale)
    return sorted(
        names, key=lambda code: (code != home, not is_continent(code), _fold(names[code]))
    )


def _fold(text: str) -> str:
    """Take out what people leave out: case, accents, punctuation, and "and" for "&"."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and "))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in letters).split())
