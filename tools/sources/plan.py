"""Which photos are to be fetched: chosen once, kept in a file, fetched a few at a time.

Choosing takes long (tables of many gigabytes, a question per species), so the choice is
kept, and an interrupted run goes on where it stopped, with the same photos.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from abc import abstractmethod
from collections import deque
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from urllib3.util import Retry

from engine import Ancestor, Taxon
from tools.sources.download import CONNECTIONS, HostLost, Web
from tools.sources.source import (
    PhotoSkipped,
    Progress,
    Source,
    SourceError,
    SourcePhoto,
    check_photo,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS step (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (sentence TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS photo (
    place INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    taxon TEXT NOT NULL,
    licence TEXT NOT NULL,
    attribution TEXT NOT NULL,
    url TEXT
);
CREATE TABLE IF NOT EXISTS refused (identity TEXT PRIMARY KEY, reason TEXT) WITHOUT ROWID;
"""
_CHOSEN = "chosen"
_AHEAD = 2 * CONNECTIONS
_PAGE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhoto:
    """A photo that is yet to be fetched from ``address``."""

    identity: str
    address: str
    taxon: Taxon
    licence: str
    attribution: str
    url: str | None


class Plan:
    """The choice of photos for one set of wishes, in an SQLite file.

    ``steps`` that were taken are remembered, and so is which photos a server refused for
    good. Other wishes have another file.
    """

    def __init__(self, folder: Path, kind: str, wishes: object) -> None:
        """Open the plan for ``wishes``, plain JSON values, or begin it.

        Raises:
            SourceError: the file cannot be used.
        """
        digest = hashlib.sha256(json.dumps(wishes, sort_keys=True).encode()).hexdigest()[:12]
        self.path = folder / f"{kind}-{digest}.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(self.path)
            self.connection.executescript(_SCHEMA)
            self.connection.execute("PRAGMA synchronous = NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let the file go."""
        self.connection.close()

    def _unusable(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self.path} cannot be used ({error}): make room, or remove the file to choose anew."
        )

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Turn what goes wrong with the file into one sentence.

        Raises:
            SourceError: the file is damaged, locked, or cannot be written.
        """
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write all of a block, or nothing."""
        with self.connection:
            yield self.connection

    def taken(self, step: str) -> bool:
        """Tell whether ``step`` was taken."""
        row = self.connection.execute("SELECT 1 FROM step WHERE name = ?", (step,)).fetchone()
        return row is not None

    def take(self, step: str) -> None:
        """Remember that ``step`` was taken; call it within ``writing``."""
        self.connection.execute("INSERT OR IGNORE INTO step VALUES (?)", (step,))

    def add_note(self, sentence: str) -> None:
        """Remember a sentence for people; call it within ``writing``."""
        self.connection.execute("INSERT OR IGNORE INTO note VALUES (?)", (sentence,))

    def notes(self) -> list[str]:
        """Return the sentences for people."""
        return [row[0] for row in self.connection.execute("SELECT sentence FROM note ORDER BY 1")]

    def add(self, photos: Iterable[PlannedPhoto]) -> None:
        """Choose photos, each once; call it within ``writing``."""
        self.connection.executemany(
            "INSERT OR IGNORE INTO photo (identity, address, taxon, licence, attribution, url) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                (p.identity, p.address, _taxon_text(p.taxon), p.licence, p.attribution, p.url)
                for p in photos
            ),
        )

    def __len__(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM photo").fetchone()[0])

    def photos(self) -> Iterator[tuple[PlannedPhoto, str | None]]:
        """Give the photos in the order they were chosen, each with why it was refused, if so."""
        last = 0
        while rows := self.connection.execute(
            "SELECT place, identity, address, taxon, licence, attribution, url, reason "
            "FROM photo LEFT JOIN refused USING (identity) WHERE place > ? ORDER BY place LIMIT ?",
            (last, _PAGE),
        ).fetchall():
            last = rows[-1][0]
            for _, identity, address, taxon, licence, attribution, url, reason in rows:
                photo = PlannedPhoto(
                    identity=identity,
                    address=address,
                    taxon=_taxon(taxon),
                    licence=licence,
                    attribution=attribution,
                    url=url,
                )
                yield photo, reason

    def refuse(self, identity: str, reason: str) -> None:
        """Remember that a photo cannot be had, ever."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO refused VALUES (?, ?)", (identity, reason))


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Report no progress."""


class PlannedSource(Source):
    """Photos on the web: chosen once, then fetched a few at a time, in the order chosen.

    ``work`` is a folder that keeps the choice from one run to the next. ``contact`` is an
    address or a page that the servers' people can turn to; ``patience`` says how often a
    request is tried again, and how long to wait in between.
    """

    name: ClassVar[str]
    """What the source is called, in the photos it gives and in the name of the plan's file."""

    def __init__(
        self, *, work: Path, wishes: object, progress: Progress, contact: str, patience: Retry
    ) -> None:
        super().__init__()
        self._work = work
        self._wishes = wishes
        self._progress = progress
        self._contact = contact
        self._patience = patience

    @abstractmethod
    def _choose(self, plan: Plan, web: Web) -> None:
        """Fill the plan, going on where an earlier run stopped.

        Raises:
            SourceError: the source is dead or unusable.
        """

    def photos(self, done: Container[str]) -> Iterator[SourcePhoto]:
        """Choose photos where that was not done before, then fetch them and give them."""
        self.seen = 0
        with (
            Web(contact=self._contact, patience=self._patience) as web,
            closing(Plan(self._work, self.name, self._wishes)) as plan,
            plan.usable(),
        ):
            if not plan.taken(_CHOSEN):
                self._choose(plan, web)
                with plan.writing():
                    plan.take(_CHOSEN)
            self.notes = plan.notes()
            self.total = len(plan)
            for outcome in self._fetch(plan, web, done):
                if isinstance(outcome, HostLost) and self._lost_with(outcome):
                    raise SourceError(
                        f"The photos cannot be had any more, {outcome}: run it again later, "
                        "and it goes on from here."
                    )
                if isinstance(outcome, PhotoSkipped):
                    self._skip(str(outcome))
                elif outcome is not None:
                    yield outcome
                self.seen += 1

    def _lost_with(self, _lost: HostLost) -> bool:
        """Tell whether the source is lost with that server."""
        return True

    def _fetch(
        self, plan: Plan, web: Web, done: Container[str]
    ) -> Iterator[SourcePhoto | PhotoSkipped | None]:
        """Give, for each photo of the plan: itself, why it is skipped, or None if it is done."""
        waiting: deque[tuple[PlannedPhoto, Future[bytes] | PhotoSkipped | None]] = deque()
        threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch")
        try:
            for photo, refused in plan.photos():
                if photo.identity in done:
                    waiting.append((photo, None))
                elif refused is not None:
                    waiting.append((photo, PhotoSkipped(refused)))
                else:
                    waiting.append((photo, threads.submit(_fetch_photo, web, photo.address)))
                if len(waiting) > _AHEAD:
                    yield self._outcome(plan, *waiting.popleft())
            while waiting:
                yield self._outcome(plan, *waiting.popleft())
        finally:
            web.close()
            threads.shutdown(cancel_futures=True)

    def _outcome(
        self, plan: Plan, photo: PlannedPhoto, state: Future[bytes] | PhotoSkipped | None
    ) -> SourcePhoto | PhotoSkipped | None:
        if state is None or isinstance(state, PhotoSkipped):
            return state
        try:
            data = state.result()
        except PhotoSkipped as error:
            if error.final:
                plan.refuse(photo.identity, str(error))
            return error
        return SourcePhoto(
            data=data,
            taxon=photo.taxon,
            name=photo.url or photo.address,
            source=self.name,
            licence=photo.licence,
            attribution=photo.attribution,
            url=photo.url,
            identity=photo.identity,
        )


def _fetch_photo(web: Web, address: str) -> bytes:
    return check_photo(web.photo(address))


def _taxon_text(taxon: Taxon) -> str:
    return json.dumps(asdict(taxon), ensure_ascii=False)


def _taxon(text: str) -> Taxon:
    record: dict[str, Any] = json.loads(text)
    lineage = tuple(Ancestor(**ancestor) for ancestor in record.pop("lineage"))
    return Taxon(lineage=lineage, **record)
