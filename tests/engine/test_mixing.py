"""Two opinions become one: nothing is lost, nothing sums to more than 1."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Ancestor, Group, Taxon
from engine.mixing import combine, lacking_of_group, mix, of_group, outside_odds, route


def taxon(name: str, rank: str, ancestor: str) -> Taxon:
    return Taxon(scientific_name=name, rank="species", lineage=(Ancestor(rank, ancestor),))


ROBIN = taxon("Erithacus rubecula", "class", "Aves")
WREN = taxon("Troglodytes troglodytes", "class", "Aves")
OWL = taxon("Athene noctua", "class", "Aves")
BEE = taxon("Apis mellifera", "class", "Insecta")
FIR = taxon("Abies alba", "kingdom", "Plantae")
FOX = taxon("Vulpes vulpes", "class", "Mammalia")
EVERY = (ROBIN, WREN, OWL, BEE, FIR, FOX)
LABELS = {ROBIN, WREN}


def test_what_both_can_name_is_averaged_by_their_shares() -> None:
    said = {ROBIN: 0.8, WREN: 0.2}, {ROBIN: 0.4, WREN: 0.6}
    pooled = mix(*said, LABELS, share=0.4, sharpness=1)
    assert pooled == pytest.approx({ROBIN: 0.56, WREN: 0.44})


def test_what_only_the_index_can_name_is_not_halved() -> None:
    """The classifier says it has no label for this bird, the index that it is an owl."""
    pooled = mix({ROBIN: 0.03, WREN: 0.02}, {OWL: 0.9, ROBIN: 0.1}, LABELS)
    assert max(pooled, key=lambda t: pooled[t]) == OWL
    assert pooled[OWL] > 0.85


def test_a_sure_classifier_outweighs_a_vague_index() -> None:
    pooled = mix({ROBIN: 0.98}, {OWL: 0.3, WREN: 0.1}, LABELS)
    assert max(pooled, key=lambda t: pooled[t]) == ROBIN


def test_an_index_without_the_labels_leaves_the_classifier_its_species() -> None:
    pooled = mix({ROBIN: 0.9, WREN: 0.1}, {}, LABELS, sharpness=1)
    assert pooled[ROBIN] == pytest.approx(9 * pooled[WREN])


def test_a_pool_is_sharpened_without_a_change_of_order() -> None:
    plain, sharp = (
        mix({ROBIN: 0.7, WREN: 0.3}, {ROBIN: 0.6, WREN: 0.2}, LABELS, sharpness=power)
        for power in (1, 1.6)
    )
    assert plain[ROBIN] < sharp[ROBIN] < 1
    assert sharp[WREN] < plain[WREN]


def probabilities(taxa: tuple[Taxon, ...]) -> st.SearchStrategy[dict[Taxon, float]]:
    weights = st.dictionaries(st.sampled_from(taxa), st.floats(1e-6, 1), max_size=len(taxa))
    return st.builds(
        lambda w, held: {t: held * x / sum(w.values()) for t, x in w.items()},
        weights,
        st.floats(0.01, 1),
    )


@given(probabilities((ROBIN, WREN)), probabilities(EVERY), st.floats(0, 1))
def test_a_mixture_is_positive_and_sums_to_at_most_one(
    classifier: dict[Taxon, float], index: dict[Taxon, float], share: float
) -> None:
    pooled = mix(classifier, index, LABELS, share=share)
    assert set(pooled) <= set(classifier) | set(index)
    assert all(p >= 0 for p in pooled.values())
    assert sum(pooled.values()) <= 1 + 1e-9


def together(
    classifier: dict[Taxon, float], index: dict[Taxon, float], *, holds: float, knows: float = 0.9
) -> dict[Taxon, float]:
    """Combine them where the index holds what it names, and the classifier keeps back the rest."""
    return combine(
        classifier,
        index,
        {ROBIN, WREN, BEE},
        held=frozenset(index),
        background=1 - sum(classifier.values()),
        knows=knows,
        holds=holds,
    )


def likeliest(probabilities: dict[Taxon, float]) -> Taxon:
    return max(probabilities, key=lambda taxon: probabilities[taxon])


def test_a_species_that_only_the_classifier_has_is_not_outvoted_by_what_lies_far_off() -> None:
    classifier, index = {ROBIN: 0.95, WREN: 0.01}, {WREN: 0.9, OWL: 0.1}
    assert likeliest(mix(classifier, index, LABELS)) == WREN, "the pool knows no better"
    far, near = (together(classifier, index, holds=holds) for holds in (0.1, 0.95))
    assert likeliest(far) == ROBIN
    assert far[ROBIN] > 0.8
    assert likeliest(near) == WREN


def test_a_classifier_that_has_no_label_for_it_leaves_the_word_to_the_index() -> None:
    classifier, index = {ROBIN: 0.2}, {OWL: 0.9}
    unsure, sure = (together(classifier, index, holds=0.5, knows=k) for k in (0.05, 0.95))
    assert likeliest(unsure) == OWL
    assert unsure[ROBIN] < 0.05 < sure[ROBIN]


def test_what_the_index_holds_is_pooled_as_before() -> None:
    classifier, index = {ROBIN: 0.8, WREN: 0.2}, {ROBIN: 0.4, WREN: 0.6}
    assert together(classifier, index, holds=0.3) == mix(classifier, index, LABELS)


def test_an_index_of_other_things_leaves_the_classifier_its_answer() -> None:
    said = together({ROBIN: 0.9, WREN: 0.05}, {}, holds=0.0)
    assert said == pytest.approx({ROBIN: 0.9, WREN: 0.05})


@given(
    probabilities((ROBIN, WREN)),
    probabilities(EVERY),
    st.sets(st.sampled_from(EVERY)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_together_they_are_positive_and_sum_to_at_most_one(
    classifier: dict[Taxon, float],
    index: dict[Taxon, float],
    more: set[Taxon],
    holds: float,
    knows: float,
) -> None:
    said = combine(
        classifier,
        index,
        LABELS,
        held=frozenset(index) | more,
        background=max(0.0, 1 - sum(classifier.values())),
        knows=knows,
        holds=holds,
    )
    assert set(said) == set(classifier) | set(index)
    assert all(p >= 0 for p in said.values())
    assert sum(said.values()) <= 1 + 1e-9


def test_a_group_is_a_part_of_the_tree() -> None:
    index = {ROBIN: 0.3, BEE: 0.3, FIR: 0.2, FOX: 0.1}
    assert of_group(index, Group.BIRD) == {ROBIN: 0.3}
    assert of_group(index, Group.INSECT) == {BEE: 0.3}
    assert of_group(index, Group.PLANT) == {FIR: 0.2}
    assert of_group(index, Group.GENERIC) == index


def test_the_group_answers_of_which_the_index_holds_what_lies_near() -> None:
    seen, nobody = {Group.BIRD: 0.5, Group.INSECT: 0.5}, {Group.BIRD: 0.01, Group.INSECT: 0.01}
    assert route({BEE: 0.8, ROBIN: 0.1}, seen, nobody, holds=0.9) is Group.INSECT
    assert route({FOX: 0.5, ROBIN: 0.3}, seen, nobody, holds=0.9) is Group.GENERIC
    assert route({FIR: 0.5, FOX: 0.2}, {}, {}, holds=0.0) is Group.PLANT


def test_networks_decide_between_groups_that_the_index_finds_alike() -> None:
    nobody = {Group.BIRD: 0.01, Group.INSECT: 0.01}
    alike = {BEE: 0.45, ROBIN: 0.4, FOX: 0.15}
    assert route(alike, {Group.BIRD: 0.9, Group.INSECT: 0.3}, nobody, holds=0.9) is Group.BIRD
    assert route(alike, {Group.BIRD: 0.3, Group.INSECT: 0.3}, nobody, holds=0.9) is Group.INSECT


def test_an_index_of_one_group_leaves_the_others_to_their_networks() -> None:
    seen, sure = {Group.BIRD: 0.4, Group.INSECT: 0.9}, {Group.BIRD: 0.05, Group.INSECT: 4.0}
    assert route({FOX: 0.95}, seen, sure, holds=0.1) is Group.INSECT
    assert route({ROBIN: 0.95}, seen, sure, holds=0.1) is Group.INSECT
    unsure = {Group.BIRD: 0.5, Group.INSECT: 0.2}
    assert route({FOX: 0.95}, seen, unsure, holds=0.8) is Group.GENERIC


def test_an_index_that_says_nothing_leaves_the_choice_to_the_networks() -> None:
    assert route({}, {}, {Group.BIRD: 0.2, Group.INSECT: 0.1}, holds=0.0) is Group.BIRD
    assert route({}, {}, {}, holds=0.0) is Group.GENERIC


def test_outside_odds_are_of_labels_that_the_index_lacks() -> None:
    shared = {ROBIN: 0.6, BEE: 0.2}
    assert outside_odds(shared, {ROBIN}, knows=0.75, prior=1) == pytest.approx(0.75)
    assert outside_odds(shared, {ROBIN}, knows=0.75, prior=0.1) == pytest.approx(0.075)
    assert outside_odds({ROBIN: 0.6}, {ROBIN}, knows=0.75, prior=1) == 0
    assert outside_odds({}, {ROBIN}, knows=0.75, prior=1) == 0
    assert math.isfinite(outside_odds({BEE: 1.0}, (), knows=1.0, prior=1))


def test_the_more_species_an_index_holds_of_a_group_the_rarer_is_one_that_it_lacks() -> None:
    assert lacking_of_group(0) == 1
    chances = [lacking_of_group(species) for species in (0, 1, 8, 40, 1_000, 100_000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] > 0
