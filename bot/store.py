"""What the bot remembers over a restart: commands, channels, servers' wishes, recent replies."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from bot.database import connect, prepare, unusable
from engine import Group

log = logging.getLogger(__name__)

_REPLY_TTL_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedChannel:
    """A channel in which every photo is identified as ``group``."""

    channel_id: int
    guild_id: int
    group: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """What a server has chosen; None is for what it has not.

    ``certainty`` is how probable a verdict must be. ``country`` is the code of where its photos
    are taken, a country's or a continent's (``bot.options.countries``). ``language`` is the code
    of the one in which it wants names (``bot.options.languages``).
    """

    certainty: float | None = None
    country: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A card and the messages it must follow: the one that asked, and the one with the photo.

    ``request_id`` is None where the card was asked for by a command. ``fingerprint`` names
    the photos and the group it was made from.
    """

    reply_id: int
    channel_id: int
    request_id: int | None
    photo_id: int
    asker_id: int
    group: Group
    fingerprint: str


class Store:
    """The bot's SQLite database. Open it with ``Store.open``; close it when done."""

    def __init__(self, database: aiosqlite.Connection, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    @classmethod
    async def open(cls, path: Path, *, now: Callable[[], float] = time.time) -> Store:
        """Open the database at ``path``, create it if absent, bring its schema up to date.

        Raises:
            StoreError: the file is damaged, newer than this program, or not ours; or the disk
                or another process does not let us use it. What it holds is left as it is.
        """
        database = await connect(path)
        store = cls(database, now)
        try:
            await prepare(database, path)
            await store.forget_expired()
        except BaseException as error:
            await store.close()
            if isinstance(error, sqlite3.Error):
                raise unusable(path, error) from None
            raise
        return store

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def commands_hash(self) -> str | None:
        """Return the hash of the commands that Discord was last given."""
        rows = await self._database.execute_fetchall(
            "SELECT value FROM meta WHERE key = 'commands_hash'"
        )
        return next((str(row[0]) for row in rows), None)

    async def set_commands_hash(self, value: str) -> None:
        """Remember the hash of the commands that Discord has been given."""
        await self._database.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('commands_hash', ?)", (value,)
        )

    async def watch(self, channel: WatchedChannel) -> None:
        """Watch a channel, or change the group of one that is watched."""
        await self._database.execute(
            "INSERT OR REPLACE INTO watched_channel (channel_id, guild_id, group_name)"
            " VALUES (?, ?, ?)",
            (channel.channel_id, channel.guild_id, channel.group.value),
        )

    async def unwatch(self, channel_id: int) -> bool:
        """Stop watching a channel; return whether it was watched."""
        cursor = await self._database.execute(
            "DELETE FROM watched_channel WHERE channel_id = ?", (channel_id,)
        )
        return cursor.rowcount > 0

    async def forget_guild(self, guild_id: int) -> None:
        """Drop what a server chose and which of its channels are watched."""
        for table in ("watched_channel", "guild_setting"):
            await self._database.execute(f"DELETE FROM {table} WHERE guild_id = ?", (guild_id,))  # noqa: S608 - a name of this module's own

    async def watched(self, channel_ids: Sequence[int]) -> WatchedChannel | None:
        """Return the first of ``channel_ids`` (a thread, then its parent) that is watched."""
        for channel_id in channel_ids:
            rows = await self._watched("channel_id = ?", channel_id)
            if rows:
                return rows[0]
        return None

    async def watched_in(self, guild_id: int) -> list[WatchedChannel]:
        """Return the watched channels of a server."""
        return await self._watched("guild_id = ? ORDER BY channel_id", guild_id)

    async def _watched(self, where: str, value: int) -> list[WatchedChannel]:
        rows = await self._database.execute_fetchall(
            f"SELECT channel_id, guild_id, group_name FROM watched_channel WHERE {where}",  # noqa: S608 - a constant of this module
            (value,),
        )
        return [
            WatchedChannel(channel_id=row[0], guild_id=row[1], group=Group(row[2])) for row in rows
        ]

    async def settings_of(self, guild_id: int | None) -> GuildSettings:
        """Return what a server has chosen; a direct message (None) has nothing."""
        rows = await self._database.execute_fetchall(
            "SELECT certainty, country, language FROM guild_setting WHERE guild_id = ?", (guild_id,)
        )
        chosen = (GuildSettings(certainty=row[0], country=row[1], language=row[2]) for row in rows)
        return next(chosen, GuildSettings())

    async def set_certainty(self, guild_id: int, certainty: float | None) -> None:
        """Keep how probable a verdict must be in a server; None is the default."""
        await self._choose(guild_id, "certainty", certainty)

    async def set_country(self, guild_id: int, country: str | None) -> None:
        """Keep where a server's photos are taken; None is anywhere."""
        await self._choose(guild_id, "country", country)

    async def set_language(self, guild_id: int, language: str | None) -> None:
        """Keep in which language a server wants names; None is that of its locale."""
        await self._choose(guild_id, "language", language)

    async def _choose(self, guild_id: int, column: str, value: float | str | None) -> None:
        await self._database.execute(
            f"INSERT INTO guild_setting (guild_id, {column}) VALUES (?, ?)"  # noqa: S608 - a name of this module's own
            f" ON CONFLICT (guild_id) DO UPDATE SET {column} = excluded.{column}",
            (guild_id, value),
        )

    async def remember(self, reply: Reply) -> None:
        """Keep ``reply`` for a day, and drop those whose day is over.

        Where the database cannot be written that is logged: the card is there already, and only
        follows its message no more.
        """
        try:
            await self.forget_expired()
            await self._insert(reply)
        except sqlite3.Error as error:
            log.warning("Reply %d will not follow its message: %s", reply.reply_id, error)

    async def _insert(self, reply: Reply) -> None:
        await self._database.execute(
            "INSERT OR REPLACE INTO reply (reply_id, channel_id, request_id, photo_id, asker_id,"
            " group_name, fingerprint, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reply.reply_id,
                reply.channel_id,
                reply.request_id,
                reply.photo_id,
                reply.asker_id,
                reply.group.value,
                reply.fingerprint,
                self._now() + _REPLY_TTL_S,
            ),
        )

    async def forget_expired(self) -> None:
        """Drop the replies whose day is over."""
        await self._database.execute("DELETE FROM reply WHERE expires_at <= ?", (self._now(),))

    async def replies_to(self, message_id: int) -> list[Reply]:
        """Return the replies that follow a message, as their request or as their photo."""
        rows = await self._database.execute_fetchall(
            "SELECT reply_id, channel_id, request_id, photo_id, asker_id, group_name, fingerprint"
            " FROM reply WHERE (request_id = ? OR photo_id = ?) AND expires_at > ?",
            (message_id, message_id, self._now()),
        )
        return [
            Reply(
                reply_id=row[0],
                channel_id=row[1],
                request_id=row[2],
                photo_id=row[3],
                asker_id=row[4],
                group=Group(row[5]),
                fingerprint=row[6],
            )
            for row in rows
        ]

    async def forget(self, reply_id: int) -> None:
        """Drop a reply that is gone."""
        await self._database.execute("DELETE FROM reply WHERE reply_id = ?", (reply_id,))
