"""An index in parts: who searches which segments, and one answer from what each found.

An index that exceeds a machine's memory is divided by segment into shards. Each gives the
evidence of its own segments, and together they say what the whole index would have said:
the nearest rows of all are among the nearest of each, and a prototype is a sum over segments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.contracts import EngineError, Taxon
from engine.index.segment import Reference, TaxonKey, named_like, taxon_key
from engine.index.spread import usual_angles
from engine.index.vote import Evidence


class OtherManifest(EngineError):
    """A shard sees the index before or after the change that who asked it saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of ``of`` parts of an index; ``number`` counts from 0."""

    number: int
    of: int


WHOLE = Shard(number=0, of=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardTaxa:
    """The taxa that a shard has photos of.

    ``first`` orders them, and those of all shards, as the whole index does. ``photos`` is how
    many each has, and ``sums`` their sum, ``(taxa, dims)`` float32.
    """

    taxa: tuple[Taxon, ...]
    first: NDArray[np.int64]
    photos: NDArray[np.int64]
    sums: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardFindings:
    """What a shard found: its rows are the whole index's, its taxa are its own.

    ``references`` are those of every row in ``evidence``.
    """

    evidence: Evidence
    references: Mapping[int, Reference]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Census:
    """The taxa of all shards, in the order of the whole index.

    ``usual_angles`` says how far off another photo of each lies. For each shard ``places`` says
    where its taxa stand in ``taxa``, and ``shares`` how much its own prototype of each adds to
    that of the whole, whose length is 1.
    """

    taxa: tuple[Taxon, ...]
    photos_of_taxon: NDArray[np.int64]
    usual_angles: NDArray[np.float32]
    places: tuple[NDArray[np.int64], ...]
    shares: tuple[NDArray[np.float32], ...]


def divide(rows: Sequence[int], shards: int) -> tuple[int, ...]:
    """Return the shard of each segment, so that all have about as many ``rows``.

    Who sees the same segments divides them in the same way, and one that is smaller than all
    others, as a new one mostly is, moves none.
    """
    loads = [0] * shards
    homes = [0] * len(rows)
    for place in sorted(range(len(rows)), key=lambda place: -rows[place]):
        homes[place] = min(range(shards), key=loads.__getitem__)
        loads[homes[place]] += rows[place]
    return tuple(homes)


def spread(
    shards: int,
    homes: Mapping[int, str],
    nodes: Sequence[str],
    shunned: Collection[str] = (),
) -> dict[int, str]:
    """Return a node for each shard: the one of ``homes`` unless it is gone or has too many.

    No node gets two more than another. None moves to one that is ``shunned``, unless all are.
    Where there are no nodes, no shard has one.
    """
    targets = [node for node in nodes if node not in shunned] or nodes
    settled = {shard: node for shard, node in homes.items() if node in nodes}
    loads = dict.fromkeys(nodes, 0)
    for node in settled.values():
        loads[node] += 1
    for shard in range(shards if nodes else 0):
        if shard not in settled:
            settled[shard] = min(targets, key=loads.__getitem__)
            loads[settled[shard]] += 1
    while nodes:
        fullest, emptiest = max(nodes, key=loads.__getitem__), min(targets, key=loads.__getitem__)
        if loads[fullest] - loads[emptiest] < 2:
            break
        settled[max(shard for shard, node in settled.items() if node == fullest)] = emptiest
        loads[fullest] -= 1
        loads[emptiest] += 1
    return settled


def join_shards(given: Sequence[ShardTaxa | None], dims: int) -> Census:
    """Join the taxa of all shards; None stands for a shard whose taxa are not known."""
    parts = [_no_taxa(dims) if part is None else part for part in given]
    known: dict[TaxonKey, int] = {}
    taxa: list[Taxon] = []
    first: list[int] = []
    places = []
    for part in parts:
        own = np.empty(len(part.taxa), np.int64)
        for number, (taxon, met) in enumerate(zip(part.taxa, part.first.tolist(), strict=True)):
            own[number] = place = known.setdefault(taxon_key(taxon), len(taxa))
            if place == len(taxa):
                taxa.append(taxon)
                first.append(met)
            elif met < first[place]:
                taxa[place], first[place] = named_like(taxon, taxa[place]), met
            else:
                taxa[place] = named_like(taxa[place], taxon)
        places.append(own)
    order = np.argsort(np.array(first, np.int64))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return _count(parts, tuple(taxa[place] for place in order), [rank[own] for own in places], dims)


def _no_taxa(dims: int) -> ShardTaxa:
    none = np.empty(0, np.int64)
    return ShardTaxa(taxa=(), first=none, photos=none, sums=np.empty((0, dims), np.float32))


def _count(
    parts: Sequence[ShardTaxa],
    taxa: tuple[Taxon, ...],
    places: Sequence[NDArray[np.int64]],
    dims: int,
) -> Census:
    photos = np.zeros(len(taxa), np.int64)
    sums = np.zeros((len(taxa), dims), np.float32)
    for part, own in zip(parts, places, strict=True):
        photos[own] += part.photos
        sums[own] += part.sums
    lengths = np.linalg.norm(sums, axis=1)
    lengths[lengths == 0] = 1  # such a prototype is nobody's
    shares = [
        (np.linalg.norm(part.sums, axis=1) / lengths[own]).astype(np.float32)
        for part, own in zip(parts, places, strict=True)
    ]
    return Census(
        taxa=taxa,
        photos_of_taxon=photos,
        usual_angles=usual_angles(lengths, photos),
        places=tuple(places),
        shares=tuple(shares),
    )


def merge(
    found: Sequence[Evidence | None], census: Census, starts: NDArray[np.integer]
) -> Evidence:
    """Return what the whole index would have found.

    ``found`` is each shard's own evidence, None where it gave none: then it is that of the
    others. ``starts`` is the first row of each segment of the index.

    Raises:
        ValueError: no shard gave any.
    """
    given = [
        (part, places, shares)
        for part, places, shares in zip(found, census.places, census.shares, strict=True)
        if part is not None
    ]
    if not given:
        raise ValueError("No shard found anything.")
    views, k = given[0][0].rows.shape
    rows = np.hstack([part.rows for part, _, _ in given])
    # One place more than a shard has taxa, which -1 finds.
    taxa = np.hstack([np.append(places, -1)[part.taxa] for part, places, _ in given])
    similarities = np.hstack([part.similarities for part, _, _ in given])
    # Equally near rows stand in the order of their segments, as where one index searches all.
    segments = np.searchsorted(starts, rows, side="right")
    distances = np.where(rows >= 0, -similarities, np.inf)
    order = np.lexsort((segments, distances), axis=1)[:, :k]
    prototypes = np.zeros((views, len(census.taxa)), np.float32)
    for part, places, shares in given:
        prototypes[:, places] += part.prototype_similarities * shares
    return Evidence(
        similarities=np.take_along_axis(similarities, order, axis=1),
        taxa=np.take_along_axis(taxa, order, axis=1).astype(np.int32),
        rows=np.take_along_axis(rows, order, axis=1),
        prototype_similarities=prototypes,
        photos_of_taxon=census.photos_of_taxon,
        usual_angles=census.usual_angles,
    )
