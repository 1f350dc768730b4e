"""An index in parts: together they find what the whole finds, and say so where one is away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cluster.index_shard import IndexShard
from engine.contracts import EngineFailed
from engine.index.frame import IndexFrame
from engine.index.shard import OtherManifest, Shard, divide, join_shards, merge, spread
from engine.index.sharded import ShardedIndex, ShardsAway, ShardsDisagree
from engine.index.species_index import SpeciesIndex
from engine.index.vote import Evidence, vote
from engine.index.writer import IndexWriter
from tests.engine.small_index import DIMS, EMBEDDER, create, reference, references, species, units

SIZES = (40, 3, 25, 11, 25, 1)


class Here:
    """The shards of a test: the actors' own code in this process, some of them ``away``."""

    def __init__(self, shards: int) -> None:
        self.shards = [IndexShard(number, shards) for number in range(shards)]
        self.away: set[int] = set()

    def ask(self, question: str, *about: Any) -> Sequence[Any]:
        return [
            None if number in self.away else getattr(shard, question)(*about)
            for number, shard in enumerate(self.shards)
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six segments; species in one or several, some removed, some photos in two of them."""
    writer = create(tmp_path_factory.mktemp("sharded") / "index", "Flat")
    shown_twice = units(2, seed=99)
    for part, rows in enumerate(SIZES):
        vectors = units(rows, seed=part)
        vectors[: len(shown_twice[:rows])] = shown_twice[:rows]
        numbers = [(part * 3 + row % 7) % 17 for row in range(rows)]
        writer.add(vectors, references(f"{part}-", numbers))
    for number in (2, 5):
        writer.remove(species(number))
    return writer.folder


def sharded(folder: Path, shards: Here) -> ShardedIndex:
    return ShardedIndex.open(folder, shards, embedder=EMBEDDER)


@settings(max_examples=60, deadline=None)
@given(
    shards=st.integers(1, 9),
    views=st.integers(1, 3),
    k=st.integers(1, 120),
    seed=st.sampled_from([0, 3, 99, 1234]),
)
def test_merged_is_whole(folder: Path, shards: int, views: int, k: int, seed: int) -> None:
    queries = units(views, seed=seed)
    whole = SpeciesIndex.open(folder)
    parts = [SpeciesIndex.open(folder, shard=Shard(number=n, of=shards)) for n in range(shards)]
    census = join_shards([part.shard_taxa() for part in parts], DIMS)
    starts = IndexFrame.read(folder, None).first_rows()
    expected = evidence_of(whole, queries, k)
    merged = merge([evidence_of(part, queries, k) for part in parts], census, starts)
    assert census.taxa == whole.taxa
    np.testing.assert_array_equal(merged.similarities, expected.similarities)
    np.testing.assert_array_equal(merged.rows, expected.rows)
    np.testing.assert_array_equal(merged.taxa, expected.taxa)
    np.testing.assert_array_equal(merged.photos_of_taxon, expected.photos_of_taxon)
    np.testing.assert_allclose(
        merged.prototype_similarities, expected.prototype_similarities, atol=1e-6
    )


@pytest.mark.parametrize("named", [0, 1])
def test_a_species_that_one_shard_has_the_name_of_has_it_in_all(tmp_path: Path, named: int) -> None:
    writer = create(tmp_path / "index")
    called = replace(species(0), vernacular_name="Tiny Tit")
    for part in range(2):
        taxon = called if part == named else species(0)
        writer.add(units(1, seed=part), [reference(taxon, f"{part}")])
    index = sharded(writer.folder, Here(2))
    assert index.taxa == SpeciesIndex.open(writer.folder).taxa == (called,)


def evidence_of(index: SpeciesIndex, queries: np.ndarray, k: int) -> Evidence:
    """Search for another number of neighbours than the index's own settings say."""
    index.vote_settings = replace(index.vote_settings, neighbours=k)
    return index.find(queries).evidence


@given(rows=st.lists(st.integers(1, 10_000), max_size=30), shards=st.integers(1, 9))
def test_shards_hold_about_as_many_rows_each(rows: list[int], shards: int) -> None:
    homes = divide(rows, shards)
    loads = [
        sum(r for r, home in zip(rows, homes, strict=True) if home == n) for n in range(shards)
    ]
    assert sum(loads) == sum(rows)
    assert max(loads) - min(loads) <= max(rows, default=0)
    learnt = divide([*rows, min(rows, default=1)], shards)
    assert learnt[: len(rows)] == homes, "a small segment that comes in moves no other"


NODES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(shards=st.integers(1, 9), before=NODES, nodes=NODES)
def test_shards_are_spread_over_the_nodes_that_are_left(
    shards: int, before: list[str], nodes: list[str]
) -> None:
    homes = spread(shards, {}, before)
    settled = spread(shards, homes, nodes)
    assert set(settled) == (set(range(shards)) if nodes else set())
    loads = Counter(settled.values())
    assert set(loads) <= set(nodes)
    assert max(loads.values(), default=0) - min((loads[n] for n in nodes), default=0) <= 1
    assert spread(shards, settled, nodes) == settled
    if set(before) >= set(nodes):
        kept = {shard: node for shard, node in homes.items() if node in nodes}
        assert kept.items() <= settled.items(), "only what lost its node moves"


def test_a_sharded_index_answers_as_a_whole_one(folder: Path) -> None:
    query = units(1, seed=3)
    whole, parts = SpeciesIndex.open(folder), sharded(folder, Here(3))
    expected, found = whole.find(query), parts.find(query)
    one = vote(expected.evidence, whole.vote_settings)
    other = vote(found.evidence, parts.vote_settings)
    assert [parts.taxa[taxon] for taxon in other.taxa] == [whole.taxa[taxon] for taxon in one.taxa]
    np.testing.assert_allclose(other.probabilities, one.probabilities, rtol=1e-4)
    rows = one.rows.tolist()
    assert other.rows.tolist() == rows
    assert found.references(rows) == expected.references(rows)
    assert found.notes == ()
    assert parts.refreshed() is parts


def test_what_a_shard_that_is_away_would_have_said_is_said_to_be_missing(folder: Path) -> None:
    shards = Here(3)
    index = sharded(folder, shards)
    nearest = index.find(units(1, seed=0)).evidence
    frame = IndexFrame.read(folder, None)
    home = divide(SIZES, 3)[
        int(np.searchsorted(frame.first_rows(), nearest.rows[0, 0], "right")) - 1
    ]
    shards.away = {home}
    found = index.find(units(1, seed=0))
    assert found.notes == (
        "1 of 3 parts of the index is away: species that only it holds are missing.",
    )
    assert nearest.rows[0, 0] not in found.evidence.rows
    rows = found.evidence.rows[0][found.evidence.rows[0] >= 0].tolist()
    assert len(found.references(rows)) == len(rows) > 0
    shards.away = {0, 1, 2}
    with pytest.raises(EngineFailed, match="try again"):
        index.find(units(1, seed=0))
    shards.away = set()
    assert index.find(units(1, seed=0)).notes == ()


def test_an_index_is_not_opened_in_part(folder: Path) -> None:
    shards = Here(3)
    shards.away = {1}
    with pytest.raises(ShardsAway, match="1 of 3 shards"):
        sharded(folder, shards)


def test_what_is_learnt_is_found_at_once_and_by_a_shard_that_was_away_when_it_is_back(
    folder: Path, tmp_path: Path
) -> None:
    own = copytree(folder, tmp_path / "index")
    shards = Here(3)
    first, second = (sharded(own, shards) for _ in range(2))
    new = units(1, seed=777)
    IndexWriter(own, embedder=EMBEDDER).add(new, references("new-", [40]))
    shards.away = {divide([*SIZES, 1], 3)[-1]}
    lacking = first.refreshed()
    assert species(40) not in lacking.taxa
    assert len(lacking.find(new).notes) == 1
    shards.away = set()
    learnt = lacking.refreshed()
    found = learnt.find(new)
    assert learnt.taxa[found.evidence.taxa[0, 0]] == species(40)
    assert found.notes == ()
    # The other worker read the manifest before; its shards are ahead of it.
    with pytest.raises(OtherManifest):
        second.find(new)
    assert second.refreshed().taxa == learnt.taxa


def test_shards_of_another_folder_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.index.sharded._AGREE_WITHIN_S", 0)
    own = copytree(folder, tmp_path / "index")
    before = IndexFrame.read(own, None).manifest
    IndexWriter(own, embedder=EMBEDDER).add(units(1, seed=8), references("new-", [1]))

    class Behind(Here):
        def ask(self, question: str, *about: Any) -> Sequence[Any]:
            return super().ask(question, about[0], before, *about[2:])

    with pytest.raises(ShardsDisagree, match="a folder that all nodes share"):
        sharded(own, Behind(2))
