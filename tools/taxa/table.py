r"""Build the engine's taxon table from a folder of taxon facts.

The table is a tab-separated tree in one gzip file. Text, because anyone can read and
compare it (``zcat engine/data/taxa.tsv.gz``); a tree, because every lineage is then
consistent by construction and is written once; gzip from the standard library with its
time stamp zeroed, so that the same facts give the same bytes. It needs no pandas to
read, and no database: all of it is in memory anyway.

What the facts need before they fit, each counted in the summary that ``build`` returns:

- Labels of one taxon (one name in one kingdom) become one row, so a key known in one
  set serves the others. Where the sets disagree, the order birds, insects, plants,
  inat2021 decides on lineage and English name (other English names are kept for
  searching), and of a key no value is kept.
- An English name that is a subspecies' or another species' gives way to the species' own,
  as ``tools/taxa/english_leads.py`` tells, and is kept for searching, unless it would mislead
  (``tools/taxa/misleading_names.py``).
- A genus that needed telling apart is written ``Sulidae/Morus`` in the facts; here it is
  ``Morus``, and its lineage tells it apart.
- A class placed in two phyla goes to the one with more labels; this retires the old
  Magnoliophyta and Pteridophyta in favour of Tracheophyta.
- A key belongs to one taxon. One that the list of GBIF names gives to another name, as
  it does for most subspecies, whose key is in truth the species', is dropped; one that
  two taxa share stays with the species of a subspecies, and otherwise with neither.
- Label texts with escapes (``\xd7``) are decoded, hybrid signs spelled as words of their
  own, and English names given capitals. Ranks are told from the form of the name.
  ``background`` is no taxon.
- The facts name nothing above species in English; ``tools/taxa/higher_taxa.py`` does.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine.taxonomy.taxa import DEFAULT_PATH, LABEL_SETS, fold
from tools.keys.coverage import Coverage, coverage, coverage_table
from tools.keys.resolved import RESOLVED_KEYS, ResolvedKey, lay_over, read_keys, write_table
from tools.label_facts import (
    FACTS,
    RANKS,
    SET_OF_GROUP,
    LabelsError,
    check_indexes,
    rank_of,
    read_facts,
    read_gbif_names,
)
from tools.taxa.english_leads import ENGLISH_LEADS, EnglishLeads
from tools.taxa.higher_taxa import read_higher_taxa
from tools.taxa.misleading_names import MisleadingNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a build wrote. ``changes`` counts, by sentence, what the facts needed."""

    path: Path
    rows: int
    label_taxa: int
    size_bytes: int
    coverage: Mapping[str, Coverage]
    changes: Mapping[str, int]


@dataclass(slots=True)
class _Node:
    """One taxon while the table is being put together; ``path`` names it from the kingdom down."""

    path: tuple[str, ...]
    rank: str
    vernacular_name: str = ""
    other_names: tuple[str, ...] = ()
    gbif_key: str = ""
    col_key: str = ""
    inat_taxon_id: str = ""
    labels: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path[-1]


def build(
    labels: Path,
    out: Path,
    keys: Collection[ResolvedKey] = (),
    by_hand: Path = ENGLISH_LEADS,
) -> Summary:
    """Write the taxon table of the facts in the folder ``labels`` to the file ``out``.

    ``keys`` were found by name, and are laid over the facts; ``by_hand`` has English names
    that should lead. The same facts, keys and names always give the same bytes. An older
    file at ``out`` is replaced only by a table that was read back whole.

    Raises:
        LabelsError: A file of ``labels`` is missing or does not hold what it should.
    """
    changes: Counter[str] = Counter()
    facts = read_facts(labels)
    widths = check_indexes(facts)
    facts = [row for row in facts if row["scientific_name"]]
    _settle_phyla(facts, changes)
    nodes = _merge(facts, EnglishLeads.read(labels, by_hand), changes)
    _drop_misleading_names(nodes, MisleadingNames.read(), changes)
    gbif_names = read_gbif_names(labels, {node.gbif_key for node in nodes} - {""})
    _drop_foreign_keys(nodes, gbif_names, changes)
    _drop_shared_keys(nodes, "gbif_key", changes)
    _drop_shared_keys(nodes, "col_key", changes)
    tree = _with_higher_taxa(nodes)
    checksum = hashlib.sha256((labels / FACTS).read_bytes()).hexdigest()
    rows = _rows(tree)
    changes += lay_over(rows, keys)
    table = write_table(out, rows, {"widths": widths, "facts_sha256": checksum})
    return Summary(
        path=out,
        rows=len(tree),
        label_taxa=len(nodes),
        size_bytes=out.stat().st_size,
        coverage=coverage(table),
        changes={change: count for change, count in sorted(changes.items()) if count},
    )


def _settle_phyla(facts: list[dict[str, str]], changes: Counter[str]) -> None:
    """Give every class of a kingdom the phylum that most of its labels name."""
    votes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in facts:
        votes[row["kingdom"], row["class"]][row["phylum"]] += 1
    for row in facts:
        phylum = votes[row["kingdom"], row["class"]].most_common(1)[0][0]
        if phylum != row["phylum"]:
            changes[f"phylum {row['phylum']} became {phylum}"] += 1
            row["phylum"] = phylum


def _merge(
    facts: Iterable[Mapping[str, str]], english: EnglishLeads, changes: Counter[str]
) -> list[_Node]:
    """Make one node of the rows that are one taxon: same name in the same kingdom."""
    rows_of: defaultdict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    for row in facts:
        rows_of[row["kingdom"], row["scientific_name"]].append(row)
    nodes = []
    for (_, name), rows in rows_of.items():
        lineages = list(dict.fromkeys(tuple(row[rank] for rank in RANKS) for row in rows))
        changes["lineages differed; the classifier's is kept"] += len(lineages) > 1
        changes["ranks differed; the form of the name decides"] += (
            len({r["rank"] for r in rows}) > 1
        )
        path = (*lineages[0], name)
        names = _english_names(name, rows, english, changes)
        node = _Node(
            path=path,
            rank=rank_of(path[-1], path[0]),
            vernacular_name=names[0] if names else "",
            other_names=tuple(names[1:]),
            gbif_key=_agreed(rows, "gbif_key", changes),
            col_key=_agreed(rows, "col_key", changes),
            inat_taxon_id=_agreed(rows, "inat_taxon_id", changes),
            labels={SET_OF_GROUP[row["group"]]: int(row["label_index"]) for row in rows},
        )
        if len(node.labels) < len(rows):
            raise LabelsError(f"{node.name} is the name of two labels of one set.")
        changes["label rows merged into another set's taxon"] += len(rows) - 1
        nodes.append(node)
    return nodes


def _english_names(
    name: str,
    rows: Sequence[Mapping[str, str]],
    english: EnglishLeads,
    changes: Counter[str],
) -> list[str]:
    """Return what the rows of one taxon call it in English, the name that should lead first."""
    last_first = [row["common_name_en"] for row in rows if row["common_name_en"]][::-1]
    names = list({fold(called): called for called in last_first}.values())[::-1]
    changes["English names differed; the classifier's leads"] += len(names) > 1
    if not names:
        return []
    lead = english.lead(name, rows[0]["class"], names[0])
    changes["English name of another taxon gave way to its own"] += lead != names[0]
    return [lead, *(called for called in names if fold(called) != fold(lead))]


def _drop_misleading_names(
    nodes: Iterable[_Node], misleading: MisleadingNames, changes: Counter[str]
) -> None:
    for node in nodes:
        kept = tuple(name for name in node.other_names if not misleading.has(node.name, "en", name))
        changes["English name that misleads dropped"] += len(node.other_names) - len(kept)
        node.other_names = kept


def _agreed(rows: Iterable[Mapping[str, str]], column: str, changes: Counter[str]) -> str:
    values = {row[column] for row in rows if row[column]}
    changes[f"{column} differed between label sets and was dropped"] += len(values) > 1
    return values.pop() if len(values) == 1 else ""


def _drop_foreign_keys(
    nodes: Iterable[_Node], names: Mapping[str, set[str]], changes: Counter[str]
) -> None:
    for node in nodes:
        if node.gbif_key in names and fold(node.name) not in names[node.gbif_key]:
            node.gbif_key = ""
            changes["gbif_key of another name dropped"] += 1


def _drop_shared_keys(nodes: Iterable[_Node], kind: str, changes: Counter[str]) -> None:
    bearers: defaultdict[str, list[_Node]] = defaultdict(list)
    for node in nodes:
        if key := getattr(node, kind):
            bearers[key].append(node)
    for sharing in bearers.values():
        shortest = min(sharing, key=lambda node: len(node.name))
        nested = all(f"{node.name} ".startswith(f"{shortest.name} ") for node in sharing)
        for node in sharing:
            if len(sharing) > 1 and not (nested and node is shortest):
                setattr(node, kind, "")
                changes[f"{kind} shared with another taxon dropped"] += 1


def _with_higher_taxa(nodes: Iterable[_Node]) -> list[_Node]:
    """Return the whole tree, each taxon after its parent, in the order of their names."""
    english = read_higher_taxa()
    tree: dict[tuple[str, ...], _Node] = {}
    for node in nodes:
        for depth, rank in enumerate(RANKS, start=1):
            path = node.path[:depth]
            called, *also = english.get((path[-1], rank), ("",))
            higher = _Node(path, rank, vernacular_name=called, other_names=tuple(also))
            tree.setdefault(path, higher)
        if node.rank in {"subspecies", "infraspecies"}:
            species = (*node.path[:-1], " ".join(node.name.split()[:2]))
            tree.setdefault(species, _Node(path=species, rank="species"))
            node.path = (*species, node.name)
    tree.update((node.path, node) for node in nodes)
    return [node for _, node in sorted(tree.items())]


def _rows(tree: Collection[_Node]) -> list[list[str]]:
    position = {node.path: row for row, node in enumerate(tree)}
    return [
        [
            str(position.get(node.path[:-1], "")),
            *(node.rank, node.name, node.vernacular_name, "|".join(node.other_names)),
            *(node.gbif_key, node.col_key, node.inat_taxon_id),
            *(str(node.labels.get(label_set, "")) for label_set in LABEL_SETS),
        ]
        for node in tree
    ]


def build_command(
    labels_dir: Annotated[Path, typer.Argument(help="Folder with taxa.csv and gbif_names.csv.gz.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = DEFAULT_PATH,
    keys: Annotated[
        Path, typer.Option(help="Keys found by `taxa resolve`.", exists=True)
    ] = RESOLVED_KEYS,
) -> None:
    """Build the taxon table from a folder of taxon facts and say what was done."""
    try:
        summary = build(labels_dir, out, read_keys(keys))
    except LabelsError as error:
        raise typer.BadParameter(str(error), param_hint="LABELS_DIR") from error
    console = Console()
    console.print(coverage_table(summary.coverage))
    for change, count in summary.changes.items():
        console.print(f"{count:>6,}  {change}")
    console.print(
        f"{summary.rows:,} taxa, {summary.label_taxa:,} of them labels, "
        f"in {summary.path} ({summary.size_bytes / 1000:,.0f} kB)."
    )
