"""Work in a process of its own, so that its memory and its libraries are counted apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def in_new_process(function: Callable[..., _T], *arguments: object) -> _T:
    """Call ``function`` in a process that has imported nothing yet, and ends after it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()
