"""Names that were typed wrong: rapidfuzz makes a choice of what may be meant, in C."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from rapidfuzz.distance import OSA, LCSseq
from rapidfuzz.process import extract

from engine.taxonomy.ordered_names import OrderedNames, sort_by_parts

# Of a text's first letters that are compared, at most so many may be wrong.
_TYPOS = ((9, 3), (6, 2), (4, 1))
_BEGINNINGS = (5, 8, 12, 18, sys.maxsize)
"""Lengths that names are cut to, so that a short text is compared with few and short ones."""
_CANDIDATES = 200


class Misspellings:
    """Folded names, each with a number, that nearly begin with what was typed.

    Spaces do not count: "blutit" is near.
    """

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        self._names = OrderedNames((key.replace(" ", ""), number) for key, number in names)
        self._beginnings = [_Beginnings(self._names.keys, length) for length in _BEGINNINGS]

    def near(self, key: str) -> Iterator[tuple[tuple[int, bool, bool], int]]:
        """Yield how near a name is, and the number of its entry.

        How near: by how many typos, whether the name goes on, whether it starts otherwise.
        """
        typed = key.replace(" ", "")
        typos = next((typos for length, typos in _TYPOS if len(typed) >= length), 0)
        if not typos:
            return
        beginnings = next(b for b in self._beginnings if b.length >= len(typed) + typos)
        for beginning in beginnings.like(typed, typos):
            whole = len(beginning) < beginnings.length
            found = self._names.equal(beginning) if whole else self._names.starting(beginning)
            for name, entries in groupby(found, itemgetter(0)):
                distance, goes_on = _distance(typed, name, typos)
                if distance <= typos:
                    how = (distance, goes_on, name[0] != typed[0])
                    yield from ((how, number) for _, number in entries)


class _Beginnings:
    """The first ``length`` letters of every name, each once, shorter ones first."""

    def __init__(self, names: Iterable[str], length: int) -> None:
        self.length = length
        distinct = {name[:length] for name in names}
        self._ordered = sort_by_parts(distinct, lambda name: (len(name), name[:1]))
        self._lengths = [len(beginning) for beginning in self._ordered]

    def like(self, typed: str, typos: int) -> Iterator[str]:
        """Yield beginnings that ``typed`` may nearly be, and no few that it is not."""
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
            yield beginning


def _distance(typed: str, name: str, most: int) -> tuple[int, bool]:
    """Return the fewest typos that make ``typed`` of a beginning of ``name``, or of all of it.

    The whole name is preferred to a beginning as near; a distance above ``most`` is any.
    """
    ends = range(max(1, len(typed) - most), min(len(name), len(typed) + most) + 1)
    return min(
        (OSA.distance(typed, name[:end], score_cutoff=most), end < len(name)) for end in ends
    )
