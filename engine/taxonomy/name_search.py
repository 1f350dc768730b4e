"""Find taxa by a name that is still being typed, or was typed wrong.

What was typed is compared with whole names and with each later word on, folded; where
few names begin with it, with those that nearly do (``engine.taxonomy.misspellings``). What a search
costs: ``fieldmark bench names``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from engine.taxonomy.ordered_names import OrderedNames, beginning, sort_by_parts
from engine.taxonomy.plurals import singulars

if TYPE_CHECKING:
    from engine.taxonomy.misspellings import Misspellings

HYBRID_SIGN = "\N{MULTIPLICATION SIGN}"
SCIENTIFIC = ""
"""The language of scientific names."""

_HYPHENS = "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}"
_MARKS = (
    "'.`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    f"\N{MODIFIER LETTER APOSTROPHE}\N{VARIATION SELECTOR-16}{HYBRID_SIGN}"
)
# Emoji and the like, what tints them, and what nobody sees.
_NO_LETTERS = frozenset({"So", "Sk", "Cf"})
# Letters that have no decomposition into one without a stroke.
_STROKES = "øłđð\N{LATIN SMALL LETTER DOTLESS I}"
_LETTERS = str.maketrans(
    _HYPHENS + _STROKES, " " * len(_HYPHENS) + "olddi", _MARKS
) | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th"})

_MORE_TYPOS = 1
"""How many more typos than in the nearest name there may be in one that is offered beside it."""

Entry = tuple[str, int, tuple[str, ...], tuple[str, ...], bool]
"""A folded name, the row of its taxon, its languages, the name as written in each of them, and
whether in each the taxon has a name that goes before it."""

_Hit = tuple[bool, int, bool, int]
"""How an entry stands among others, and its number."""


def fold(name: str) -> str:
    """Reduce ``name`` to what names are compared by.

    Case, accents and emoji go, and apostrophes, full stops and the hybrid sign (or an
    ``x`` that stands alone in its place); hyphens become spaces and spaces are collapsed.
    """
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(c for c in decomposed if not _is_left_out(c))
    first, *others = name.casefold().translate(_LETTERS).split() or [""]
    return " ".join([first, *(word for word in others if word != "x")])


def _is_left_out(character: str) -> bool:
    accent = unicodedata.combining(character) != 0
    return accent or unicodedata.category(character) in _NO_LETTERS


class NameSearch:
    """Every name of every taxon, in order.

    Args:
        names: The row of a taxon, the language of a name of it (``SCIENTIFIC`` or a BCP 47
            language) and the name, in each language the leading one first. Of names of a taxon
            in a language that fold alike the first is kept.
        tier: How far back each row stands among equally good hits.
    """

    def __init__(self, names: Iterable[tuple[int, str, str]], tier: bytes) -> None:
        written: dict[tuple[str, int], dict[str, str]] = {}
        leads: dict[tuple[int, str], str] = {}
        for row, language, name in names:
            if key := fold(name):
                written.setdefault((key, row), {}).setdefault(language, name)
                leads.setdefault((row, language), key)
        entries: Iterable[Entry] = (
            (
                key,
                row,
                (*spoken,),
                (*spoken.values(),),
                all(leads[row, one] != key for one in spoken),
            )
            for (key, row), spoken in written.items()
        )
        self._entries = sort_by_parts(entries, lambda entry: beginning(entry[0]))
        self._tier = tier
        self._names = OrderedNames((entry[0], n) for n, entry in enumerate(self._entries))

    def prepare(self) -> None:
        """Make what only ``suggest`` needs now, not when it is first called."""
        _ = self._misspellings

    @cached_property
    def _later_words(self) -> OrderedNames:
        return OrderedNames(
            (entry[0][at + 1 :], n)
            for n, entry in enumerate(self._entries)
            for at, letter in enumerate(entry[0])
            if letter == " "
        )

    @cached_property
    def _misspellings(self) -> Misspellings:
        # Only who searches needs what it imports.
        from engine.taxonomy.misspellings import Misspellings

        return Misspellings((*self._names.pairs, *self._later_words.pairs))

    def named(self, name: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield the row and the languages of each name that is ``name``.

        Where none is, of those that ``name`` may be the plural of.
        """
        key = fold(name)
        numbers = [n for _, n in self._names.equal(key)] if key else []
        for number in numbers or self._in_singular(key, self._names):
            _, row, languages, _, _ = self._entries[number]
            yield row, languages

    def suggest(
        self, text: str, limit: int, language: str, among: Container[int] | None = None
    ) -> dict[int, str]:
        """Return up to ``limit`` rows, best first, each with the name that was hit.

        Only rows ``among`` those given, if any are.

        A name that is ``text``, or its singular, comes first, then names in the reader's languages
        that end in it, as "Barn Owl" in "owl", then names that begin with it, then names of which
        a later word does, then names that do so but for a typo or more. Within each, scientific
        and English names and those in ``language`` lead, and of a taxon's the one it is known by.
        """
        found: dict[int, str] = {}
        key = fold(text)
        if not key or limit < 1:
            return found
        own = frozenset({SCIENTIFIC, "en", language})
        for number in self._hits(key, language, own):
            _, row, languages, names, _ = self._entries[number]
            if among is not None and row not in among:
                continue
            in_own = (n for spoken, n in zip(languages, names, strict=True) if spoken == language)
            found.setdefault(row, next(in_own, names[0]))
            if len(found) == limit:
                break
        return found

    def _hits(self, key: str, language: str, own: frozenset[str]) -> Iterator[int]:
        """Yield the numbers of entries, best first; what is not asked for is not searched.

        Who typed what begins a name in a language of theirs meant no other one, unless
        that is all typed but for one typo.
        """
        begun = False
        for hits in self._spelt_so(key, language, own):
            yield from (hit[-1] for hit in hits)
            begun = begun or not all(foreign for foreign, *_ in hits)
        near = [
            (typos, goes_on, differs, *self._standing(n, own), n)
            for (typos, goes_on, differs), n in self._misspellings.near(key)
            if not begun or (typos <= 1 and not goes_on)
        ]
        fewest = min((hit[0] for hit in near), default=0)
        yield from (hit[-1] for hit in sorted(near) if hit[0] <= fewest + _MORE_TYPOS)

    def _spelt_so(self, key: str, language: str, own: frozenset[str]) -> Iterator[list[_Hit]]:
        """Yield entries that hold ``key``, the nearest kind first; in each the best lead.

        People name a species by its group last: the last word of a name tells most. A letter may
        stand for the genus, as in "P. major".
        """
        later = self._later_words
        whole = [n for _, n in self._names.equal(key)] or [*self._in_singular(key, self._names)]
        spoken = frozenset({SCIENTIFIC, language})
        # English ones that are in no other of the reader's follow: an Italian's "toro" is no tree.
        yield self._in_order((n for n in whole if not spoken.isdisjoint(self._entries[n][2])), own)
        yield self._in_order(whole, own)
        genus, _, epithet = key.partition(" ")
        if len(genus) == 1 and epithet:
            abbreviated = (n for _, n in later.starting(epithet) if self._is_of(genus, n))
            yield self._in_order(abbreviated, own)
        ends = [*(n for _, n in later.equal(key)), *self._in_singular(key, later)]
        yield self._in_order((n for n in ends if not own.isdisjoint(self._entries[n][2])), own)
        yield self._in_order((n for _, n in self._names.starting(key)), own)
        yield self._in_order((n for _, n in later.starting(key)), own)

    def _in_singular(self, key: str, names: OrderedNames) -> Iterator[int]:
        """Yield the numbers of entries that ``key`` may be the plural of, as ``names`` has them."""
        for singular, language in singulars(key):
            for _, number in names.equal(singular):
                if language in self._entries[number][2]:
                    yield number

    def _is_of(self, letter: str, number: int) -> bool:
        """Tell whether an entry is the scientific name of something whose genus has a letter."""
        name, _, languages, _, _ = self._entries[number]
        return SCIENTIFIC in languages and name.startswith(letter)

    def _in_order(self, numbers: Iterable[int], own: frozenset[str]) -> list[_Hit]:
        return sorted((*self._standing(n, own), n) for n in numbers)

    def _standing(self, number: int, own: frozenset[str]) -> tuple[bool, int, bool]:
        _, row, languages, _, further = self._entries[number]
        return own.isdisjoint(languages), self._tier[row], further
