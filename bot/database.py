"""The bot's database file: opened, checked, and brought up to date."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import aiosqlite

from bot.private_file import create_private

_APPLICATION_ID = 0x464D524B  # "FMRK": tells our databases from any other

_RESTORE = "restore a copy of it, or move it away to start afresh"
_WRITABLE = "let the user that the bot runs as write to it and to its folder"
_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see whether its disk is full or failing",
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_BUSY: "stop the other program that uses it",
}

# Never change one of these, only append: position n leads from schema version n to n + 1.
_MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE watched_channel (
        channel_id INTEGER PRIMARY KEY,
        guild_id INTEGER NOT NULL,
        group_name TEXT NOT NULL
    ) STRICT;
    CREATE TABLE reply (
        reply_id INTEGER PRIMARY KEY,
        channel_id INTEGER NOT NULL,
        request_id INTEGER,
        photo_id INTEGER NOT NULL,
        asker_id INTEGER NOT NULL,
        group_name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        expires_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX reply_request ON reply (request_id);
    CREATE INDEX reply_photo ON reply (photo_id);
    CREATE INDEX reply_expiry ON reply (expires_at);
    """,
    """
    CREATE TABLE guild_setting (
        guild_id INTEGER PRIMARY KEY,
        certainty REAL,
        country TEXT
    ) STRICT;
    """,
    "ALTER TABLE guild_setting ADD COLUMN language TEXT;",
)


class StoreError(Exception):
    """The database cannot be used. ``str(error)`` is one sentence: what and what to do."""


async def connect(path: Path) -> aiosqlite.Connection:
    """Open the database at ``path``, create it if absent.

    Raises:
        StoreError: the file cannot be opened.
    """
    try:
        await asyncio.to_thread(_touch, path)
        return await aiosqlite.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"The database {path} cannot be opened ({error}): check [store] path and its"
            " permissions."
        ) from None


def unusable(path: Path, error: sqlite3.Error) -> StoreError:
    """Return the sentence for an error of SQLite, which says nothing of what to do itself."""
    # The low byte tells the kind. Errors of the sqlite3 module's own have no code.
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    advice = _ADVICE.get(kind, _RESTORE)
    return StoreError(f"The database {path} cannot be used ({error}): {advice}.")


def _touch(path: Path) -> None:
    """Fail here where the file cannot be opened.

    When aiosqlite itself fails to connect, its thread outlives the failure and complains if
    the event loop has gone meanwhile.
    """
    create_private(path)
    sqlite3.connect(path).close()


async def prepare(database: aiosqlite.Connection, path: Path) -> None:
    """Check whose database this is before anything is written, then bring it up to date.

    Raises:
        StoreError: it is damaged, newer than this program, or not ours.
        sqlite3.Error: it cannot be read or written; ``unusable`` says what to do about that.
    """
    version = await _pragma(database, "user_version")
    owner = await _pragma(database, "application_id")
    tables = await database.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    empty = not next(iter(tables))[0]
    if owner != _APPLICATION_ID and not (empty and owner == 0 and version == 0):
        raise StoreError(
            f"The database {path} belongs to another program: set [store] path to a file of"
            " Fieldmark's own."
        )
    if version > len(_MIGRATIONS):
        raise StoreError(
            f"The database {path} was written by a newer Fieldmark (schema {version}, this one"
            f" knows {len(_MIGRATIONS)}): update Fieldmark."
        )
    check = await database.execute_fetchall("PRAGMA quick_check(1)")
    verdict = " ".join(str(next(iter(check))[0]).split())
    if verdict != "ok":
        raise StoreError(f"The database {path} is damaged ({verdict}): {_RESTORE}.")
    await database.execute_fetchall("PRAGMA journal_mode = WAL")
    await database.execute_fetchall("PRAGMA synchronous = NORMAL")
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        await database.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA application_id = {_APPLICATION_ID};"
            f" PRAGMA user_version = {number}; COMMIT;"
        )


async def _pragma(database: aiosqlite.Connection, name: str) -> int:
    rows = await database.execute_fetchall(f"PRAGMA {name}")
    return int(next(iter(rows))[0])
