"""What GBIF answered, kept in a SQLite file of its own.

A cache and nothing more: it can be deleted at any time, and where it cannot be used the
bot goes on without it. It holds questions and answers, and nothing of who asked.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from bot.private_file import create_private

log = logging.getLogger(__name__)

_APPLICATION_ID = 0x464D4743  # "FMGC"
_VERSION = 1
_SCHEMA = f"""
    BEGIN IMMEDIATE;
    DROP TABLE IF EXISTS answer;
    CREATE TABLE answer (
        checklist TEXT NOT NULL,
        question TEXT NOT NULL,
        body BLOB NOT NULL,
        fetched_at REAL NOT NULL,
        PRIMARY KEY (checklist, question)
    ) STRICT;
    CREATE INDEX answer_fetched ON answer (fetched_at);
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""
_KEEP_S = 365 * 24 * 3600.0
_MAX_BYTES = 256 * 1024 * 1024
_WRITES_BETWEEN_TRIMS = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it came, and the seconds since."""

    body: bytes
    age_s: float


class GbifCache:
    """Answers by checklist and question; opened at the first use, closed by its owner.

    Args:
        path: The file. It is made where it is absent, and left alone where it is another's.
        now: The clock, in seconds since 1970.
        max_bytes: How much is kept; the oldest answers go first.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._path = path
        self._now = now
        self._max_bytes = max_bytes
        self._opening: asyncio.Task[aiosqlite.Connection | None] | None = None
        self._closed = False
        self._writes = 0

    async def get(self, checklist: str, question: str) -> Kept | None:
        """Return the answer that was kept, of up to a year ago, or None."""
        database = await self._ready()
        if database is None:
            return None
        try:
            rows = await database.execute_fetchall(
                "SELECT body, fetched_at FROM answer"
                " WHERE checklist = ? AND question = ? AND fetched_at >= ?",
                (checklist, question, self._now() - _KEEP_S),
            )
        except sqlite3.Error as error:
            log.warning("An answer of GBIF could not be read from %s: %s", self._path, error)
            return None
        now = self._now()
        return next((Kept(row[0], max(0.0, now - row[1])) for row in rows), None)

    async def put(self, checklist: str, question: str, body: bytes) -> None:
        """Keep an answer in the place of an older one."""
        database = await self._ready()
        if database is None:
            return
        try:
            await database.execute(
                "INSERT OR REPLACE INTO answer (checklist, question, body, fetched_at)"
                " VALUES (?, ?, ?, ?)",
                (checklist, question, body, self._now()),
            )
            self._writes += 1
            if self._writes % _WRITES_BETWEEN_TRIMS == 0:
                await self._trim(database)
        except sqlite3.Error as error:
            log.warning("An answer of GBIF could not be kept in %s: %s", self._path, error)

    async def _trim(self, database: aiosqlite.Connection) -> None:
        """Drop what is older than a year, and the oldest of what is too much."""
        await database.execute("DELETE FROM answer WHERE fetched_at < ?", (self._now() - _KEEP_S,))
        await database.execute(
            "DELETE FROM answer WHERE rowid IN (SELECT id FROM (SELECT rowid AS id,"
            " sum(length(body)) OVER (ORDER BY fetched_at DESC, rowid DESC) AS total FROM answer)"
            " WHERE total > ?)",
            (self._max_bytes,),
        )

    async def close(self) -> None:
        """Close the file, if it was opened."""
        self._closed = True
        opening, self._opening = self._opening, None
        database = None if opening is None else await opening
        if database is not None:
            await database.close()

    async def _ready(self) -> aiosqlite.Connection | None:
        if self._closed:
            return None
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        # Whoever asks first may not wait for as long as a large file takes to be checked.
        return await asyncio.shield(self._opening)

    async def _open(self) -> aiosqlite.Connection | None:
        try:
            await asyncio.to_thread(_check, self._path)
            database = await aiosqlite.connect(self._path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            log.warning(
                "GBIF's answers are not kept: %s cannot be used (%s). Delete it, or move it away.",
                self._path,
                error,
            )
            return None
        try:
            # Outside of the above: a connection that nobody closes keeps the bot from ending.
            await database.execute_fetchall("PRAGMA synchronous = NORMAL")
            await self._trim(database)
        except sqlite3.Error as error:
            log.warning("Old answers of GBIF could not be dropped from %s: %s", self._path, error)
        return database


def _check(path: Path) -> None:
    """Make the file ready, or fail here: a connection of aiosqlite that fails leaves a thread."""
    create_private(path)
    database = sqlite3.connect(path, isolation_level=None)
    try:
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if owner != _APPLICATION_ID and tables:
            raise sqlite3.DatabaseError("it belongs to another program")
        database.execute("PRAGMA journal_mode = WAL")
        if (owner, version) != (_APPLICATION_ID, _VERSION):
            database.executescript(_SCHEMA)
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError("it is damaged")
    finally:
        database.close()
