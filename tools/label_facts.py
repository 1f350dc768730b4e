"""Read a folder of taxon facts, and clean what its texts carry over from their sources."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from engine.taxonomy.taxa import HYBRID_SIGN, LABEL_SETS, fold

FACTS = "taxa.csv"
GBIF_NAMES = "gbif_names.csv.gz"
VERNACULAR = "vernacular.csv.gz"
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
SET_OF_GROUP = {
    "aiy_birds": "birds",
    "aiy_insects": "insects",
    "aiy_plants": "plants",
    "inat2021": "inat2021",
}
_COLUMNS_NEEDED = (
    *("group", "label_index", "label", "scientific_name", "rank", *RANKS),
    *("common_name_en", "gbif_key", "col_key", "inat_taxon_id"),
)
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})")
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "de", "in", "la", "le", "o'", "of", "on", "the", "with"}
)


class LabelsError(ValueError):
    """The folder of taxon facts cannot be used; the message says what is wrong with it."""


def unescape(text: str) -> str:
    r"""Decode ``\xd7`` and ``\u2019``, as some published label texts spell their letters."""
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text).strip()


def spell(scientific_name: str) -> str:
    """Spell a hybrid sign as a word of its own, between spaces."""
    return " ".join(unescape(scientific_name).replace(HYBRID_SIGN, f" {HYBRID_SIGN} ").split())


def headline(vernacular_name: str) -> str:
    """Capitalise an English name the way field guides do: ``Blue-rumped Euphonia``."""
    first, *others = unescape(vernacular_name).split() or [""]
    return " ".join([_capital(first), *(w if w in _SMALL_WORDS else _capital(w) for w in others)])


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def rank_of(scientific_name: str, kingdom: str) -> str:
    """Tell a label's rank from the form of its name.

    A hybrid sign after the genus makes a named hybrid, which ranks as a species; one
    after the epithet makes a formula of two species. A third word is a subspecies in
    zoology; in botany it may be a variety just as well.

    Raises:
        LabelsError: The name is a single word, which names no species.
    """
    words = scientific_name.split()
    if len(words) < 2:
        raise LabelsError(f"A label is called {scientific_name!r}, which names no species.")
    if HYBRID_SIGN in words[2:]:
        return "hybrid"
    if len(words) == 2 or words[1] == HYBRID_SIGN:
        return "species"
    return "subspecies" if kingdom == "Animalia" else "infraspecies"


def read_facts(folder: Path) -> list[dict[str, str]]:
    """Read and clean the rows of ``taxa.csv``, in the order of label sets and indexes.

    Raises:
        LabelsError: The file is missing or does not hold what it should.
    """
    path = folder / FACTS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            facts = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"Cannot read the taxon facts in {path}: {error}.") from error
    missing = [name for name in _COLUMNS_NEEDED if not facts or facts[0].get(name) is None]
    if missing:
        raise LabelsError(f"{path} has no column {missing[0]}: it holds no taxon facts.")
    for row in facts:
        if row["group"] not in SET_OF_GROUP or not row["label_index"].isdigit():
            raise LabelsError(f"{path} has a row of no known label set: {row['label']!r}.")
        row["scientific_name"] = spell(row["scientific_name"])
        row["common_name_en"] = headline(row["common_name_en"])
        for rank in RANKS:
            row[rank] = unescape(row[rank]).rpartition("/")[2]
    return sorted(facts, key=_label_order)


def _label_order(row: Mapping[str, str]) -> tuple[int, int]:
    return LABEL_SETS.index(SET_OF_GROUP[row["group"]]), int(row["label_index"])


def check_indexes(facts: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Return how many labels each set has, having seen that none is missing or double."""
    indexes: dict[str, list[int]] = {label_set: [] for label_set in LABEL_SETS}
    for row in facts:
        indexes[SET_OF_GROUP[row["group"]]].append(int(row["label_index"]))
    for label_set, found in indexes.items():
        if found != list(range(len(found))) or not found:
            raise LabelsError(
                f"The labels of {label_set} are not numbered 0, 1, 2 ... without a gap."
            )
    return {label_set: len(found) for label_set, found in indexes.items()}


def read_gbif_names(folder: Path, keys: Collection[str]) -> dict[str, set[str]]:
    """Return the folded names that GBIF has under each of ``keys``.

    Raises:
        LabelsError: ``gbif_names.csv.gz`` is missing or does not hold what it should.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for name, key in read_columns(folder / GBIF_NAMES, "scientific_name", "gbif_key"):
        if key in keys:
            names[key].add(fold(name))
    return names


def read_vernacular(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield species, language (ISO 639-3) and name of each row of ``vernacular.csv.gz``.

    Raises:
        LabelsError: The file is missing or does not hold what it should.
    """
    yield from read_columns(folder / VERNACULAR, "scientificName", "language", "vernacularName")


def read_by_hand(path: Path, *columns: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of some columns of a tab-separated file that was written by hand.

    Raises:
        LabelsError: The file cannot be read, or has no such columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", strict=True):
                yield tuple(row[column] for column in columns)
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise LabelsError(f"Cannot read {path}: {error}.") from error


def read_columns(path: Path, *columns: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of some columns of a gzipped CSV file.

    Raises:
        LabelsError: The file is missing, damaged, or has no such columns.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield tuple(row[column] for column in columns)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise LabelsError(f"Cannot read the list of names in {path}: {error}.") from error
