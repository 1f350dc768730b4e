"""From what each model says of an individual to one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.contracts import Candidate, Group, ModelInfo, Taxon
from engine.known import KNOWN_FROM, KnownCurve, either, expected_trust, log_odds
from engine.mixing import combine, lacking_of_group, of_group, outside_odds, route
from engine.networks.classifier import Classifier, Scores

if TYPE_CHECKING:
    from engine.generic import IndexAnswer

_SMALLEST = 1e-4


class IndexOpinion(Protocol):
    """What of an index's answer is joined with a network's; see ``engine.generic.IndexAnswer``."""

    @property
    def probabilities(self) -> Mapping[Taxon, float]:
        """How probable each species is, if the index holds it."""

    @property
    def held(self) -> frozenset[Taxon]:
        """All species of the index."""

    @property
    def held_of_group(self) -> Mapping[Group, int]:
        """How many they are of each group that has any."""

    def trust(self, probabilities: Mapping[Taxon, float]) -> float | None:
        """Return how likely the likeliest species is one that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierAnswer:
    """What one network says, by taxon."""

    classifier: Classifier
    scores: Scores
    probabilities: dict[Taxon, float]

    @classmethod
    def of(cls, classifier: Classifier, scores: Scores) -> ClassifierAnswer:
        """Name the labels that have any probability to speak of."""
        likely = (scores.species >= _SMALLEST).nonzero()[0].tolist()
        probabilities = {classifier.taxa[i]: float(scores.species[i]) for i in likely}
        return cls(classifier=classifier, scores=scores, probabilities=probabilities)

    @property
    def seen(self) -> float:
        """How probable the network finds that the photo shows any species of its labels."""
        return 1 - self.scores.background

    @property
    def known_score(self) -> float:
        """How probable it is that the photo shows one of the network's species."""
        entry = self.classifier.entry
        curve = KnownCurve(middle=log_odds(entry.known_middle), slope=entry.known_slope)
        return curve(log_odds(self.scores.best))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One answer: probabilities by taxon, of which group, from which models.

    ``probabilities`` are of photos that show a species the models know, and ``trust`` is how
    likely this one does. ``known_score`` is how likely it is that they know what it shows, if
    every second photo were of something else. Both lie in [0, 1], and ``trust`` above 0.
    """

    group: Group
    probabilities: dict[Taxon, float]
    known: bool
    known_score: float
    trust: float
    models: tuple[ModelInfo, ...]
    notes: tuple[str, ...] = ()

    def candidates(self, limit: int, index: IndexAnswer | None) -> tuple[Candidate, ...]:
        """Return the likeliest taxa, with the reference photos that speak for them.

        What is not trusted to be known is taken off the probability of each.
        """
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])[:limit]
        references = index.references if index is not None else {}
        model = "+".join(model.name for model in self.models)
        return tuple(
            Candidate(
                taxon=taxon,
                probability=min(1.0, p) * self.trust,
                model=model,
                references=references.get(taxon, ()),
            )
            for taxon, p in ranked
            if p >= _SMALLEST
        )


def judge(
    asked: Group, networks: Mapping[Group, ClassifierAnswer], index: IndexAnswer | None
) -> Judgement:
    """Join the answers to what was asked: at least one of the two has something to say."""
    group = asked
    if asked is Group.AUTO:
        group = choose_group(networks, index)
    network = networks.get(group)
    if network is None:
        if index is None:
            raise ValueError(f"Nothing was asked that could answer for {group}.")
        return _by_index(group, index)
    if index is None:
        return Judgement(
            group=group,
            probabilities=network.probabilities,
            known=_is_known(network, asked),
            known_score=network.known_score,
            # A classifier that answers alone has said all in its probabilities.
            trust=1.0,
            models=(network.classifier.info,),
        )
    mixture = combine_answers(network, index, group)
    trust = index.trust(mixture)
    known_score = either(network.known_score, trust or 0.0)
    return Judgement(
        group=group,
        probabilities=mixture,
        known=known_score >= KNOWN_FROM,
        known_score=known_score,
        trust=expected_trust(known_score if trust is None else trust),
        models=(network.classifier.info, index.info),
    )


def choose_group(
    networks: Mapping[Group, ClassifierAnswer],
    index: IndexOpinion | None,
    prior: Callable[[int], float] = lacking_of_group,
) -> Group:
    """Choose the group that answers for ``auto``; without an index, whose network sees most.

    ``prior`` are the odds beforehand that a network has a label for the species that the index
    lacks, by how many of its group the index holds.
    """
    if index is None:
        return max(networks, key=lambda group: networks[group].seen)
    elsewhere = {
        group: outside_odds(
            answer.probabilities,
            index.held,
            knows=answer.known_score,
            prior=prior(index.held_of_group.get(group, 0)),
        )
        for group, answer in networks.items()
    }
    seen = {group: answer.seen for group, answer in networks.items()}
    holds = index.trust(index.probabilities) or 0.0
    return route(index.probabilities, seen, elsewhere, holds=holds)


def combine_answers(
    network: ClassifierAnswer, index: IndexOpinion, group: Group
) -> dict[Taxon, float]:
    """Join what a network of ``group`` and the index say, if the models know the species."""
    nearest = of_group(index.probabilities, group)
    return combine(
        network.probabilities,
        nearest,
        network.classifier.labels,
        held=index.held,
        background=network.scores.background,
        knows=network.known_score,
        holds=index.trust(nearest) or 0.0,
    )


def _by_index(group: Group, index: IndexAnswer) -> Judgement:
    probabilities = of_group(index.probabilities, group)
    trust = index.trust(probabilities) or 0.0
    notes: tuple[str, ...] = ()
    if group is not Group.GENERIC:
        notes = (f"No {group.value} model here: from the {index.info.name}.",)
    return Judgement(
        group=group,
        probabilities=probabilities,
        known=index.known and bool(probabilities),
        known_score=trust,
        trust=expected_trust(trust),
        models=(index.info,),
        notes=notes,
    )


def _is_known(network: ClassifierAnswer, asked: Group) -> bool:
    """Judge whether the photo shows something that a network knows, which answers alone.

    More is asked of it where nobody said that the photo shows one of the network's group.
    """
    entry = network.classifier.entry
    threshold = entry.auto_threshold if asked is Group.AUTO else entry.known_threshold
    return network.scores.best >= max(threshold, network.scores.background)
