"""Build the engine's list of vernacular names, of two sources.

``vernacular.csv.gz`` of a folder of taxon facts has names of the Catalogue of Life in
many languages. In German and Dutch it names no bird and no mammal, and of sixty German names of
the perch it does not say which one people use. So ``common_names.tsv``, written by hand, has
species that people meet in Europe, and such as have many names.

What the names need before they fit, each counted in the summary that ``build`` returns:

- Languages of ISO 639-3 become subtags of BCP 47, as Discord's locales are (``deu`` is
  ``de``); ``zho`` and ``cmn`` both become ``zh``. Three codes are slips of the source, as
  the names under them show, and mended.
- A note in brackets after a name is cut. What still holds a bracket, ``=`` or ``/`` is a note,
  a name with one in its midst, or several names, and dropped.
- A name that would mislead is dropped (``tools/taxa/misleading_names.py``).
- A name begins with a capital, as on a card. Of spellings that fold alike the first stays.
- Which name leads a source does not say. One written by hand does; else one in the
  language's own letters, not transcribed; else the name most like the other ones.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from babel.core import get_global
from rapidfuzz.fuzz import ratio

from engine import TaxonTable
from engine.taxonomy.taxa import fold
from engine.taxonomy.vernacular import (
    DEFAULT_VERNACULAR_PATH,
    VERNACULAR_FILE,
    VernacularNames,
    language_of,
)
from tools.label_facts import VERNACULAR, LabelsError, read_vernacular
from tools.taxa.misleading_names import MisleadingNames

COMMON_NAMES = Path(__file__).parents[1] / "data" / "common_names.tsv"

# Dan, Romany and a language of China, for names that are Danish, Romanian and English.
_SLIPS = {"dnj": "dan", "rom": "ron", "eee": "eng"}
_NOTE = re.compile(r"\s+[(\[][^)\]]*[)\]]?$")
_NO_NAME = re.compile(r"[()\[\]=/|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a build wrote. ``changes`` counts, by sentence, what the names needed."""

    path: Path
    names: int
    taxa: int
    languages: int
    size_bytes: int
    changes: dict[str, int]


def build(labels: Path, out: Path, taxa: TaxonTable, by_hand: Path = COMMON_NAMES) -> Summary:
    """Write the names of the folder ``labels`` and of the file ``by_hand`` to ``out``.

    The same names always give the same bytes. An older file at ``out`` is replaced only
    by one that was read back whole.

    Raises:
        LabelsError: A file is missing or does not hold what it should.
    """
    changes: Counter[str] = Counter()
    known = Counter(taxon.scientific_name for taxon in taxa)
    names: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    favoured: Counter[tuple[str, str]] = Counter()
    for scientific_name, language, name in read_common_names(by_hand):
        if not known[scientific_name]:
            raise LabelsError(f"{by_hand} names {scientific_name}, which the taxon table has not.")
        names[scientific_name, language].setdefault(fold(name), name)
        favoured[scientific_name, language] = len(names[scientific_name, language])
    misleading = MisleadingNames.read()
    for scientific_name, code, written in read_vernacular(labels):
        name = _clean(written, changes)
        key = scientific_name, subtag(code)
        if known[scientific_name] != 1:
            changes["name of no taxon of the table, or of several, dropped"] += 1
        elif misleading.has(*key, name):
            changes["name that misleads dropped"] += 1
        elif name:
            changes["language that its code does not mean mended"] += code in _SLIPS
            changes["spelling of a name that is there already dropped"] += fold(name) in names[key]
            names[key].setdefault(fold(name), name)
    rows = [
        (*key, "|".join([*called[: favoured[key]], *in_order(called[favoured[key] :])]))
        for key, called in sorted((key, [*found.values()]) for key, found in names.items() if found)
    ]
    checksum = hashlib.sha256((labels / VERNACULAR).read_bytes()).hexdigest()
    _write(out, VERNACULAR_FILE.pack(rows, {"facts_sha256": checksum}))
    return Summary(
        path=out,
        names=sum(len(found) for found in names.values()),
        taxa=len({name for name, _, _ in rows}),
        languages=len({language for _, language, _ in rows}),
        size_bytes=out.stat().st_size,
        changes={change: count for change, count in sorted(changes.items()) if count},
    )


def read_common_names(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield taxon, language and name of the file of names written by hand.

    A taxon may have several in a language, split by ``|``, of which the first leads.

    Raises:
        LabelsError: The file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", strict=True):
                taxon = row.pop("scientific_name")
                for language, names in row.items():
                    yield from (
                        (taxon, language, name) for name in (names or "").split("|") if name
                    )
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise LabelsError(f"Cannot read the common names in {path}: {error}.") from error


def in_order(names: Collection[str]) -> list[str]:
    """Return the names of a species in one language, the one that should lead first."""
    native = [name for name in names if not _is_latin(name)]
    likeness = {name: sum(ratio(name, other) for other in native or names) for name in names}
    return sorted(names, key=lambda name: (bool(native) and name not in native, -likeness[name]))


def _is_latin(name: str) -> bool:
    return all("LATIN" in unicodedata.name(c, "") for c in name if c.isalpha())


def subtag(code: str) -> str:
    """Return the subtag of BCP 47 for a language's code in the source, its slips mended."""
    meant = _SLIPS.get(code, code)
    return language_of(str(get_global("language_aliases").get(meant, meant)))


def _clean(written: str, changes: Counter[str]) -> str:
    """Return the name in what a source wrote, or nothing where there is none."""
    name = " ".join(unicodedata.normalize("NFC", written).split())
    bare = _NOTE.sub("", name)
    changes["note in brackets cut"] += bare != name
    if _NO_NAME.search(bare) or not fold(bare):
        changes["note in place of a name dropped"] += 1
        return ""
    return bare[:1].upper() + bare[1:]


def _write(out: Path, data: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(out.name + ".part")
    draft.write_bytes(data)
    VernacularNames.load(draft)
    draft.replace(out)


def names_command(
    labels_dir: Annotated[Path, typer.Argument(help="Folder with vernacular.csv.gz.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = DEFAULT_VERNACULAR_PATH,
) -> None:
    """Build the list of vernacular names and say what was done."""
    try:
        summary = build(labels_dir, out, TaxonTable.load())
    except LabelsError as error:
        raise typer.BadParameter(str(error), param_hint="LABELS_DIR") from error
    for line in report(summary):
        typer.echo(line)


def report(summary: Summary) -> Iterable[str]:
    """Yield the lines that say what a build did."""
    yield from (f"{count:>6,}  {change}" for change, count in summary.changes.items())
    yield (
        f"{summary.names:,} names of {summary.taxa:,} species in {summary.languages} languages, "
        f"in {summary.path} ({summary.size_bytes / 1000:,.0f} kB)."
    )
