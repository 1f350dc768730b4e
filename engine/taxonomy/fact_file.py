"""The form of the engine's data files: a JSON head and tab-separated rows, in one gzip file.

Text, because anyone can read and compare it (``zcat FILE``); gzip from the standard
library with its time stamp zeroed, so that the same facts give the same bytes.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class FactFileError(ValueError):
    """The file is missing, damaged or of another kind; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactFile:
    """One kind of file: its mark, its columns, and what people call and build it with."""

    format: str
    version: int
    columns: tuple[str, ...]
    title: str
    command: str

    def pack(self, rows: Sequence[Iterable[str]], facts: Mapping[str, object]) -> bytes:
        """Return the bytes of a file of ``rows``, with ``facts`` in its head."""
        head = {"format": self.format, "version": self.version, "rows": len(rows), **facts}
        lines = [json.dumps(head), "\t".join(self.columns), *("\t".join(row) for row in rows), ""]
        return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)

    def read(self, path: Path) -> tuple[dict[str, Any], list[str]]:
        """Return the head and the rows of the file at ``path``, refusing any other file.

        Raises:
            FactFileError: The file is missing, cut short, damaged, or something else.
        """
        try:
            text = gzip.decompress(path.read_bytes()).decode("utf-8")
        except FileNotFoundError as error:
            raise FactFileError(
                f"There is no {self.title} at {path}: build one with `{self.command}`."
            ) from error
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise self.damaged(path) from error
        first, _, body = text.partition("\n")
        try:
            head = json.loads(first)
            found, version, rows = head["format"], head["version"], head["rows"]
        except (ValueError, KeyError, TypeError) as error:
            raise self.damaged(path) from error
        columns, *lines = body.removesuffix("\n").split("\n")
        if found != self.format or tuple(columns.split("\t")) != self.columns or len(lines) != rows:
            raise self.damaged(path)
        if version != self.version:
            raise FactFileError(
                f"{path} is a {self.title} of version {version}, this Fieldmark reads version "
                f"{self.version}: build it again with `{self.command}`."
            )
        return head, lines

    def damaged(self, path: Path) -> FactFileError:
        """Return the error for a file that is none of this kind, or a damaged one."""
        return FactFileError(
            f"{path} is no {self.title}, or a damaged one: build it again with `{self.command}`."
        )
