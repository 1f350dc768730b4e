"""The spool of a long build: whole shards only, one job at a time."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.engine.small_index import reference, references, species
from tools.index.spool import SHARD_PHOTOS, Rejected, Spool, SpoolError

JOB = {"task": "build", "from": "folder", "path": "photos"}
WIDTH = 8


def features(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, WIDTH), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_what_was_flushed_is_there_again(folder: Path) -> None:
    spool = Spool(folder, JOB, WIDTH)
    rejected = Rejected(identity="bad", name="a photo", reason="It is cut off.")
    first, second = references("a", [0, 1, 1]), references("b", [1, 2])
    spool.put(features(3, 1), first)
    spool.reject(rejected)
    spool.flush()
    spool.put(features(2, 2), second)
    spool.flush()
    again = Spool(folder, JOB, WIDTH)
    assert again.rows == 5
    assert again.references() == [*first, *second]
    assert again.rejected == [rejected]
    assert again.done == {"a0", "a1", "a2", "b0", "b1", "bad"}
    np.testing.assert_array_equal(
        np.concatenate(list(again.features())), np.concatenate([features(3, 1), features(2, 2)])
    )


def test_a_species_that_got_its_name_meanwhile_is_one_species(folder: Path) -> None:
    named = replace(species(0), vernacular_name="Tiny Tit")
    for number, taxon in enumerate([species(0), named]):
        spool = Spool(folder, JOB, WIDTH)
        spool.put(features(1), [reference(taxon, f"a{number}")])
        spool.flush()
    assert len({found.taxon for found in Spool(folder, JOB, WIDTH).references()}) == 1


def test_a_full_shard_is_written_without_being_asked(folder: Path) -> None:
    spool = Spool(folder, JOB, WIDTH)
    photos = [reference(species(0), f"a{n}") for n in range(SHARD_PHOTOS)]
    spool.put(features(SHARD_PHOTOS), photos)
    spool.put(features(1), [reference(species(0), "lost")])
    killed_here = Spool(folder, JOB, WIDTH)
    assert killed_here.rows == SHARD_PHOTOS
    assert "lost" not in killed_here.done


def test_a_shard_that_was_begun_is_written_over(folder: Path) -> None:
    (folder / "000001.npy").write_bytes(b"half of it")
    (folder / "000001.json.part").write_text("{", encoding="utf-8")
    spool = Spool(folder, JOB, WIDTH)
    assert spool.rows == 0
    spool.put(features(1), references("a", [0]))
    spool.flush()
    np.testing.assert_array_equal(np.concatenate(list(spool.features())), features(1))


def test_another_job_is_refused_once_photos_are_there(folder: Path) -> None:
    Spool(folder, {**JOB, "path": "mistyped"}, WIDTH)
    spool = Spool(folder, JOB, WIDTH)
    spool.put(features(1), references("a", [0]))
    spool.flush()
    with pytest.raises(SpoolError, match="build, from folder, path photos"):
        Spool(folder, {**JOB, "path": "others"}, WIDTH)


def test_another_job_is_described_in_few_words(folder: Path) -> None:
    names = [f"Parus {number}" for number in range(3000)]
    spool = Spool(folder, {"from": "gbif", "species": names, "contact": ""}, WIDTH)
    spool.put(features(1), references("a", [0]))
    spool.flush()
    with pytest.raises(SpoolError, match=r"\(from gbif, species 3,000\): finish that first"):
        Spool(folder, JOB, WIDTH)


def test_a_photo_takes_another_label(folder: Path) -> None:
    spool = Spool(folder, JOB, WIDTH)
    spool.put(features(2), references("a", [0, 1]))
    spool.flush()
    again = Spool(folder, JOB, WIDTH)
    corrected = replace(references("a", [0])[0], taxon=species(2), licence="CC0")
    again.relabel(corrected)
    assert again.references() == [corrected, references("a", [0, 1])[1]]


def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(folder: Path) -> None:
    spool = Spool(folder, JOB, WIDTH)
    spool.put(features(200), references("a", [0] * 200))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Spool(folder, JOB, WIDTH).rows == 0
    spool.flush()
    assert Spool(folder, JOB, WIDTH).rows == 200


@pytest.mark.parametrize("name", ["job.json", "000001.json"])
def test_a_damaged_record_is_refused(folder: Path, name: str) -> None:
    spool = Spool(folder, JOB, WIDTH)
    spool.put(features(1), references("a", [0]))
    spool.flush()
    (folder / name).write_text('{"rows": 1', encoding="utf-8")
    with pytest.raises(SpoolError, match="is damaged"):
        Spool(folder, JOB, WIDTH)


def test_features_of_another_width_are_refused(folder: Path) -> None:
    spool = Spool(folder, JOB, WIDTH)
    spool.put(features(1), references("a", [0]))
    spool.flush()
    np.save(folder / "000001.npy", features(2))
    with pytest.raises(SpoolError, match="is damaged"):
        list(spool.features())
