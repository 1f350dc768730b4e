"""From the name that a source writes to a taxon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from engine import SPECIES_RANKS, Ancestor, Taxon, TaxonTable
from engine.taxonomy.taxa import HYBRID_SIGN, fold
from tools.label_facts import RANKS, LabelsError, rank_of, spell
from tools.sources.source import SourceError

_GENUS = rf"(?:{HYBRID_SIGN} )?[A-Z][^\W\d_]+(?:-[^\W\d_]+)?"
_EPITHET = rf"(?:{HYBRID_SIGN}|[^\W\d_A-Z][^\W\d_]*\.?(?:-[^\W\d_]+)*)"
_SCIENTIFIC = re.compile(rf"{_GENUS}(?: {_EPITHET})+")
_LISTED = 12
_UNNAMED = frozenset({"sp", "sp.", "spp", "spp.", "cf.", "aff.", "indet.", "indet"})


def scientific_name_of(text: str) -> str | None:
    """Return the name of a species or below that a folder's name spells, or None.

    Underscores are spaces, and an ``x`` on its own is the hybrid sign.
    """
    words = spell(text.replace("_", " ")).split()
    name = " ".join(HYBRID_SIGN if word in {"x", "X"} else word for word in words)
    if not _SCIENTIFIC.fullmatch(name) or name.endswith(HYBRID_SIGN):
        return None
    return None if _UNNAMED & set(words) else name


def find_taxon(
    taxa: TaxonTable,
    scientific_name: str,
    *,
    ancestors: Mapping[str, str] | None = None,
    vernacular_name: str | None = None,
    gbif_key: int | None = None,
) -> Taxon:
    """Return the table's taxon of this name, or a new one where the table has none.

    ``ancestors`` maps ranks (kingdom to genus) to what the source says of them. A name that
    several taxa bear is told apart by kingdom and family; where that does not settle it, a
    new taxon is made rather than a wrong one taken. Its lineage is the source's, or that
    of its genus in the table; ``vernacular_name``, in English, and ``gbif_key`` are only for it.

    Raises:
        ValueError: the name is not that of a species.
    """
    ancestors = {rank: name for rank, name in (ancestors or {}).items() if name}
    try:
        rank = rank_of(scientific_name, ancestors.get("kingdom", ""))
    except LabelsError as error:
        raise ValueError(str(error)) from error
    found = _named(taxa, scientific_name, ancestors)
    if len(found) == 1:
        return found[0]
    return Taxon(
        scientific_name=scientific_name,
        rank=rank,
        lineage=_lineage(taxa, scientific_name, ancestors),
        vernacular_name=vernacular_name,
        gbif_key=gbif_key,
    )


def choose_species(taxa: TaxonTable, names: Iterable[str] | None) -> list[Taxon]:
    """Return the taxa of ``names``, each once, or the species of every label set for None.

    Raises:
        SourceError: a name is not that of a species, or the list is empty.
    """
    if names is None:
        return [taxon for taxon in taxa if taxon.rank in SPECIES_RANKS]
    chosen: dict[Taxon, None] = {}
    for text in names:
        name = scientific_name_of(text)
        if name is None:
            raise SourceError(
                f"{text!r} is not the scientific name of a species: write it like "
                "Parus major, without an author."
            )
        chosen.setdefault(find_taxon(taxa, name))
    if not chosen:
        raise SourceError("The list of species is empty: name at least one.")
    return list(chosen)


def share_a_word(name: str, other: str) -> bool:
    """Tell whether two scientific names have the genus or an epithet in common."""
    return bool(set(fold(name).split()) & set(fold(other).split()) - {HYBRID_SIGN})


def listed(names: Sequence[str]) -> str:
    """Write the first of ``names``, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _named(taxa: TaxonTable, name: str, ancestors: Mapping[str, str]) -> list[Taxon]:
    found = [
        taxon
        for taxon in taxa.named(name)
        if fold(taxon.scientific_name) == fold(name)
        and taxon.rank in SPECIES_RANKS
        and _agrees(taxon, ancestors, "kingdom")
    ]
    return found if len(found) < 2 else [t for t in found if _agrees(t, ancestors, "family")]


def _agrees(taxon: Taxon, ancestors: Mapping[str, str], rank: str) -> bool:
    ours, theirs = taxon.ancestor(rank), ancestors.get(rank)
    return ours is None or theirs is None or ours == theirs


def _lineage(taxa: TaxonTable, name: str, ancestors: Mapping[str, str]) -> tuple[Ancestor, ...]:
    words = [word for word in name.split() if word != HYBRID_SIGN]
    genera = [
        taxon
        for taxon in taxa.named(words[0])
        if taxon.rank == "genus"
        and taxon.scientific_name == words[0]
        and _agrees(taxon, ancestors, "kingdom")
    ]
    if len(genera) == 1:
        return (*genera[0].lineage, Ancestor("genus", words[0]))
    known = {**ancestors, "genus": words[0]}
    return tuple(Ancestor(rank, known[rank]) for rank in RANKS if rank in known)
