"""What the singular of a typed word may be, by the endings of plurals in a few languages.

Most names are kept in the singular, and people look for "foxes" or "Gänse" as well. An ending is no
proof: what comes of it has to be a name in the same language.
"""

from __future__ import annotations

from collections.abc import Iterator

_SINGULARS = {
    "de": (("en", ""), ("er", ""), ("e", ""), ("n", "")),
    "en": (
        *(("mice", "mouse"), ("geese", "goose"), ("ves", "f"), ("ies", "y")),
        *(("es", ""), ("s", "")),
    ),
    "es": (("ces", "z"), ("es", ""), ("s", "")),
    "fr": (("aux", "al"), ("eaux", "eau"), ("eux", "eu"), ("s", "")),
    "it": (("chi", "co"), ("che", "ca"), ("i", "o"), ("i", "e"), ("e", "a")),
    "nl": (
        *((2 * letter + "en", letter) for letter in "bdfgklmnprst"),
        *(("ven", "f"), ("zen", "s"), ("en", ""), ("s", "")),
    ),
    "pt": (("oes", "ao"), ("aes", "ao"), ("is", "l"), ("es", ""), ("s", "")),
}
"""Folded endings of plurals, and what stands in their place in the singular, by language."""

_SHORTEST = 3
"""Letters of a singular: less than that is chance."""


def singulars(key: str) -> Iterator[tuple[str, str]]:
    """Yield what a folded word may be the plural of, each with its language.

    >>> list(singulars("ganse"))
    [('gans', 'de'), ('gansa', 'it')]
    >>> list(singulars("house mice"))
    [('house mic', 'de'), ('house mouse', 'en'), ('house mica', 'it')]
    """
    for language, endings in _SINGULARS.items():
        for plural, singular in endings:
            if key.endswith(plural):
                word = key.removesuffix(plural) + singular
                if len(word) >= _SHORTEST:
                    yield word, language
