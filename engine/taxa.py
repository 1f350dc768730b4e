"""The taxon table: what is known, offline, of every taxon a network can name.

One compact file, ``engine/data/taxa.tsv.gz``, holds a tree of taxa from kingdom to
subspecies, with names, keys and the label index of each in every label set. The table
answers without a network and without numpy, and loads in a fraction of a second; what
only the bot needs (looking names up) is built when it is first asked for.
"""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.contracts import Ancestor, Taxon

FORMAT = "fieldmark-taxa"
VERSION = 1
CLASSIFIER_SETS = ("birds", "insects", "plants")
LABEL_SETS = (*CLASSIFIER_SETS, "inat2021")
COLUMNS = (
    "parent",
    "rank",
    "scientific_name",
    "vernacular_name",
    "other_names",
    "gbif_key",
    "col_key",
    "inat_taxon_id",
    *LABEL_SETS,
)
"""Columns of the file. ``parent`` is the row number, from 0, of the next higher taxon,
which always stands above; ``other_names`` are further English names, split by ``|``."""

DEFAULT_PATH = Path(__file__).with_name("data") / "taxa.tsv.gz"

_LAST = "\U0010ffff"
HYBRID_SIGN = "\N{MULTIPLICATION SIGN}"
_HYBRID_MARKS = frozenset({"x", HYBRID_SIGN})
_PUNCTUATION = str.maketrans(
    {"-": " ", "'": None, "\N{RIGHT SINGLE QUOTATION MARK}": None, ".": None, HYBRID_SIGN: None}
)


class TaxonTableError(ValueError):
    """The file is missing, damaged or no taxon table; the message says which."""


class TaxonTable:
    """Every taxon of the label sets and every higher taxon above one, immutable."""

    def __init__(
        self,
        taxa: tuple[Taxon, ...],
        labels: dict[str, tuple[Taxon | None, ...]],
        other_names: dict[int, tuple[str, ...]],
        parents: frozenset[int],
        inat_taxon_ids: dict[int, int],
    ) -> None:
        self._taxa = taxa
        self._labels = labels
        self._other_names = other_names
        self._parents = parents
        self._inat_taxon_ids = inat_taxon_ids

    @classmethod
    def load(cls, path: Path | None = None) -> TaxonTable:
        """Read the table that comes with the engine, or the one at ``path``.

        Raises:
            TaxonTableError: The file is missing, cut short, damaged, or something else.
        """
        path = path or DEFAULT_PATH
        head, lines = _read(path)
        try:
            return cls(*_parse(head["widths"], lines))
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path) from error

    def __len__(self) -> int:
        return len(self._taxa)

    def __iter__(self) -> Iterator[Taxon]:
        return iter(self._taxa)

    def labels(self, label_set: str) -> tuple[Taxon | None, ...]:
        """Return the taxon of each label of ``label_set``, by label index.

        ``label_set`` is one of ``LABEL_SETS``. None stands for a label that is no taxon:
        ``background``, which is the last of each classifier's.

        Raises:
            KeyError: There is no such label set.
        """
        try:
            return self._labels[label_set]
        except KeyError:
            raise KeyError(f"No label set {label_set!r}: choose from {LABEL_SETS}.") from None

    def by_gbif_key(self, key: int) -> Taxon | None:
        """Return the taxon with the integer GBIF backbone key ``key``, if it is here."""
        return self._by_gbif_key.get(key)

    def inat_taxon_id(self, taxon: Taxon) -> int | None:
        """Return iNaturalist's id of ``taxon``, a taxon of this table, if it is known here."""
        return self._inat_taxon_id_of.get(taxon)

    def named(self, name: str) -> tuple[Taxon, ...]:
        """Return every taxon called exactly ``name``, scientifically or in English.

        Case, accents, apostrophes, hyphens and the hybrid sign do not count. Several
        taxa may bear one name: *Morus* is a genus of gannets and one of mulberries.
        """
        key = fold(name)
        rows = dict.fromkeys(self._names.rows[i] for i in self._names.equal(key)) if key else {}
        return tuple(self._taxa[row] for row in rows)

    def suggest(self, text: str, limit: int = 25) -> tuple[Taxon, ...]:
        """Return up to ``limit`` taxa for a name that is still being typed.

        A name that is ``text`` comes first, then names that begin with it, then names of
        which a later word does; within each, species a classifier knows come first, then
        those of iNaturalist 2021, then the rest, by alphabet. Nothing typed, nothing
        suggested.
        """
        key = fold(text)
        if not key:
            return ()
        found: dict[int, None] = {}
        for index in (self._names, self._later_words):
            hits = sorted(
                index.starting(key),
                key=lambda i: (index.keys[i] != key, self._tier[index.rows[i]], i),
            )
            for i in hits:
                found.setdefault(index.rows[i])
                if len(found) == limit:
                    return tuple(self._taxa[row] for row in found)
        return tuple(self._taxa[row] for row in found)

    def ancestor(self, taxon: Taxon, rank: str) -> Taxon | None:
        """Return the higher taxon of ``taxon`` at ``rank``, or None where it has none."""
        for depth, ancestor in enumerate(taxon.lineage, start=1):
            if ancestor.rank == rank:
                return self._by_path.get(taxon.lineage[:depth])
        return None

    @cached_property
    def _by_gbif_key(self) -> dict[int, Taxon]:
        return {t.gbif_key: t for t in self._taxa if t.gbif_key is not None}

    @cached_property
    def _inat_taxon_id_of(self) -> dict[Taxon, int]:
        return {self._taxa[row]: number for row, number in self._inat_taxon_ids.items()}

    @cached_property
    def _by_path(self) -> dict[tuple[Ancestor, ...], Taxon]:
        return {_path(self._taxa[row]): self._taxa[row] for row in self._parents}

    @cached_property
    def _tier(self) -> bytes:
        """How far back each row stands among suggestions: 0, 1 or 2."""
        known = {
            label_set: {id(taxon) for taxon in taxa} for label_set, taxa in self._labels.items()
        }
        first = set().union(*(known.get(s, set()) for s in CLASSIFIER_SETS))
        second = set().union(*known.values())
        return bytes(0 if id(t) in first else 1 if id(t) in second else 2 for t in self._taxa)

    def _every_name(self) -> Iterator[tuple[str, int]]:
        for row, taxon in enumerate(self._taxa):
            names = (taxon.scientific_name, taxon.vernacular_name, *self._other_names.get(row, ()))
            yield from ((key, row) for key in {fold(name) for name in names if name})

    @cached_property
    def _names(self) -> _NameIndex:
        return _NameIndex(self._every_name())

    @cached_property
    def _later_words(self) -> _NameIndex:
        return _NameIndex(
            (key[at + 1 :], row)
            for key, row in zip(self._names.keys, self._names.rows, strict=True)
            for at, letter in enumerate(key)
            if letter == " "
        )


class _NameIndex:
    """Folded names in order, each with its row."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        pairs = sorted(names)
        self.keys = [key for key, _ in pairs]
        self.rows = [row for _, row in pairs]

    def starting(self, prefix: str) -> range:
        """Return the positions of the names that begin with ``prefix``."""
        return range(bisect_left(self.keys, prefix), bisect_left(self.keys, prefix + _LAST))

    def equal(self, name: str) -> range:
        """Return the positions of the names that are ``name``."""
        return range(bisect_left(self.keys, name), bisect_left(self.keys, name + "\0"))


def fold(name: str) -> str:
    """Reduce ``name`` to what names are compared by.

    Case and accents go, and apostrophes, full stops and the hybrid sign (or an
    ``x`` that stands alone in its place); hyphens become spaces and spaces are collapsed.
    """
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(c for c in decomposed if not unicodedata.combining(c))
    first, *others = name.casefold().split() or [""]
    words = " ".join([first, *(word for word in others if word not in _HYBRID_MARKS)])
    return " ".join(words.translate(_PUNCTUATION).split())


def _path(taxon: Taxon) -> tuple[Ancestor, ...]:
    return (*taxon.lineage, Ancestor(taxon.rank, taxon.scientific_name))


def _damaged(path: Path) -> TaxonTableError:
    return TaxonTableError(
        f"{path} is no taxon table, or a damaged one: build it again with `fieldmark taxa build`."
    )


def _read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the header and the rows of the file at ``path``, refusing any other file."""
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except FileNotFoundError as error:
        raise TaxonTableError(
            f"There is no taxon table at {path}: build one with `fieldmark taxa build`."
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _damaged(path) from error
    first, _, body = text.partition("\n")
    try:
        head = json.loads(first)
        found, version, rows = head["format"], head["version"], head["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    columns, *lines = body.removesuffix("\n").split("\n")
    if found != FORMAT or tuple(columns.split("\t")) != COLUMNS or len(lines) != rows:
        raise _damaged(path)
    if version != VERSION:
        raise TaxonTableError(
            f"{path} is a taxon table of version {version}, this Fieldmark reads version "
            f"{VERSION}: build it again with `fieldmark taxa build`."
        )
    return head, lines


def _parse(
    widths: dict[str, int], lines: list[str]
) -> tuple[
    tuple[Taxon, ...],
    dict[str, tuple[Taxon | None, ...]],
    dict[int, tuple[str, ...]],
    frozenset[int],
    dict[int, int],
]:
    """Build the arguments of ``TaxonTable`` from the rows of the file."""
    taxa: list[Taxon] = []
    labels: dict[str, list[Taxon | None]] = {s: [None] * widths[s] for s in LABEL_SETS}
    other_names: dict[int, tuple[str, ...]] = {}
    inat_taxon_ids: dict[int, int] = {}
    lineages: dict[str, tuple[Ancestor, ...]] = {"": ()}
    for row, line in enumerate(lines):
        parent, rank, name, vernacular, others, gbif_key, col_key, inat, *indexes = line.split("\t")
        if parent not in lineages:
            lineages[parent] = _path(taxa[int(parent)])
        taxon = Taxon(
            scientific_name=name,
            rank=rank,
            lineage=lineages[parent],
            vernacular_name=vernacular or None,
            gbif_key=int(gbif_key) if gbif_key else None,
            col_key=col_key or None,
        )
        taxa.append(taxon)
        if others:
            other_names[row] = tuple(others.split("|"))
        if inat:
            inat_taxon_ids[row] = int(inat)
        for label_set, index in zip(LABEL_SETS, indexes, strict=True):
            if index:
                labels[label_set][int(index)] = taxon
    return (
        tuple(taxa),
        {label_set: tuple(found) for label_set, found in labels.items()},
        other_names,
        frozenset(int(parent) for parent in lineages if parent),
        inat_taxon_ids,
    )
