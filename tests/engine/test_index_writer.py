"""Changing an index: each photo once, removed means gone, and whole whatever happens."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from engine.contracts import Ancestor, EngineTimeout, Taxon
from engine.index.lock import IndexBusy, folder_locked
from engine.index.manifest import IndexRefused
from engine.index.segment_builder import choose_factory
from engine.index.species_index import SpeciesIndex, verify_index
from engine.index.vote import VoteSettings
from engine.index.writer import Added, IndexWriteFailed, IndexWriter
from tests.engine.kill_writer import CHANGES
from tests.engine.small_index import (
    DIMS,
    EMBEDDER,
    create,
    projection,
    reference,
    references,
    species,
    units,
)

ROOT = Path(__file__).parents[2]
LEAST_STATES = {"add": 10, "forget": 10, "remove": 3, "compact": 10}


def opened(folder: Path) -> SpeciesIndex:
    return SpeciesIndex.open(folder, embedder=EMBEDDER)


def three_species(folder: Path) -> IndexWriter:
    """Make an index of two segments: species 0 and 1, then 1 and 2."""
    writer = create(folder)
    writer.add(units(6, seed=1), references("a", [0, 0, 0, 1, 1, 1]))
    writer.add(units(6, seed=2), references("b", [1, 1, 2, 2, 2, 2]))
    return writer


def test_a_photo_is_stored_once_by_its_identity(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    first = writer.add(units(4, seed=1), references("a", [0, 0, 1, 1]))
    again = writer.add(units(6, seed=2), references("a", [0, 0, 1, 1, 1, 1]))
    assert (first.rows, first.duplicates) == (4, 0)
    assert (again.rows, again.duplicates) == (2, 4)
    assert len(opened(writer.folder)) == 6


def test_a_photo_is_stored_once_by_its_vector_and_taxon(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    vector = units(1, seed=1)
    twice = np.concatenate([vector, vector])
    added = writer.add(twice, [reference(species(0)), reference(species(0))])
    assert (added.rows, added.duplicates) == (1, 1)
    assert writer.add(vector, [reference(species(0), "named")]).rows == 0
    assert writer.add(vector, [reference(species(1))]).rows == 1


def test_nothing_new_makes_no_new_generation(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    before = opened(writer.folder).generation
    again = writer.add(units(6, seed=1), references("a", [0, 0, 0, 1, 1, 1]))
    assert again.generation == before == opened(writer.folder).generation


def test_a_removed_species_may_come_back(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    assert writer.remove(species(1)) == 5
    assert species(1) not in opened(writer.folder).taxa
    assert writer.remove(species(1)) == 0
    assert writer.add(units(6, seed=1), references("a", [0, 0, 0, 1, 1, 1])).rows == 3
    index = opened(writer.folder)
    assert dict(zip(index.taxa, index.photos_of_taxon.tolist(), strict=True)) == {
        species(0): 3,
        species(2): 4,
        species(1): 3,
    }


def test_homonyms_of_two_kingdoms_are_two_taxa(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    animal, plant = (
        Taxon(scientific_name="Morus alba", rank="species", lineage=(Ancestor("kingdom", kingdom),))
        for kingdom in ("Animalia", "Plantae")
    )
    writer.add(units(2, seed=1), [reference(animal), reference(plant)])
    assert writer.remove(animal) == 1
    assert opened(writer.folder).taxa == (plant,)


def test_an_english_name_that_came_later_is_the_species_own(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    named = replace(species(0), vernacular_name="Tiny Tit")
    writer.add(units(2, seed=1), [reference(species(0), "a"), reference(species(1), "b")])
    writer.add(units(1, seed=2), [reference(named, "c")])
    writer.add(units(1, seed=3), [reference(species(0), "d")])
    index = opened(writer.folder)
    assert index.taxa == (named, species(1))
    assert index.photos_of_taxon.tolist() == [3, 1]
    writer.compact()
    index = opened(writer.folder)
    assert index.taxa == (named, species(1))
    assert {r.taxon for r in index.references(range(4))} == {named, species(1)}
    assert writer.remove(species(0)) == 3


def test_of_two_english_names_the_first_stays(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    first, second = (replace(species(0), vernacular_name=name) for name in ("First", "Second"))
    writer.add(units(1, seed=1), [reference(first, "a")])
    writer.add(units(1, seed=2), [reference(second, "b")])
    assert opened(writer.folder).taxa == (first,)
    writer.compact()
    assert opened(writer.folder).taxa == (first,)


def test_one_photo_is_forgotten_and_no_other(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    before = opened(writer.folder)
    rows = [row for row in range(12) if row != 7]
    assert writer.holds("b1")
    assert writer.forget("b1")
    assert not writer.holds("b1")
    after = verify_index(writer.folder)
    assert after.references(range(11)) == before.references(rows)
    assert dict(zip(after.taxa, after.photos_of_taxon.tolist(), strict=True)) == {
        species(0): 3,
        species(1): 4,
        species(2): 4,
    }
    vectors = np.concatenate([units(6, seed=1), units(6, seed=2)])[rows]
    found = after.search(vectors, 1)
    assert found.rows[:, 0].tolist() == list(range(11))
    similarities = before.search(vectors, 1).similarities
    np.testing.assert_array_equal(found.similarities, similarities)
    assert after.generation == before.generation + 1
    assert len(list((writer.folder / "segments").iterdir())) == 2
    assert writer.add(units(6, seed=2), references("b", [1, 1, 2, 2, 2, 2])).rows == 1


def test_what_is_not_there_is_not_forgotten(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    writer.remove(species(1))
    before = opened(writer.folder).generation
    assert not writer.forget("nothing")
    assert not writer.forget("a3"), "it is of a species that was removed"
    assert opened(writer.folder).generation == before


def test_what_was_removed_stays_so_when_another_is_forgotten(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    writer.remove(species(1))
    assert writer.forget("b2")
    index = verify_index(writer.folder)
    assert dict(zip(index.taxa, index.photos_of_taxon.tolist(), strict=True)) == {
        species(0): 3,
        species(2): 3,
    }


def test_a_segment_goes_with_its_only_photo(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    writer.add(units(1, seed=1), references("a", [0]))
    assert writer.forget("a0")
    index = verify_index(writer.folder)
    assert (index.manifest.segments, len(index), index.taxa) == ((), 0, ())
    assert list((writer.folder / "segments").iterdir()) == []


def test_a_photo_that_was_gathered_with_others_is_forgotten(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    vectors = units(17, seed=1)
    for row, taught in enumerate(references("a", [n % 3 for n in range(17)])):
        writer.add(vectors[row : row + 1], [taught])
    assert max(segment.rows for segment in opened(writer.folder).manifest.segments) == 16
    assert writer.forget("a3")
    assert writer.forget("a16")
    index = verify_index(writer.folder)
    found = index.search(np.delete(vectors, [3, 16], axis=0), 1)
    assert [r.identity for r in index.references(found.rows[:, 0])] == [
        f"a{n}" for n in range(17) if n not in (3, 16)
    ]


def test_a_photo_in_a_large_segment_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = three_species(tmp_path / "index")
    monkeypatch.setattr("engine.index.segment_merge._MAX_REWRITTEN", 5)
    with pytest.raises(IndexRefused, match=r"segment of 6 photos.*`fieldmark index remove`"):
        writer.forget("a0")
    assert len(verify_index(writer.folder)) == 12


def test_compact_drops_removed_photos_and_keeps_the_rest(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    writer.remove(species(1))
    before = opened(writer.folder)
    assert writer.compact() == 7
    after = verify_index(writer.folder)
    assert [segment.rows for segment in after.manifest.segments] == [7]
    assert len(list((writer.folder / "segments").iterdir())) == 1
    query = units(5, seed=3)
    found, as_before = after.search(query, 7), before.search(query, 7)
    np.testing.assert_array_equal(found.similarities, as_before.similarities)
    assert after.references(found.rows[0]) == before.references(as_before.rows[0])
    assert writer.compact() == 7
    assert opened(writer.folder).generation == after.generation


def test_compact_into_several_gives_each_as_many(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    writer.remove(species(1))
    before = opened(writer.folder)
    assert writer.compact(3) == 7
    after = verify_index(writer.folder)
    assert [segment.rows for segment in after.manifest.segments] == [3, 2, 2]
    query = units(5, seed=3)
    found, as_before = after.search(query, 7), before.search(query, 7)
    np.testing.assert_array_equal(found.similarities, as_before.similarities)
    assert after.references(found.rows[0]) == before.references(as_before.rows[0])
    assert writer.compact(3) == 7
    assert opened(writer.folder).generation == after.generation
    assert writer.compact(99) == 7
    assert [segment.rows for segment in opened(writer.folder).manifest.segments] == [1] * 7


def test_photos_taught_one_by_one_are_gathered(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    vectors = units(40, seed=1)
    for row, taught in enumerate(references("a", [n % 3 for n in range(40)])):
        writer.add(vectors[row : row + 1], [taught])
    index = verify_index(writer.folder)
    assert len(index.manifest.segments) < 16
    assert index.photos_of_taxon.tolist() == [14, 13, 13]
    found = index.search(vectors, 1)
    assert [r.identity for r in index.references(found.rows[:, 0])] == [f"a{n}" for n in range(40)]


def test_compact_of_nothing_leaves_an_index_without_photos(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    writer.add(units(2, seed=1), references("a", [0, 0]))
    writer.remove(species(0))
    assert writer.compact() == 0
    assert opened(writer.folder).search(units(1, seed=2), 3).rows.tolist() == [[-1, -1, -1]]


def test_vote_settings_are_kept(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    writer.set_vote(VoteSettings(temperature=0.123))
    assert opened(writer.folder).vote_settings == VoteSettings(temperature=0.123)


@pytest.mark.parametrize("factory", ["Flat", "SQfp16", "HNSW8,Flat", "IVF4,PQ8x4fs,Refine(SQfp16)"])
def test_every_factory_makes_an_index_that_compacts(tmp_path: Path, factory: str) -> None:
    writer = create(tmp_path / "index", factory)
    vectors = units(40, seed=1)
    writer.add(vectors[:30], references("a", [0] * 30))
    writer.add(vectors[30:], references("b", [1] * 10))
    writer.compact()
    found = opened(writer.folder).search(vectors, 1)
    assert found.rows[:, 0].tolist() == list(range(40))


def test_a_factory_that_is_trained_is_trained_where_there_is_enough(tmp_path: Path) -> None:
    writer = create(tmp_path / "index", "RR16,PQ8x4fs,Refine(SQfp16)")
    vectors = units(10_000, seed=1)
    writer.add(vectors, references("a", [0] * 10_000))
    writer.add(units(3, seed=2), references("b", [1] * 3))
    index = opened(writer.folder)
    assert [segment.factory for segment in index.manifest.segments] == [
        "RR16,PQ8x4fs,Refine(SQfp16)",
        "SQfp16",
    ]
    assert index.search(vectors[::500], 1).rows[:, 0].tolist() == list(range(0, 10_000, 500))


@pytest.mark.parametrize(
    ("rows", "dims", "factory"),
    [
        (200_000, 128, "SQfp16"),
        (200_001, 128, "RR128,PQ64x4fs,Refine(SQfp16)"),
        (200_001, 97, "SQfp16"),
        (5_000_000, 64, "RR64,IVF8192,PQ32x4fs,Refine(SQfp16)"),
    ],
)
def test_the_factory_goes_by_size(rows: int, dims: int, factory: str) -> None:
    assert choose_factory(rows, dims) == factory


def test_an_unknown_factory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexRefused, match="no index 'Fast' for 16 dimensions"):
        create(tmp_path / "index", "Fast")
    assert not (tmp_path / "index").exists()


def test_an_index_is_not_made_twice(tmp_path: Path) -> None:
    create(tmp_path / "index")
    with pytest.raises(IndexRefused, match="already"):
        create(tmp_path / "index")


def test_an_index_is_there_once_its_first_photos_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"

    def make() -> Added:
        return IndexWriter.create(
            folder,
            units(3, seed=1),
            references("a", [0, 0, 1]),
            embedder=EMBEDDER,
            projection=projection(),
            vote_settings=VoteSettings(),
        )

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.index.writer.write_manifest", full)
        with pytest.raises(IndexWriteFailed, match="No space left on device"):
            make()
    with pytest.raises(IndexRefused, match="There is no index"):
        opened(folder)
    assert (make().rows, len(verify_index(folder))) == (3, 3)
    assert len(list((folder / "segments").iterdir())) == 1


def test_another_embedder_may_not_add(tmp_path: Path) -> None:
    create(tmp_path / "index")
    with pytest.raises(IndexRefused, match="made by tiny@0123456789ab/224/f32, not by other@1"):
        IndexWriter(tmp_path / "index", embedder="other@1")


@pytest.mark.parametrize(
    "vectors",
    [
        units(2, seed=1, dims=DIMS + 1),
        units(3, seed=1),
        2 * units(2, seed=1),
        np.full((2, 16), np.nan),
    ],
    ids=["too wide", "too many", "too long", "not numbers"],
)
def test_vectors_that_do_not_fit_are_refused(tmp_path: Path, vectors: np.ndarray) -> None:
    writer = create(tmp_path / "index")
    with pytest.raises(ValueError, match="ectors"):
        writer.add(vectors.astype(np.float32), references("a", [0, 0]))
    assert opened(writer.folder).generation == 1


def test_there_is_one_writer_at_a_time(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    with folder_locked(writer.folder):
        with pytest.raises(IndexBusy, match="Another process"):
            writer.remove(species(1))
        assert len(opened(writer.folder)) == 12
    assert writer.remove(species(1)) == 5


def test_a_writer_waits_for_its_turn_for_as_long_as_it_is_told(tmp_path: Path) -> None:
    patient = IndexWriter(three_species(tmp_path / "index").folder, wait_s=20)
    with ThreadPoolExecutor(1) as threads:
        with folder_locked(patient.folder):
            removing = threads.submit(patient.remove, species(1))
            with pytest.raises(IndexBusy):
                IndexWriter(patient.folder, wait_s=0.05).remove(species(2))
            assert not removing.done()
        assert removing.result() == 5


def test_a_change_that_is_ready_too_late_is_not_made(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    late = IndexWriter(writer.folder, until=monotonic() - 1)
    with pytest.raises(EngineTimeout, match="as it was"):
        late.add(units(1, seed=1), references("a", [0]))
    assert (opened(writer.folder).generation, len(opened(writer.folder))) == (1, 0)


def test_a_change_that_was_ready_in_time_is_made_however_long_tidying_up_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = create(tmp_path / "index")
    for number in range(15):
        writer.add(units(1, seed=number), references(f"a{number}", [0]))
    clock = itertools.count()
    monkeypatch.setattr("engine.index.change.monotonic", lambda: next(clock))
    last = IndexWriter(writer.folder, until=0)
    assert last.add(units(1, seed=15), references("a15", [0])).rows == 1
    assert len(opened(writer.folder).manifest.segments) == 1


def test_what_was_added_is_told_as_added_where_gathering_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = create(tmp_path / "index")
    for number in range(15):
        writer.add(units(1, seed=number), references(f"a{number}", [0]))

    def full(*_: object) -> None:
        raise IndexWriteFailed("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.index.change.IndexChange.merge", full)
        assert writer.add(units(1, seed=15), references("a15", [0])).rows == 1
    assert "whole, but could not be tidied up: No space left on device" in caplog.text
    assert len(opened(writer.folder)) == 16
    assert writer.add(units(1, seed=16), references("a16", [0])).rows == 1
    index = verify_index(writer.folder)
    assert (len(index), len(index.manifest.segments)) == (17, 1)


def test_a_photo_is_forgotten_where_what_is_left_of_it_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = three_species(tmp_path / "index")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("engine.index.change.shutil.rmtree", refuse)
        assert writer.forget("b0")
        assert writer.add(units(1, seed=5), references("new", [7])).rows == 1
    assert "Permission denied" in caplog.text
    assert len(verify_index(writer.folder)) == 12
    assert writer.forget("new0")
    assert len(list((writer.folder / "segments").iterdir())) == 2


def test_a_failed_write_leaves_the_index_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = three_species(tmp_path / "index")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.index.segment_builder.sync_file", full)
        with pytest.raises(IndexWriteFailed, match="No space left on device"):
            writer.add(units(1, seed=5), references("new", [7]))
    assert len(list((writer.folder / "segments").iterdir())) == 2
    assert len(verify_index(writer.folder)) == 12


@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_any_line_the_index_is_whole(tmp_path: Path, change: str) -> None:
    base = tmp_path / "base"
    three_species(base)
    before = opened(base)
    command = [
        sys.executable,
        "-m",
        "tests.engine.kill_writer",
        change,
        str(base),
        str(tmp_path / "cases"),
    ]
    killed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    cases = sorted((tmp_path / "cases").iterdir())
    assert int(killed.stdout) > 30
    assert len(cases) > LEAST_STATES[change]
    after = opened(cases[-1])
    assert after.generation == before.generation + 1
    query = units(4, seed=4)
    generations = []
    for case in cases:
        index = verify_index(case)
        expected = {before.generation: before, after.generation: after}[index.generation]
        generations.append(index.generation)
        np.testing.assert_array_equal(
            index.search(query, 5).similarities, expected.search(query, 5).similarities
        )
        assert index.photos_of_taxon.tolist() == expected.photos_of_taxon.tolist()
        CHANGES[change](IndexWriter(case, embedder=EMBEDDER))
        again = verify_index(case)
        assert again.photos_of_taxon.tolist() == after.photos_of_taxon.tolist()
        named = {segment.id for segment in again.manifest.segments}
        assert {path.name for path in (case / "segments").iterdir()} == named
    assert generations == sorted(generations)
    assert generations[0] == before.generation


def test_what_is_no_segment_is_left_alone_and_hinders_nothing(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    stray = writer.folder / "segments" / ".DS_Store"
    stray.write_bytes(b"of a file manager")
    (writer.folder / "segments" / "mine").mkdir()
    assert writer.forget("b0")
    writer.compact()
    assert stray.exists()
    assert (writer.folder / "segments" / "mine").is_dir()
    assert len(verify_index(writer.folder)) == 11


def test_the_next_writer_clears_away_what_a_killed_one_left(tmp_path: Path) -> None:
    writer = three_species(tmp_path / "index")
    orphan = writer.folder / "segments" / "000009-0badcafe"
    orphan.mkdir()
    (orphan / "vectors.faiss").write_bytes(b"half")
    (writer.folder / "manifest.json.part").write_text("{", encoding="utf-8")
    assert len(opened(writer.folder)) == 12
    writer.add(units(1, seed=5), references("new", [7]))
    assert sorted(path.name for path in writer.folder.iterdir()) == [
        "lock",
        "manifest.json",
        "projection.npz",
        "segments",
    ]
    assert len(list((writer.folder / "segments").iterdir())) == 3
    assert projection().dims == DIMS
