"""Projections: what they keep, and what they refuse to load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.index.projection import (
    KINDS,
    Kind,
    Projection,
    ProjectionRefused,
    TooFewPhotos,
    fit_projection,
)

WIDTH = 24


def photos(
    species: int = 12, each: int = 6, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make features whose species differ in few directions and whose photos in many."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((species, WIDTH))
    centres[:, :4] = rng.uniform(0, 1, (species, 4))
    noise = np.full(WIDTH, 1.0)
    noise[:4] = 0.05
    labels = np.repeat(np.arange(species), each)
    features = centres[labels] + np.abs(rng.normal(0, 1, (len(labels), WIDTH))) * noise
    return features.astype(np.float32), labels


def nearest_shows_the_same(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return float((labels[cosines.argmax(axis=1)] == labels).mean())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "projection.npz"
    fit_projection(*photos(), dims=3).save(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_out_with_unit_length(kind: Kind) -> None:
    features, labels = photos()
    vectors = fit_projection(features, labels, kind=kind, dims=5).apply(features)
    assert vectors.shape == (len(features), 5)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_lda_finds_the_directions_in_which_species_differ() -> None:
    features, labels = photos()
    asked, truths = photos(seed=1)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(asked))
    scores = {}
    for kind in ("pca", "lda"):
        projection = fit_projection(
            features, labels, kind=kind, dims=4, rooted=False, shrinkage=0.05
        )
        scores[kind] = nearest_shows_the_same(projection.apply(asked[order]), truths[order])
    assert scores["lda"] > scores["pca"] + 0.2


def test_lda_helps_species_that_it_has_not_seen() -> None:
    features, labels = photos(species=24)
    seen = labels < 12
    new, truths = features[~seen], labels[~seen]
    scores = {
        kind: nearest_shows_the_same(
            fit_projection(
                features[seen], labels[seen], kind=kind, dims=4, rooted=False, shrinkage=0.05
            ).apply(new),
            truths,
        )
        for kind in ("pca", "lda")
    }
    assert scores["lda"] > scores["pca"]


def in_places(species: int, each: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make features in which where a photo was taken shows more than its species does."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(species), each)
    looks = np.random.default_rng(7).normal(0, 1, (species, 4))
    features = np.zeros((len(labels), WIDTH))
    features[:, :4] = looks[labels] + rng.normal(0, 0.3, (len(labels), 4))
    features[:, 4:8] = rng.normal(0, 3, (len(labels), 4))
    features[:, 8:] = rng.normal(0, 0.3, (len(labels), WIDTH - 8))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("kind", KINDS)
def test_no_photos_without_a_label_are_as_if_there_were_none(kind: Kind) -> None:
    features, labels = photos()
    plain = fit_projection(features, labels, kind=kind, dims=3)
    same = fit_projection(features, labels, kind=kind, dims=3, unlabelled=features[:0])
    np.testing.assert_array_equal(plain.matrix, same.matrix)


def test_photos_without_a_label_tell_what_differs_between_any_photos() -> None:
    features, labels = in_places(12, 4, seed=0)
    # Each species was photographed in one place, much like the others': they seem to be its looks.
    features[:, 4:8] = features[::4, 4:8][labels] / 6
    unlabelled, _ = in_places(12, 40, seed=1)
    asked, truths = in_places(12, 2, seed=2)
    scores = []
    for others in (None, unlabelled):
        fitted = fit_projection(
            features, labels, dims=8, rooted=False, unlabelled=others, spread_share=0.9
        )
        nearest = (fitted.apply(asked) @ fitted.apply(features).T).argmax(axis=1)
        scores.append(float((labels[nearest] == truths).mean()))
    assert scores[1] > scores[0] + 0.2


def test_where_the_spread_has_no_share_photos_without_a_label_change_nothing() -> None:
    features, labels = photos()
    plain, beside = (
        fit_projection(features, labels, dims=3, spread_share=0, unlabelled=others)
        for others in (None, photos(seed=5)[0])
    )
    np.testing.assert_allclose(plain.matrix, beside.matrix, atol=1e-6)


def test_lda_gives_all_dimensions_where_species_are_few() -> None:
    features, labels = photos(species=3, each=10)
    vectors = fit_projection(features, labels, dims=8).apply(features)
    assert np.linalg.matrix_rank(vectors) == 8


def test_the_original_search_is_a_plain_pca_of_plain_features() -> None:
    features, labels = photos()
    projection = fit_projection(features, labels, kind="pca", dims=WIDTH)
    assert not projection.rooted
    centred = features - features.mean(axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    vectors = projection.apply(features)
    # A rotation keeps every cosine.
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-4)


def test_photos_that_show_much_lie_farther_from_the_mean_than_others() -> None:
    features, labels = photos()
    projection = fit_projection(features, labels, dims=5)
    assert projection.distinctness(features).mean() == pytest.approx(1, abs=1e-3)
    flat = np.ones((1, WIDTH), np.float32)
    spike = np.eye(1, WIDTH, dtype=np.float32)
    distinct = projection.distinctness(np.vstack([flat, features[:1], spike, 7 * spike]))
    assert distinct[0] < 1 < distinct[2]
    assert distinct[2] == pytest.approx(distinct[3])
    plain = fit_projection(features, labels, dims=5, rooted=False)
    assert plain.distinctness(features).tolist() == [1] * len(features)


def test_rooted_features_do_not_hang_on_their_scale() -> None:
    features, labels = photos()
    projection = fit_projection(features, labels, dims=5)
    np.testing.assert_allclose(
        projection.apply(features), projection.apply(features * 7), atol=1e-4
    )


def test_a_fit_is_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = photos()
    monkeypatch.setattr("engine.index.projection.MOST_ROWS", 40)
    first, second = (fit_projection(features, labels, dims=3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_dimensions_are_at_most_one_less_than_photos() -> None:
    features, labels = photos(species=2, each=2)
    assert fit_projection(features, labels, kind="pca", dims=192).dims == 3


@pytest.mark.parametrize(
    ("labels", "kind"), [([0], "pca"), ([0, 1, 2], "lda"), ([0, 0, 0], "lda"), ([], "lda")]
)
def test_too_few_photos_are_refused(labels: list[int], kind: Kind) -> None:
    features = np.random.default_rng(0).normal(size=(len(labels), WIDTH)).astype(np.float32)
    with pytest.raises(TooFewPhotos, match="two"):
        fit_projection(features, np.array(labels, np.int64), kind=kind)


def test_features_of_another_width_or_not_finite_are_refused() -> None:
    projection = fit_projection(*photos(), dims=3)
    with pytest.raises(ValueError, match=f"not \\(n, {WIDTH}\\)"):
        projection.apply(np.zeros((2, WIDTH + 1), np.float32))
    with pytest.raises(ValueError, match="finite"):
        projection.apply(np.full((1, WIDTH), np.nan, np.float32))


def test_a_projection_comes_back_as_it_was_saved(saved: Path) -> None:
    features, labels = photos()
    fitted, loaded = fit_projection(features, labels, dims=3), Projection.load(saved)
    assert (loaded.kind, loaded.rooted, loaded.dims, loaded.width) == ("lda", True, 3, WIDTH)
    np.testing.assert_array_equal(loaded.apply(features), fitted.apply(features))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectionRefused, match="is missing"):
        Projection.load(tmp_path / "projection.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_refused(saved: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()
    cut = saved.with_name("cut.npz")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ProjectionRefused, match="damaged"):
        Projection.load(cut)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_the_same(saved: Path, data: st.DataObject) -> None:
    whole = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    damaged = saved.with_name("damaged.npz")
    damaged.write_bytes(whole)
    try:
        loaded = Projection.load(damaged)
    except ProjectionRefused:
        return
    np.testing.assert_array_equal(loaded.matrix, Projection.load(saved).matrix)


@pytest.mark.parametrize(
    "change",
    [
        {"format": np.array("another")},
        {"kind": np.array("umap")},
        {"rooted": np.array(1)},
        {"mean": np.zeros(WIDTH + 1, np.float32)},
        {"matrix": np.zeros((WIDTH, 3))},
        {"matrix": np.full((WIDTH, 3), np.nan, np.float32)},
        {"matrix": np.zeros((WIDTH, 0), np.float32)},
        {"extra": np.zeros(1)},
        {"mean": np.array([{"a": "pickle"}], object)},
    ],
)
def test_foreign_arrays_are_refused(saved: Path, change: dict[str, NDArray[np.generic]]) -> None:
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(saved, **{**arrays, **change})
    with pytest.raises(ProjectionRefused, match="no projection of this version"):
        Projection.load(saved)


def test_a_plain_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "projection.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ProjectionRefused, match="no projection"):
        Projection.load(path)
