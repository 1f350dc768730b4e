"""Names in order, each with a number: those that are, or begin with, what was typed.

They are tens of thousands, in one process with the bot's event loop, which stands still wherever
the interpreter cannot be left. So they are sorted some at a time, and kept as plain tuples, which
Python's garbage collector does not visit again and again as it does lists.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_LAST = "\U0010ffff"


class OrderedNames:
    """Names, or ends of names, in order, each with a number."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        self.pairs = sort_by_parts(names, lambda pair: beginning(pair[0]))
        self.keys = [key for key, _ in self.pairs]

    def starting(self, prefix: str) -> list[tuple[str, int]]:
        """Return the names that begin with ``prefix``."""
        return self._between(prefix, prefix + _LAST)

    def equal(self, name: str) -> list[tuple[str, int]]:
        """Return the names that are ``name``."""
        return self._between(name, name + "\0")

    def _between(self, first: str, end: str) -> list[tuple[str, int]]:
        return self.pairs[bisect_left(self.keys, first) : bisect_left(self.keys, end)]


def beginning(name: str) -> str:
    """Return a name's first letters, which are those of few others."""
    return name[:2]


def sort_by_parts(items: Iterable[T], part: Callable[[T], Any]) -> list[T]:
    """Return ``items`` in the order of their ``part``, and within each in their own.

    A sort holds the interpreter until it is through: of 50,000 names for a tenth of a second, of
    a part for some milliseconds.
    """
    parts: defaultdict[Any, list[Any]] = defaultdict(list)
    for item in items:
        parts[part(item)].append(item)
    return [item for name in sorted(parts) for item in sorted(parts[name])]
