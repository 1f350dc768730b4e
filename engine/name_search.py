"""Find taxa by a name that is still being typed, or was typed wrong.

What was typed is compared with whole names and with each later word on, folded; where
few names begin with it, with those that nearly do, of which rapidfuzz makes a choice in
C. What a search costs: ``fieldmark bench names``.
"""

from __future__ import annotations

import sys
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from rapidfuzz.distance import OSA, LCSseq
from rapidfuzz.process import extract

HYBRID_SIGN = "\N{MULTIPLICATION SIGN}"
SCIENTIFIC = ""
"""The language of scientific names."""

_LAST = "\U0010ffff"
_HYPHENS = "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}"
_MARKS = (
    "'.`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    f"\N{MODIFIER LETTER APOSTROPHE}{HYBRID_SIGN}"
)
# Letters that have no decomposition into one without a stroke.
_STROKES = "øłđð\N{LATIN SMALL LETTER DOTLESS I}"
_LETTERS = str.maketrans(
    _HYPHENS + _STROKES, " " * len(_HYPHENS) + "olddi", _MARKS
) | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th"})
# Of a text's first letters that are compared, at most so many may be wrong.
_TYPOS = ((9, 3), (6, 2), (4, 1))
_BEGINNINGS = (5, 8, 12, 18, sys.maxsize)
"""Lengths that names are cut to, so that a short text is compared with few and short ones."""
_CANDIDATES = 200

Entry = tuple[str, int, str, str]
"""A folded name, the row of its taxon, its language and the name as written."""


def fold(name: str) -> str:
    """Reduce ``name`` to what names are compared by.

    Case and accents go, and apostrophes, full stops and the hybrid sign (or an
    ``x`` that stands alone in its place); hyphens become spaces and spaces are collapsed.
    """
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(c for c in decomposed if not unicodedata.combining(c))
    first, *others = name.casefold().translate(_LETTERS).split() or [""]
    return " ".join([first, *(word for word in others if word != "x")])


class NameSearch:
    """Every name of every taxon, in order.

    Args:
        names: The row of a taxon, the language of a name of it (``SCIENTIFIC`` or a BCP 47
            language) and the name. Of names of a taxon that fold alike the first is kept.
        tier: How far back each row stands among equally good hits.
    """

    def __init__(self, names: Iterable[tuple[int, str, str]], tier: bytes) -> None:
        unique: dict[tuple[str, int], tuple[str, str]] = {}
        for row, language, name in names:
            if key := fold(name):
                unique.setdefault((key, row), (language, name))
        self._entries: list[Entry] = sorted((*id_, *name) for id_, name in unique.items())
        self._tier = tier
        self._names = _Ordered((entry[0], n) for n, entry in enumerate(self._entries))
        self._later_words = _Ordered(
            (entry[0][at + 1 :], n)
            for n, entry in enumerate(self._entries)
            for at, letter in enumerate(entry[0])
            if letter == " "
        )
        self._misspellings = _Misspellings((self._names, self._later_words))

    def named(self, name: str, languages: Callable[[str], bool]) -> Iterator[int]:
        """Yield the rows of the taxa called ``name`` in one of ``languages``."""
        if key := fold(name):
            for _, number in self._names.equal(key):
                _, row, language, _ = self._entries[number]
                if languages(language):
                    yield row

    def suggest(self, text: str, limit: int, language: str) -> dict[int, str]:
        """Return up to ``limit`` rows, best first, each with the name that was hit.

        A name that is ``text`` comes first, then names that begin with it, then names of
        which a later word does, then names that do so but for a typo or more. Within
        each, scientific and English names and those in ``language`` lead.
        """
        found: dict[int, str] = {}
        key = fold(text)
        if not key or limit < 1:
            return found
        own = frozenset({SCIENTIFIC, "en", language})
        for number in self._hits(key, own):
            _, row, _, name = self._entries[number]
            found.setdefault(row, name)
            if len(found) == limit:
                break
        return found

    def _hits(self, key: str, own: frozenset[str]) -> Iterator[int]:
        """Yield the numbers of entries, best first; what is not asked for is not searched.

        Who typed what begins a name in a language of theirs meant no other one, unless
        that is all typed but for one typo.
        """
        begun = False
        for index in (self._names, self._later_words):
            hits = [(name != key, *self._standing(n, own), n) for name, n in index.starting(key)]
            yield from (hit[-1] for hit in sorted(hits))
            begun = begun or not all(foreign for _, foreign, _, _ in hits)
        near = [
            (typos, goes_on, differs, *self._standing(n, own), n)
            for (typos, goes_on, differs), n in self._misspellings.near(key)
            if not begun or (typos <= 1 and not goes_on)
        ]
        yield from (hit[-1] for hit in sorted(near))

    def _standing(self, number: int, own: frozenset[str]) -> tuple[bool, int]:
        _, row, language, _ = self._entries[number]
        return language not in own, self._tier[row]


class _Ordered:
    """Folded names or ends of names in order, each with the number of its entry."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        self.pairs = sorted(names)
        self._keys = [key for key, _ in self.pairs]

    def starting(self, prefix: str) -> list[tuple[str, int]]:
        """Return the names that begin with ``prefix``."""
        return self._between(prefix, prefix + _LAST)

    def equal(self, name: str) -> list[tuple[str, int]]:
        """Return the names that are ``name``."""
        return self._between(name, name + "\0")

    def _between(self, first: str, end: str) -> list[tuple[str, int]]:
        return self.pairs[bisect_left(self._keys, first) : bisect_left(self._keys, end)]


class _Misspellings:
    """Names that nearly begin with what was typed. Spaces do not count: "blutit" is near."""

    def __init__(self, indexes: Iterable[_Ordered]) -> None:
        self._entries: defaultdict[str, list[int]] = defaultdict(list)
        for index in indexes:
            for key, number in index.pairs:
                self._entries[key.replace(" ", "")].append(number)
        self._beginnings = [_Beginnings(self._entries, length) for length in _BEGINNINGS]

    def near(self, key: str) -> Iterator[tuple[tuple[int, bool, bool], int]]:
        """Yield how near a name is, and the number of its entry.

        How near: by how many typos, whether the name goes on, whether it starts otherwise.
        """
        typed = key.replace(" ", "")
        typos = next((typos for length, typos in _TYPOS if len(typed) >= length), 0)
        if not typos:
            return
        beginnings = next(b for b in self._beginnings if b.length >= len(typed) + typos)
        for name in beginnings.like(typed, typos):
            distance, goes_on = _distance(typed, name, typos)
            if distance <= typos:
                how = (distance, goes_on, name[0] != typed[0])
                yield from ((how, number) for number in self._entries[name])


class _Beginnings:
    """The first ``length`` letters of every name, each once, shorter ones first."""

    def __init__(self, names: Iterable[str], length: int) -> None:
        self.length = length
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            self._names[name[:length]].append(name)
        self._ordered = sorted(self._names, key=lambda beginning: (len(beginning), beginning))
        self._lengths = [len(beginning) for beginning in self._ordered]

    def like(self, typed: str, typos: int) -> Iterator[str]:
        """Yield names that may nearly begin with ``typed``, and no few that do not."""
        needed = len(typed) - typos
        shortest = bisect_left(self._lengths, needed)
        # Letters that were typed and are there, in order: a bound that is quick to compute.
        candidates = extract(
            typed,
            self._ordered[shortest:],
            scorer=LCSseq.similarity,
            processor=None,
            score_cutoff=needed,
            limit=_CANDIDATES,
        )
        for beginning, _, _ in candidates:
            yield from self._names[beginning]


def _distance(typed: str, name: str, most: int) -> tuple[int, bool]:
    """Return the fewest typos that make ``typed`` of a beginning of ``name``, or of all of it.

    The whole name is preferred to a beginning as near; a distance above ``most`` is any.
    """
    ends = range(max(1, len(typed) - most), min(len(name), len(typed) + most) + 1)
    return min(
        (OSA.distance(typed, name[:end], score_cutoff=most), end < len(name)) for end in ends
    )
