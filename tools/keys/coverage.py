"""Count which taxa of the table have keys: the labels, and the higher taxa above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from engine.taxonomy.taxa import LABEL_SETS, TaxonTable
from tools.label_facts import RANKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many labels of one set are taxa, and which of them carry which key."""

    labels: int
    gbif_key: int
    col_key_only: int
    no_key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HigherCoverage:
    """How many taxa of one rank there are, and how many have a GBIF key.

    ``labels`` counts, by label set, the labels whose own taxon of this rank has one.
    """

    taxa: int
    gbif_key: int
    labels: Mapping[str, int]


def coverage(table: TaxonTable) -> dict[str, Coverage]:
    """Count the keys of the labels of each set."""
    found = {}
    for label_set in LABEL_SETS:
        taxa = [taxon for taxon in table.labels(label_set) if taxon is not None]
        with_gbif = sum(taxon.gbif_key is not None for taxon in taxa)
        col_only = sum(taxon.gbif_key is None and taxon.col_key is not None for taxon in taxa)
        found[label_set] = Coverage(
            labels=len(taxa),
            gbif_key=with_gbif,
            col_key_only=col_only,
            no_key=len(taxa) - with_gbif - col_only,
        )
    return found


def higher_coverage(table: TaxonTable) -> dict[str, HigherCoverage]:
    """Count the keys of the taxa of each rank above species."""
    found = {}
    for rank in RANKS:
        taxa = [taxon for taxon in table if taxon.rank == rank]
        labels = {}
        for label_set in LABEL_SETS:
            own = (table.ancestor(t, rank) for t in table.labels(label_set) if t is not None)
            labels[label_set] = sum(
                taxon is not None and taxon.gbif_key is not None for taxon in own
            )
        found[rank] = HigherCoverage(
            taxa=len(taxa),
            gbif_key=sum(taxon.gbif_key is not None for taxon in taxa),
            labels=labels,
        )
    return found


def coverage_table(coverage: Mapping[str, Coverage]) -> Table:
    """Lay out how many labels of each set have which key."""
    table = Table("label set", "taxa", "GBIF key", "only a COL key", "no key")
    for label_set, found in coverage.items():
        counts = (found.labels, found.gbif_key, found.col_key_only, found.no_key)
        table.add_row(label_set, *(f"{count:,}" for count in counts))
    return table


def higher_table(coverage: Mapping[str, HigherCoverage]) -> Table:
    """Lay out how many higher taxa have a GBIF key, and of how many labels these are."""
    table = Table("rank", "taxa", "GBIF key", *(f"of {label_set}" for label_set in LABEL_SETS))
    for rank, found in coverage.items():
        counts = (found.taxa, found.gbif_key, *(found.labels[s] for s in LABEL_SETS))
        table.add_row(rank, *(f"{count:,}" for count in counts))
    return table
