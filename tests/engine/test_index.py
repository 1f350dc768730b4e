"""Searching an index: exact, merged over segments, live, and refusing what is not whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.index.manifest import read_manifest, write_manifest
from engine.index.species_index import IndexRefused, SpeciesIndex, verify_index
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter
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


def opened(folder: Path) -> SpeciesIndex:
    return SpeciesIndex.open(folder, embedder=EMBEDDER)


@pytest.fixture
def writer(tmp_path: Path) -> IndexWriter:
    """Three segments of 20 photos each: species 0 to 4, then 4 to 8, then 8 to 12."""
    writer = create(tmp_path / "index", "Flat")
    for part, first in enumerate((0, 4, 8)):
        numbers = [first + n % 5 for n in range(20)]
        writer.add(units(20, seed=part), references(f"{part}-", numbers))
    return writer


ALL = np.concatenate([units(20, seed=part) for part in range(3)])


def test_segments_are_searched_as_one(writer: IndexWriter) -> None:
    query = units(7, seed=11)
    found = opened(writer.folder).search(query, 10)
    cosines = query @ ALL.T
    rows = np.argsort(-cosines, axis=1)[:, :10]
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.similarities, np.take_along_axis(cosines, rows, 1), atol=1e-6)
    assert (found.similarities.dtype, found.rows.dtype, found.taxa.dtype) == (
        np.dtype(np.float32),
        np.dtype(np.int64),
        np.dtype(np.int32),
    )


def test_a_taxon_of_several_segments_is_one(writer: IndexWriter) -> None:
    index = opened(writer.folder)
    assert index.taxa == tuple(species(n) for n in range(13))
    assert index.photos_of_taxon.tolist() == [4, 4, 4, 4, 8, 4, 4, 4, 8, 4, 4, 4, 4]
    found = index.search(ALL, 1)
    names = [index.taxa[taxon].scientific_name for taxon in found.taxa[:, 0]]
    assert names == [r.taxon.scientific_name for r in index.references(found.rows[:, 0])]


def test_prototypes_are_the_mean_directions_of_what_is_left(writer: IndexWriter) -> None:
    labels = np.array([first + n % 5 for first in (0, 4, 8) for n in range(20)])
    writer.remove(species(3))
    index = opened(writer.folder)
    assert index.prototypes.shape == (12, DIMS)
    for taxon, prototype in zip(index.taxa, index.prototypes, strict=True):
        mean = ALL[labels == int(taxon.scientific_name.removeprefix("Genus species"))].mean(axis=0)
        np.testing.assert_allclose(prototype, mean / np.linalg.norm(mean), atol=1e-6)
    writer.compact()
    np.testing.assert_allclose(index.refreshed().prototypes, index.prototypes, atol=1e-6)


def test_references_say_where_a_row_comes_from(writer: IndexWriter) -> None:
    index = opened(writer.folder)
    first, second = index.references([41, 0])
    assert second == references("0-", [0])[0]
    assert (first.identity, first.taxon) == ("2-1", species(9))
    assert first.attribution == "the author of 2-1"
    for row in (-1, 60):
        with pytest.raises(IndexError, match="not of the 60 that are here"):
            index.references([row])
    assert index.holds("1-19")
    assert not index.holds("1-20")


def test_fewer_rows_than_wanted_are_padded(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    writer.add(units(2, seed=1), references("a", [0, 1]))
    found = opened(writer.folder).search(units(2, seed=1), 4)
    assert found.rows.tolist() == [[0, 1, -1, -1], [1, 0, -1, -1]]
    assert found.taxa.tolist() == [[0, 1, -1, -1], [1, 0, -1, -1]]
    assert found.similarities[:, 2:].tolist() == [[-1, -1], [-1, -1]]
    np.testing.assert_allclose(found.similarities[:, 0], 1, atol=1e-3)


def test_removed_species_do_not_use_up_the_neighbours(writer: IndexWriter) -> None:
    for number in range(10):
        writer.remove(species(number))
    index = opened(writer.folder)
    found = index.search(ALL[:5], 12)
    assert (found.rows >= 0).all()
    assert {index.taxa[taxon] for taxon in found.taxa.ravel()} == {species(n) for n in (10, 11, 12)}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_search_is_that_of_the_photos_that_are_left(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    labels = [data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)) for n in sizes]
    removed = data.draw(st.sets(st.integers(0, 5)))
    k = data.draw(st.integers(1, 40))
    writer = create(tmp_path_factory.mktemp("drawn") / "index", "Flat")
    for part, numbers in enumerate(labels):
        writer.add(units(len(numbers), seed=part), references(f"{part}-", numbers))
    for number in removed:
        writer.remove(species(number))
    vectors = np.concatenate([units(n, seed=part) for part, n in enumerate(sizes)])
    left = [row for row, n in enumerate(n for part in labels for n in part) if n not in removed]
    query = units(3, seed=99)
    cosines = np.sort(query @ vectors[left].T, axis=1)[:, ::-1][:, :k]
    expected = np.full((3, k), -1.0)
    expected[:, : cosines.shape[1]] = cosines
    found = opened(writer.folder).search(query, k)
    np.testing.assert_allclose(found.similarities, expected, atol=1e-6)
    assert set(found.rows.ravel().tolist()) <= {-1, *left}


def test_a_wrong_width_is_an_error(writer: IndexWriter) -> None:
    with pytest.raises(ValueError, match="not \\(n, 16\\)"):
        opened(writer.folder).search(units(1, seed=1, dims=DIMS + 1), 3)


def test_an_unchanged_index_is_itself(writer: IndexWriter) -> None:
    index = opened(writer.folder)
    assert index.refreshed() is index


def test_new_photos_are_found_at_once_and_the_old_index_stays_good(writer: IndexWriter) -> None:
    old = opened(writer.folder)
    new_photo = units(1, seed=50)
    as_before = old.search(new_photo, 5)
    writer.add(new_photo, [reference(species(77), "new")])
    new = old.refreshed()
    assert (new.generation, len(new)) == (old.generation + 1, 61)
    assert new.taxa[new.search(new_photo, 1).taxa[0, 0]] == species(77)
    writer.remove(species(0))
    assert species(0) in new.taxa
    assert species(0) not in new.refreshed().taxa
    writer.compact()
    compacted = new.refreshed()
    assert compacted.refreshed() is compacted
    assert compacted.references([56])[0].identity == "new"
    np.testing.assert_array_equal(old.search(new_photo, 5).rows, as_before.rows)
    assert old.references([41])[0].identity == "2-1"
    assert new.references(new.search(new_photo, 1).rows[0])[0].identity == "new"


def test_a_compaction_while_it_is_opened_does_no_harm(
    writer: IndexWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.index import frame as index_frame

    compacted: list[int] = []

    def read_then_compact(folder: Path) -> object:
        manifest = read_manifest(folder)
        if not compacted:
            compacted.append(writer.compact())
        return manifest

    monkeypatch.setattr(index_frame, "read_manifest", read_then_compact)
    index = opened(writer.folder)
    assert compacted == [60]
    assert len(index.manifest.segments) == 1
    assert len(index) == 60


def only_segment(folder: Path) -> Path:
    (segment,) = (folder / "segments").iterdir()
    return segment


@pytest.fixture
def small(tmp_path: Path) -> Path:
    writer = create(tmp_path / "small")
    writer.add(units(40, seed=1), references("a", [0] * 20 + [1] * 20))
    return writer.folder


FILES = ["vectors.faiss", "sums.npy", "taxa.npy", "taxa.json", "references.sqlite"]


@pytest.mark.parametrize("name", [*FILES, "../../projection.npz"])
def test_a_cut_off_file_is_refused(small: Path, name: str) -> None:
    path = only_segment(small) / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IndexRefused, match="cut off or another file") as refused:
        opened(small)
    assert Path(name).name in str(refused.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(small: Path, name: str) -> None:
    (only_segment(small) / name).unlink()
    with pytest.raises(IndexRefused, match="No such file"):
        opened(small)


@pytest.mark.parametrize("name", FILES)
def test_another_file_of_the_same_size_is_refused(small: Path, name: str) -> None:
    path = only_segment(small) / name
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(IndexRefused, match="damaged or another file"):
        opened(small)


@pytest.mark.parametrize(
    ("name", "whole", "damaged"),
    [
        ("taxa.npy", b"{", b"\0"),
        ("sums.npy", b"}", b"("),
        ("references.sqlite", b"CREATE INDEX photo_digest", b"CREATE \xffNDEX photo_digest"),
    ],
)
def test_damage_that_a_library_has_words_of_its_own_for_is_refused(
    small: Path, name: str, whole: bytes, damaged: bytes
) -> None:
    path = only_segment(small) / name
    content = path.read_bytes()
    assert whole in content
    path.write_bytes(content.replace(whole, damaged, 1))
    with pytest.raises(IndexRefused, match=f"{name} is damaged"):
        opened(small)


def test_vectors_that_cannot_be_searched_are_refused(small: Path) -> None:
    path = only_segment(small) / "vectors.faiss"
    content = bytearray(path.read_bytes())
    trained = 32  # behind the kind, the width, the number of rows and two numbers not in use
    assert content[trained] == 1
    content[trained] = 0
    path.write_bytes(content)
    with pytest.raises(IndexRefused, match=r"vectors\.faiss is damaged"):
        SpeciesIndex.open(small)


def test_references_of_which_some_are_damaged_are_refused(tmp_path: Path) -> None:
    writer = create(tmp_path / "index")
    writer.add(units(600, seed=1), references("a", [0] * 600))
    path = only_segment(writer.folder) / "references.sqlite"
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)
    with pytest.raises(IndexRefused, match=r"references\.sqlite is damaged"):
        opened(writer.folder)


def test_sums_that_are_no_numbers_are_refused(small: Path) -> None:
    path = only_segment(small) / "sums.npy"
    sums = np.load(path)
    sums[0, 0] = np.nan
    np.save(path, sums)
    with pytest.raises(IndexRefused, match="damaged"):
        opened(small)


@pytest.mark.parametrize("name", [*FILES, "../../projection.npz"])
def test_verify_finds_a_changed_byte(small: Path, name: str) -> None:
    assert len(verify_index(small)) == 40
    path = only_segment(small) / name
    content = bytearray(path.read_bytes())
    # The last tenth: content, not a header that opening would refuse.
    content[-len(content) // 10] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndexRefused):
        verify_index(small)


def test_files_of_another_index_are_refused(small: Path, tmp_path: Path) -> None:
    other = create(tmp_path / "other")
    other.add(units(40, seed=2), references("b", [3] * 40))
    shutil.copy(only_segment(other.folder) / "taxa.json", only_segment(small) / "taxa.json")
    with pytest.raises(IndexRefused, match=r"taxa\.json"):
        opened(small)


def test_another_embedder_is_refused(small: Path) -> None:
    with pytest.raises(IndexRefused, match="made by tiny@0123456789ab/224/f32, not by other@1"):
        SpeciesIndex.open(small, embedder="other@1")


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexRefused, match="fieldmark index build"):
        opened(tmp_path)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(IndexRefused, match="fieldmark index build"):
        opened(tmp_path / "file")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("format", "photo-album", "not the manifest of a Fieldmark index"),
        ("version", 2, "format version 2"),
        ("embedder", "other@1", "damaged"),
        ("generation", 7, "damaged"),
    ],
)
def test_a_foreign_or_edited_manifest_is_refused(
    small: Path, key: str, value: object, sentence: str
) -> None:
    path = small / "manifest.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, key: value}), encoding="utf-8")
    with pytest.raises(IndexRefused, match=sentence):
        opened(small)


def test_an_index_of_an_earlier_release_is_used_and_said_to_need_calibration(
    small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = read_manifest(small)
    vote = {key: value for key, value in manifest.vote.items() if key != "nearness_curve"}
    earlier = {**vote, "known_curve": {"middle": 0.5, "slope": 7.0}}
    write_manifest(small, replace(manifest, vote=earlier))
    index = opened(small)
    assert index.vote_settings.nearness_curve == VoteSettings().nearness_curve
    assert "fieldmark calibrate --index" in caplog.text


@given(content=st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
@settings(max_examples=50, deadline=None)
def test_any_other_manifest_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(IndexRefused):
        opened(folder)


def test_a_projection_of_another_width_is_refused(small: Path, tmp_path: Path) -> None:
    other = create(tmp_path / "other", dims=DIMS + 1)
    shutil.copy(other.folder / "projection.npz", small / "projection.npz")
    with pytest.raises(IndexRefused, match=r"projection"):
        opened(small)
    assert projection(DIMS + 1).dims == DIMS + 1
