"""The tables of iNaturalist's open data: tab-separated, gzipped, never quoted, very large.

https://github.com/inaturalist/inaturalist-open-data/tree/main/Metadata describes them.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from tools.sources.download import Web
from tools.sources.remote_file import RemoteFile
from tools.sources.source import SourceError

Position: TypeAlias = Callable[[int, int | None], None]
"""Told how many bytes of a file are behind us, and how many it has."""

_BUFFER = 1 << 20
_REPORT_EVERY = 50_000
_GZIP_MAGIC = b"\x1f\x8b"


def read_table(
    place: str, columns: Sequence[str], web: Web, position: Position
) -> Iterator[list[str]]:
    """Give the rows of the table at ``place``, a file or an address, as these columns' texts.

    A row with more or fewer fields than the header is given as an empty list. Quotes mean
    nothing, and only a line feed ends a row.

    Raises:
        SourceError: the table cannot be had, is damaged, or lacks a column.
    """
    try:
        with _open(place, web) as raw, _text(raw) as text:
            size = raw.size if isinstance(raw, RemoteFile) else Path(place).stat().st_size
            for number, row in enumerate(_rows(place, text, columns)):
                if number % _REPORT_EVERY == 0:
                    position(raw.tell(), size)
                yield row
            position(raw.tell(), size)
    except FileNotFoundError as error:
        raise SourceError(f"{place} is not there: name the folder of the four tables.") from error
    except (EOFError, OSError, zlib.error) as error:
        raise SourceError(f"{place} is cut short or damaged ({error}): get it again.") from error


def is_address(place: str) -> bool:
    """Tell a web address from a path."""
    return place.startswith(("http://", "https://"))


def _open(place: str, web: Web) -> io.RawIOBase:
    return RemoteFile(web, place) if is_address(place) else Path(place).open("rb", buffering=0)


def _text(raw: io.RawIOBase) -> io.TextIOWrapper:
    packed = io.BufferedReader(raw, _BUFFER)
    is_gzip = packed.peek(2)[:2] == _GZIP_MAGIC
    return io.TextIOWrapper(
        gzip.GzipFile(fileobj=packed) if is_gzip else packed,
        encoding="utf-8",
        errors="replace",
        newline="\n",
    )


def _rows(place: str, text: io.TextIOWrapper, columns: Sequence[str]) -> Iterator[list[str]]:
    header = text.readline().rstrip("\r\n").split("\t")
    if missing := [name for name in columns if name not in header]:
        raise SourceError(f"{place} has no column {missing[0]!r}: it is another table.")
    chosen = [header.index(name) for name in columns]
    for line in text:
        fields = line.rstrip("\n").split("\t")
        yield [fields[index] for index in chosen] if len(fields) == len(header) else []
