"""The vote: what holds for any neighbours, and what it makes of clear cases."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.index.projection import TooFewPhotos
from engine.index.spread import usual_angles
from engine.index.vote import (
    LEAST_PROBABILITY,
    MOST_CANDIDATES,
    Evidence,
    Vote,
    VoteSettings,
    fit_vote,
    vote,
)

DEFAULTS = VoteSettings()
cosines = st.floats(-1, 1, width=32)

Kind = TypeVar("Kind", bound=np.generic)


@st.composite
def evidence(draw: st.DrawFn, least_rows: int = 0) -> Evidence:
    """Draw whatever a search may find, near ties and missing neighbours included."""
    taxa = draw(st.integers(1, 12))
    views = draw(st.integers(1, 3))
    k = draw(st.integers(least_rows, 15))

    def table(values: st.SearchStrategy[float], width: int) -> list[list[float]]:
        return [draw(st.lists(values, min_size=width, max_size=width)) for _ in range(views)]

    photos = np.array(draw(st.lists(st.integers(1, 200), min_size=taxa, max_size=taxa)), np.int64)
    return Evidence(
        similarities=np.array(table(cosines, k), np.float32).reshape(views, k),
        taxa=np.array(table(st.integers(-1, taxa - 1), k), np.int32).reshape(views, k),
        rows=np.array([draw(st.permutations(range(k))) for _ in range(views)], np.int64).reshape(
            views, k
        ),
        prototype_similarities=np.array(table(cosines, taxa), np.float32),
        photos_of_taxon=photos,
        usual_angles=usual_angles(
            np.array(draw(st.lists(st.floats(0, 200), min_size=taxa, max_size=taxa))), photos
        ),
    )


@st.composite
def any_settings(draw: st.DrawFn) -> VoteSettings:
    return VoteSettings(
        kernel=draw(st.floats(0.01, 0.5)),
        prototype_share=draw(st.floats(0.05, 0.95)),
        count_power=draw(st.floats(0, 1)),
        temperature=draw(st.floats(0.15, 7)),
    )


def found(
    *neighbours: tuple[float, int],
    prototypes: list[float],
    photos: list[int] | None = None,
) -> Evidence:
    """One view of which ``(similarity, taxon)`` are the neighbours, in rows from 0."""
    counts = np.array(photos or [10] * len(prototypes), np.int64)
    return Evidence(
        similarities=np.array([[s for s, _ in neighbours]], np.float32),
        taxa=np.array([[t for _, t in neighbours]], np.int32),
        rows=np.arange(len(neighbours), dtype=np.int64)[None],
        prototype_similarities=np.array([prototypes], np.float32),
        photos_of_taxon=counts,
        usual_angles=usual_angles(0.8 * counts, counts),
    )


def by_taxon(said: Vote) -> dict[int, float]:
    return dict(zip(said.taxa.tolist(), said.probabilities.tolist(), strict=True))


def assert_same(first: Vote, second: Vote) -> None:
    np.testing.assert_array_equal(first.taxa, second.taxa)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert (first.known_score, first.known) == (second.known_score, second.known)


@given(evidence(), any_settings())
def test_probabilities_are_positive_sorted_and_sum_to_at_most_one(
    seen: Evidence, settings: VoteSettings
) -> None:
    said = vote(seen, settings)
    assert len(said.taxa) == len(set(said.taxa.tolist())) >= 1
    assert (said.probabilities >= LEAST_PROBABILITY).all()
    assert said.probabilities.sum() <= 1 + 1e-9
    assert (np.diff(said.probabilities) <= 0).all()
    assert math.isfinite(said.known_score)


@given(evidence(), any_settings())
def test_the_weights_of_the_neighbours_sum_to_one(seen: Evidence, settings: VoteSettings) -> None:
    said = vote(seen, settings)
    assert len(said.rows) == len(set(said.rows.tolist()))
    assert (np.diff(said.weights) <= 0).all()
    assert (said.weights >= 0).all()
    if len(said.rows):
        assert said.weights.sum() == pytest.approx(1)
    assert bool(len(said.rows)) == bool((seen.taxa >= 0).any())


@given(evidence(), st.randoms(use_true_random=False))
def test_the_order_of_the_neighbours_does_not_matter(seen: Evidence, random: object) -> None:
    order = np.arange(seen.taxa.shape[1])
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = replace(
        seen,
        similarities=seen.similarities[:, order],
        taxa=seen.taxa[:, order],
        rows=seen.rows[:, order],
    )
    assert_same(vote(seen, DEFAULTS), vote(shuffled, DEFAULTS))


@given(evidence(least_rows=1), st.data())
def test_the_same_photo_again_changes_nothing(seen: Evidence, data: st.DataObject) -> None:
    copied = data.draw(st.integers(0, seen.taxa.shape[1] - 1))

    def again(values: NDArray[Kind]) -> NDArray[Kind]:
        return np.hstack([values, values[:, [copied]]])

    new_row = np.full((len(seen.rows), 1), 1000)
    twice = replace(
        seen,
        similarities=again(seen.similarities),
        taxa=again(seen.taxa),
        rows=np.hstack([seen.rows, new_row]),
    )
    assert_same(vote(seen, DEFAULTS), vote(twice, DEFAULTS))


@given(evidence(), st.integers(1, 5))
def test_missing_neighbours_change_nothing(seen: Evidence, missing: int) -> None:
    views = len(seen.taxa)
    padded = replace(
        seen,
        similarities=np.hstack([seen.similarities, np.full((views, missing), -1, np.float32)]),
        taxa=np.hstack([seen.taxa, np.full((views, missing), -1, np.int32)]),
        rows=np.hstack([seen.rows, np.full((views, missing), -1, np.int64)]),
    )
    assert_same(vote(seen, DEFAULTS), vote(padded, DEFAULTS))


@given(evidence())
def test_the_same_view_twice_changes_nothing(seen: Evidence) -> None:
    first = Evidence(
        similarities=seen.similarities[:1],
        taxa=seen.taxa[:1],
        rows=seen.rows[:1],
        prototype_similarities=seen.prototype_similarities[:1],
        photos_of_taxon=seen.photos_of_taxon,
        usual_angles=seen.usual_angles,
    )
    twice = replace(
        first,
        similarities=np.repeat(first.similarities, 2, axis=0),
        taxa=np.repeat(first.taxa, 2, axis=0),
        rows=np.repeat(first.rows, 2, axis=0),
        prototype_similarities=np.repeat(first.prototype_similarities, 2, axis=0),
    )
    once, both = vote(first, DEFAULTS), vote(twice, DEFAULTS)
    np.testing.assert_allclose(once.probabilities, both.probabilities, rtol=1e-9)
    np.testing.assert_allclose(once.weights, both.weights, rtol=1e-9)
    assert once.known_score == pytest.approx(both.known_score)


@given(evidence(), st.floats(0.1, 2))
def test_the_more_there_is_to_see_the_farther_off_all_species_lie(
    seen: Evidence, distinct: float
) -> None:
    views = len(seen.similarities)
    measured = replace(seen, distinctness=np.full(views, distinct, np.float32))
    plain, said = vote(seen, DEFAULTS), vote(measured, DEFAULTS)
    np.testing.assert_allclose(said.distances, distinct * plain.distances, rtol=1e-6)
    assert_same(said, plain)


@given(evidence(), st.data())
def test_only_what_is_asked_for_is_answered(seen: Evidence, data: st.DataObject) -> None:
    taxa = len(seen.photos_of_taxon)
    among = np.array(data.draw(st.lists(st.booleans(), min_size=taxa, max_size=taxa)))
    said = vote(seen, DEFAULTS, among=among)
    assert among[said.taxa].all()
    assert bool(len(said.taxa)) == among.any()


@given(evidence(), any_settings(), st.floats(0.2, 5))
def test_a_temperature_does_not_change_the_order(
    seen: Evidence, settings: VoteSettings, temperature: float
) -> None:
    first = vote(seen, settings)
    other = vote(seen, replace(settings, temperature=temperature))
    both = min(len(first.taxa), len(other.taxa))
    np.testing.assert_array_equal(first.taxa[:both], other.taxa[:both])


@given(evidence(least_rows=1))
def test_a_nearer_neighbour_never_hurts_its_species(seen: Evidence) -> None:
    seen = replace(
        seen,
        similarities=seen.similarities[:1],
        taxa=np.maximum(seen.taxa[:1], 0),
        rows=seen.rows[:1],
        prototype_similarities=seen.prototype_similarities[:1],
    )
    taxon = int(seen.taxa[0, 0])
    before = by_taxon(vote(seen, DEFAULTS)).get(taxon, 0.0)
    nearer = replace(
        seen,
        similarities=np.hstack([seen.similarities, np.array([[1.0]], np.float32)]),
        taxa=np.hstack([seen.taxa, [[taxon]]]),
        rows=np.hstack([seen.rows, [[1000]]]),
    )
    assert by_taxon(vote(nearer, DEFAULTS)).get(taxon, 0.0) >= before - 1e-9


def test_an_empty_index_knows_nothing() -> None:
    said = vote(found(prototypes=[]), DEFAULTS)
    assert len(said.taxa) == len(said.rows) == 0
    assert said.known_score == -math.inf
    assert not said.known


def test_the_species_of_the_nearest_photos_wins_and_they_are_named() -> None:
    said = vote(found((0.8, 1), (0.75, 1), (0.4, 0), prototypes=[0.35, 0.7, 0.1]), DEFAULTS)
    assert said.taxa[0] == 1
    assert said.probabilities[0] > 0.95
    assert said.rows.tolist() == [0, 1, 2]
    assert said.known


def test_species_that_are_equally_likely_come_in_the_order_of_the_index() -> None:
    seen = found((0.5, 2), (0.5, 0), (0.5, 1), prototypes=[0.5, 0.5, 0.5])
    said = vote(seen, DEFAULTS)
    assert said.taxa.tolist() == [0, 1, 2]
    assert said.probabilities.tolist() == pytest.approx([1 / 3] * 3)


def test_a_species_with_one_photo_is_heard_beside_one_with_many() -> None:
    many = [(0.6 + i * 1e-4, 0) for i in range(9)]
    seen = found((0.6, 1), *many, prototypes=[0.6, 0.6], photos=[100, 1])
    assert vote(seen, DEFAULTS).taxa[0] == 1
    assert vote(seen, replace(DEFAULTS, count_power=0.0)).taxa[0] == 0


def test_a_photo_far_from_everything_is_not_known() -> None:
    near = vote(found((0.7, 0), (0.2, 1), prototypes=[0.7, 0.1]), DEFAULTS)
    far = vote(found((0.15, 0), (0.14, 1), prototypes=[0.12, 0.11]), DEFAULTS)
    torn = vote(found((0.7, 0), (0.7, 1), prototypes=[0.7, 0.7]), DEFAULTS)
    assert near.known
    assert not far.known
    assert near.known_score > torn.known_score > far.known_score


def test_a_vote_among_thousands_of_species_is_short() -> None:
    said = vote(found((0.1, 5), prototypes=[0.1] * 5000), DEFAULTS)
    assert len(said.taxa) <= MOST_CANDIDATES
    assert said.taxa[0] == 5
    assert said.probabilities.sum() < 1


def test_a_fitted_vote_is_as_sure_as_it_is_right() -> None:
    rng = np.random.default_rng(0)
    taxa, photos = 6, 600
    truths = rng.integers(0, taxa, photos)
    likeness = rng.normal(0.3, 0.05, (photos, taxa)).astype(np.float32)
    likeness[np.arange(photos), truths] += 0.08
    seen = [
        Evidence(
            similarities=row[None],
            taxa=np.arange(taxa, dtype=np.int32)[None],
            rows=np.arange(taxa, dtype=np.int64)[None],
            prototype_similarities=row[None],
            photos_of_taxon=np.ones(taxa, np.int64),
            usual_angles=usual_angles(np.ones(taxa), np.ones(taxa, np.int64)),
        )
        for row in likeness
    ]
    fitted = fit_vote(seen, truths.tolist(), VoteSettings(kernel=0.01), kept=0.9)
    said = [vote(e, fitted) for e in seen]
    right = np.mean([v.taxa[0] == t for v, t in zip(said, truths, strict=True)])
    sure = np.mean([v.probabilities[0] for v in said])
    assert sure == pytest.approx(right, abs=0.03)
    before = np.mean([vote(e, VoteSettings(kernel=0.01)).probabilities[0] for e in seen])
    assert abs(before - right) > 0.05
    assert np.mean([v.known for v in said]) == pytest.approx(0.9, abs=0.02)


def test_photos_of_species_outside_do_not_count_in_a_fit() -> None:
    inside = [found((0.5 + i / 100, 0), (0.4, 1), prototypes=[0.5, 0.4]) for i in range(12)]
    truths = [0] * 9 + [1] * 3
    stranger = found((0.05, 1), (0.0, 0), prototypes=[0.0, 0.05])
    assert fit_vote(inside, truths) == fit_vote([*inside, stranger], [*truths, -1])
    with pytest.raises(TooFewPhotos, match="too few"):
        fit_vote([stranger] * 20, [-1] * 20)
