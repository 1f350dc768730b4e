"""The taxon table: what is known, offline, of every taxon a network can name.

One compact file, ``engine/data/taxa.tsv.gz``, holds a tree of taxa from kingdom to
subspecies, with names, keys and the label index of each in every label set. The table
answers without a network and without numpy, and loads in a fraction of a second; what
only the bot needs (looking names up, names in other languages) is built when it is first
asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache, cached_property
from pathlib import Path

from engine.contracts import NameMatch, Taxon
from engine.taxonomy.fact_file import FactFile, FactFileError
from engine.taxonomy.name_search import HYBRID_SIGN, SCIENTIFIC, NameSearch, fold
from engine.taxonomy.taxon_rows import CLASSIFIER_SETS, COLUMNS, LABEL_SETS, TaxonRows
from engine.taxonomy.vernacular import VernacularNames, language_of

__all__ = [
    "CLASSIFIER_SETS",
    "COLUMNS",
    "DEFAULT_PATH",
    "HYBRID_SIGN",
    "LABEL_SETS",
    "TAXON_FILE",
    "TaxonTable",
    "TaxonTableError",
    "fold",
]

TAXON_FILE = FactFile(
    format="fieldmark-taxa",
    version=1,
    columns=COLUMNS,
    title="taxon table",
    command="fieldmark taxa build",
)
DEFAULT_PATH = Path(__file__).parents[1] / "data" / "taxa.tsv.gz"

TaxonTableError = FactFileError


class TaxonTable:
    """Every taxon of the label sets and every higher taxon above one, immutable."""

    def __init__(self, rows: TaxonRows) -> None:
        self._taxa = rows
        self._labels: dict[str, tuple[Taxon | None, ...]] = {}
        self._entries: dict[Taxon, Taxon | None] = {}
        self._rows_at: dict[frozenset[str], frozenset[int]] = {}

    @classmethod
    def load(cls, path: Path | None = None) -> TaxonTable:
        """Return the table that comes with the engine, read once a process, or read ``path``.

        Raises:
            TaxonTableError: The file is missing, cut short, damaged, or something else.
        """
        if path is None:
            return _shipped_table()
        head, lines = TAXON_FILE.read(path)
        try:
            return cls(TaxonRows(lines, head["widths"]))
        except (ValueError, KeyError, TypeError) as error:
            raise TAXON_FILE.damaged(path) from error

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
            TaxonTableError: The table has more labels than its head says.
        """
        if label_set not in LABEL_SETS:
            raise KeyError(f"No label set {label_set!r}: choose from {LABEL_SETS}.")
        if label_set not in self._labels:
            try:
                self._labels[label_set] = self._taxa.labels(label_set)
            except IndexError as error:
                raise TaxonTableError(
                    f"The taxon table has more labels of {label_set} than it says: build it again "
                    "with `fieldmark taxa build`."
                ) from error
        return self._labels[label_set]

    def by_gbif_key(self, key: int) -> Taxon | None:
        """Return the taxon with the integer GBIF backbone key ``key``, if it is here."""
        return self._by_gbif_key.get(key)

    def entry_of(self, taxon: Taxon) -> Taxon | None:
        """Return this table's entry of ``taxon``, whoever made that, and whenever.

        That is the only one of its scientific name that is not known to have another key or to be
        of another kingdom; None where there is none, or several.
        """
        if taxon not in self._entries:
            namesakes = [
                ours for ours in self._taxa.called(taxon.scientific_name) if same(ours, taxon)
            ]
            self._entries[taxon] = namesakes[0] if len(namesakes) == 1 else None
        return self._entries[taxon]

    def inat_taxon_id(self, taxon: Taxon) -> int | None:
        """Return iNaturalist's id of ``taxon``, a taxon of this table, if it is known here."""
        return self._inat_taxon_id_of.get(taxon)

    def named(self, name: str, locale: str = "en") -> tuple[Taxon, ...]:
        """Return every taxon called exactly ``name``, or its singular, scientifically or by people.

        Case, accents, apostrophes, hyphens and the hybrid sign do not count. Several
        taxa may bear one name: *Morus* is a genus of gannets and one of mulberries. What is
        nobody's scientific name is taken as one in the language of ``locale``, that of who
        typed it, else as English, else as any: an Italian's "ape" is a bee. *Iris* stays the
        genus although people elsewhere call one of its species so.
        """
        found = list(self._search.named(name))
        spoken = {language for _, languages in found for language in languages}
        if SCIENTIFIC in spoken:
            spoken = {SCIENTIFIC, "en"}
        else:
            own = (language_of(locale), "en")
            spoken = next(({one} for one in own if one in spoken), spoken)
        rows = dict.fromkeys(row for row, languages in found if not spoken.isdisjoint(languages))
        return tuple(self._taxa[row] for row in rows)

    def suggest(self, text: str, limit: int = 25, locale: str = "en") -> tuple[Taxon, ...]:
        """Return up to ``limit`` taxa for a name that is still being typed, best first.

        See ``matches``, which also says which of a taxon's names was hit.
        """
        return tuple(match.taxon for match in self.matches(text, limit, locale))

    def matches(
        self, text: str, limit: int = 25, locale: str = "en", ranks: Collection[str] = ()
    ) -> tuple[NameMatch, ...]:
        """Return up to ``limit`` taxa for a name that is still being typed, and their names.

        Of taxa at one of ``ranks``, if there are any.

        A name that is ``text`` comes first, then names that begin with it, then names of
        which a later word does, then such as do but for a few typos. Within each,
        scientific names, English ones and those in the language of ``locale`` lead, then
        species a classifier knows, then those of iNaturalist 2021, then the rest, by
        alphabet. Nothing typed, nothing suggested.
        """
        among = self._at_ranks(frozenset(ranks)) if ranks else None
        found = self._search.suggest(text, limit, language_of(locale), among)
        return tuple(NameMatch(taxon=self._taxa[row], name=name) for row, name in found.items())

    def vernacular_names(self, taxon: Taxon, locale: str) -> tuple[str, ...]:
        """Return what ``taxon`` is called in the language of ``locale``; the first leads.

        ``locale`` is one of Discord's or any BCP 47 tag: ``de``, ``pt-BR``. In English the name
        that it bears itself leads, whoever made it.
        """
        language = language_of(locale)
        ours = self._taxon_of(taxon)
        listed = self._vernacular.spoken(ours.scientific_name, language) if ours else ()
        own = taxon.vernacular_name or (ours.vernacular_name if ours else None)
        if language != "en" or own is None:
            return listed
        return (own, *(name for name in listed if name.casefold() != own.casefold()))

    def species_named_in(self, locale: str) -> int:
        """Return how many species have a name in the language of ``locale``, English apart."""
        return self._vernacular.count(language_of(locale))

    def prepare_search(self) -> None:
        """Read and order all names now (a fraction of a second), not at the first search."""
        self._search.prepare()
        # What says how the taxa found are called is made of all rows, too.
        self._taxa.called("")

    def ancestor(self, taxon: Taxon, rank: str) -> Taxon | None:
        """Return the higher taxon of ``taxon`` at ``rank``, or None where it has none.

        One that the table lacks, as of a species that an index was taught, is known by its name.
        """
        for depth, ancestor in enumerate(taxon.lineage):
            if ancestor.rank == rank:
                above = taxon.lineage[:depth]
                return self._taxa.at((*above, ancestor)) or Taxon(
                    scientific_name=ancestor.name, rank=rank, lineage=above
                )
        return None

    @cached_property
    def _by_gbif_key(self) -> dict[int, Taxon]:
        return {t.gbif_key: t for t in self._taxa if t.gbif_key is not None}

    @cached_property
    def _inat_taxon_id_of(self) -> dict[Taxon, int]:
        numbers = ((taxon, self._taxa.inat_taxon_id(row)) for row, taxon in enumerate(self))
        return {taxon: number for taxon, number in numbers if number is not None}

    @cached_property
    def _tier(self) -> bytes:
        """How far back each row stands among suggestions: 0, 1 or 2."""
        known = {label_set: set(self._taxa.labelled(label_set)) for label_set in LABEL_SETS}
        first = set().union(*(known[label_set] for label_set in CLASSIFIER_SETS))
        second = set().union(*known.values())
        return bytes(0 if n in first else 1 if n in second else 2 for n in range(len(self)))

    def _at_ranks(self, ranks: frozenset[str]) -> frozenset[int]:
        if ranks not in self._rows_at:
            self._rows_at[ranks] = self._taxa.ranked(ranks)
        return self._rows_at[ranks]

    def _taxon_of(self, taxon: Taxon) -> Taxon | None:
        """Return this table's taxon of the name and kingdom of ``taxon``, whoever made that."""
        kingdom = taxon.ancestor("kingdom")
        namesakes = self._taxa.called(taxon.scientific_name)
        return next((ours for ours in namesakes if ours.ancestor("kingdom") == kingdom), None)

    @cached_property
    def _vernacular(self) -> VernacularNames:
        return VernacularNames.load()

    @cached_property
    def _search(self) -> NameSearch:
        return NameSearch(self._every_name(), self._tier)

    def _every_name(self) -> Iterator[tuple[int, str, str]]:
        """Yield row, language and name, of each taxon the leading ones first."""
        for row, taxon in enumerate(self._taxa):
            yield row, SCIENTIFIC, taxon.scientific_name
            for name in (taxon.vernacular_name, *self._taxa.other_names(row)):
                if name:
                    yield row, "en", name
            for language, name in self._vernacular.of(taxon.scientific_name):
                yield row, language, name


def same(one: Taxon, other: Taxon) -> bool:
    """Tell whether two taxa of one scientific name may be the same, as far as both are known.

    They are not if they have two keys, or are of two kingdoms.
    """
    known = (
        (one.gbif_key, other.gbif_key),
        (one.ancestor("kingdom"), other.ancestor("kingdom")),
    )
    return all(None in pair or pair[0] == pair[1] for pair in known)


@cache
def _shipped_table() -> TaxonTable:
    return TaxonTable.load(DEFAULT_PATH)
