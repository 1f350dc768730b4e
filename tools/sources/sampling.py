"""Choosing some of many photos: by chance, the same ones each time, from many authors."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def chance(seed: int, item: bytes) -> int:
    """Return a number of 63 bits that depends on nothing but ``seed`` and ``item``."""
    key = seed.to_bytes(8, "big", signed=True)
    digest = hashlib.blake2b(item, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") >> 1


def spread(items: Iterable[tuple[int, Hashable, T]], most: int) -> list[T]:
    """Return up to ``most`` items, as few of one author as can be.

    ``items`` are chances, authors and what to choose among. Every author's first by chance
    comes before anyone's second.
    """
    turns: Counter[Hashable] = Counter()
    ordered = []
    for drawn, author, item in sorted(items, key=lambda entry: entry[0]):
        ordered.append((turns[author], drawn, item))
        turns[author] += 1
    ordered.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in ordered[:most]]
