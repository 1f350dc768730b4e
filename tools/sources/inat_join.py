"""The join of iNaturalist's tables, in a file, one row at a time.

Four steps, each taken whole or not at all: which of iNaturalist's taxa are meant, which
observations show them, which photos those have, and who took the photos that are chosen.
Of a species with very many observations a random sample is kept, the same one each time,
so that the file stays small.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby, islice, starmap
from operator import attrgetter

from engine import Taxon
from tools.sources.download import Web
from tools.sources.inat_tables import read_table
from tools.sources.inat_taxa import TaxonMatcher
from tools.sources.licence import Terms, licence_of
from tools.sources.plan import Plan, PlannedPhoto
from tools.sources.sampling import chance, spread
from tools.sources.source import Progress

INAT_IDENTITY = "inat-photo:{}"
PHOTO_PAGE = "https://www.inaturalist.org/photos/{}"

_SCRATCH = """
CREATE TABLE IF NOT EXISTS wanted (taxon_id INTEGER PRIMARY KEY, species INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS observation (
    uuid BLOB PRIMARY KEY, species INTEGER NOT NULL, drawn INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observation_drawn ON observation (species, drawn);
CREATE TABLE IF NOT EXISTS candidate (
    observation BLOB PRIMARY KEY,
    species INTEGER NOT NULL,
    drawn INTEGER NOT NULL,
    photo_id INTEGER NOT NULL,
    observer_id INTEGER NOT NULL,
    extension TEXT NOT NULL,
    licence TEXT NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID;
"""
_ADD_CANDIDATE = """
INSERT INTO candidate
SELECT uuid, species, drawn, ?, ?, ?, ?, ? FROM observation WHERE uuid = ?
ON CONFLICT (observation) DO UPDATE SET
    photo_id = excluded.photo_id, observer_id = excluded.observer_id,
    extension = excluded.extension, licence = excluded.licence, position = excluded.position
WHERE (excluded.position, excluded.photo_id) < (position, photo_id)
"""
_PRUNE = """
DELETE FROM observation WHERE species = ? AND drawn > (
    SELECT drawn FROM observation WHERE species = ? ORDER BY drawn LIMIT 1 OFFSET ?
)
"""
_BATCH = 20_000
# Some one in six photos is CC0 or CC BY: enough observations to choose from many authors.
_OBSERVATIONS_PER_PHOTO = 40
_LAST_POSITION = 1 << 15
_EXTENSION = re.compile(r"[A-Za-z0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDataWishes:
    """What is wanted of the open data, and where it is.

    ``numbers`` are iNaturalist's ids of the ``species``, None where unknown. ``tables``
    and ``bucket`` are a folder or an address without a slash at the end.
    """

    species: tuple[Taxon, ...]
    numbers: tuple[int | None, ...]
    per_species: int
    terms: frozenset[Terms]
    seed: int
    tables: str
    bucket: str
    size: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    species: int
    drawn: int
    photo_id: int
    observer_id: int
    extension: str
    licence: str


class OpenDataJoin:
    """Fills a plan with photos chosen from the four tables."""

    def __init__(self, wishes: OpenDataWishes, plan: Plan, web: Web, progress: Progress) -> None:
        self._wishes = wishes
        self._plan = plan
        self._web = web
        self._progress = progress

    def run(self) -> None:
        """Take the steps that were not taken yet.

        Raises:
            SourceError: a table cannot be had or is damaged, or the file cannot be written.
        """
        with self._plan.writing() as connection:
            connection.executescript(_SCRATCH)
        for step in (self._taxa, self._observations, self._photos, self._choice):
            if not self._plan.taken(step.__name__):
                with self._plan.writing() as connection:
                    step(connection)
                    self._plan.take(step.__name__)

    def _rows(self, table: str, columns: Sequence[str]) -> Iterator[list[str]]:
        """Give the rows of a table, whole ones alone, and note how many were not."""
        name = f"{table}.csv.gz"
        place = f"{self._wishes.tables}/{name}"
        broken = 0
        for row in read_table(place, columns, self._web, partial(self._progress, name)):
            if row:
                yield row
            else:
                broken += 1
        if broken:
            self._plan.add_note(f"{name} has {broken} broken rows, which were left out.")

    def _taxa(self, connection: sqlite3.Connection) -> None:
        """Find which of iNaturalist's taxa are meant."""
        matcher = TaxonMatcher(self._wishes.species, self._wishes.numbers)
        columns = ("taxon_id", "ancestry", "rank_level", "name", "active")
        for number, ancestry, level, name, active in self._rows("taxa", columns):
            if number.isdigit():
                matcher.see(int(number), ancestry, level, name, active)
        wanted, missing = matcher.wanted()
        connection.executemany("INSERT INTO wanted VALUES (?, ?)", wanted.items())
        if missing:
            self._plan.add_note(
                f"iNaturalist has no taxon for {len(missing)} of the species, such as {missing[0]}."
            )

    def _observations(self, connection: sqlite3.Connection) -> None:
        """Keep the research-grade observations of what is meant, or a sample of them."""
        wanted: dict[str, int] = {
            str(taxon_id): species
            for taxon_id, species in connection.execute("SELECT taxon_id, species FROM wanted")
        }
        most = self._wishes.per_species * _OBSERVATIONS_PER_PHOTO
        kept: Counter[int] = Counter()
        bound: dict[int, int] = {}
        rows = self._research_grade(wanted, bound)
        while batch := list(islice(rows, _BATCH)):
            connection.executemany("INSERT OR IGNORE INTO observation VALUES (?, ?, ?)", batch)
            kept.update(species for _, species, _ in batch)
            for species in {species for _, species, _ in batch if kept[species] > 2 * most}:
                connection.execute(_PRUNE, (species, species, most - 1))
                kept[species], bound[species] = connection.execute(
                    "SELECT count(*), max(drawn) FROM observation WHERE species = ?", (species,)
                ).fetchone()

    def _research_grade(
        self, wanted: Mapping[str, int], bound: Mapping[int, int]
    ) -> Iterator[tuple[bytes, int, int]]:
        """Give id, species and chance of observations whose chance is within the bound."""
        columns = ("observation_uuid", "taxon_id", "quality_grade")
        for text, taxon_id, grade in self._rows("observations", columns):
            if grade == "research" and taxon_id in wanted:
                uuid, species = _uuid(text), wanted[taxon_id]
                drawn = chance(self._wishes.seed, uuid)
                if drawn <= bound.get(species, drawn):
                    yield uuid, species, drawn

    def _photos(self, connection: sqlite3.Connection) -> None:
        """Keep, of each observation, the first photo whose licence allows it."""
        rows = self._licensed()
        while batch := list(islice(rows, _BATCH)):
            connection.executemany(_ADD_CANDIDATE, batch)

    def _licensed(self) -> Iterator[tuple[int, int, str, str, int, bytes]]:
        read = lru_cache(maxsize=256)(licence_of)
        columns = (
            *("photo_id", "observation_uuid", "observer_id", "extension", "license"),
            "position",
        )
        for photo_id, uuid, observer, extension, text, position in self._rows("photos", columns):
            licence = read(text)
            if licence is None or licence.terms not in self._wishes.terms:
                continue
            if photo_id.isdigit() and observer.isdigit() and _EXTENSION.fullmatch(extension):
                place = int(position) if position.isdigit() else _LAST_POSITION
                yield int(photo_id), int(observer), extension, str(licence), place, _uuid(uuid)

    def _choice(self, connection: sqlite3.Connection) -> None:
        """Choose among the candidates, name their authors, and drop the tables of the join."""
        chosen = list(self._spread(connection))
        names = self._observers({candidate.observer_id for candidate in chosen})
        self._plan.add(self._planned(candidate, names) for candidate in chosen)
        if bare := len(self._wishes.species) - len({c.species for c in chosen}):
            self._plan.add_note(f"{bare} of the species have no photo under these licences.")
        for table in ("wanted", "observation", "candidate"):
            connection.execute(f"DROP TABLE {table}")

    def _spread(self, connection: sqlite3.Connection) -> Iterator[_Candidate]:
        candidates = starmap(
            _Candidate,
            connection.execute(
                "SELECT species, drawn, photo_id, observer_id, extension, licence "
                "FROM candidate ORDER BY species"
            ),
        )
        for _, of_species in groupby(candidates, attrgetter("species")):
            yield from spread(
                ((one.drawn, one.observer_id, one) for one in of_species),
                self._wishes.per_species,
            )

    def _observers(self, numbers: Container[int]) -> dict[int, str]:
        """Return the names of observers, or their logins where they give no name."""
        columns = ("observer_id", "login", "name")
        return {
            int(number): " ".join(name.split()) or login.strip()
            for number, login, name in self._rows("observers", columns)
            if number.isdigit() and int(number) in numbers
        }

    def _planned(self, candidate: _Candidate, names: Mapping[int, str]) -> PlannedPhoto:
        photo_id, observer_id = candidate.photo_id, candidate.observer_id
        file = f"{self._wishes.size}.{candidate.extension}"
        return PlannedPhoto(
            identity=INAT_IDENTITY.format(photo_id),
            address=f"{self._wishes.bucket}/photos/{photo_id}/{file}",
            taxon=self._wishes.species[candidate.species],
            licence=candidate.licence,
            attribution=names.get(observer_id) or f"iNaturalist user {observer_id}",
            url=PHOTO_PAGE.format(photo_id),
        )


def _uuid(text: str) -> bytes:
    """Return the bytes of a UUID; of anything else, its text, which matches itself alone."""
    try:
        return bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return text.encode()
