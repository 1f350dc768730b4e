"""``fieldmark study route``: the comparison behind ``engine.mixing.route``.

Which group answers for ``auto``, where an index holds little of what the networks have labels for:
one of a single group, of a few species, of half of them, and of all. Each is cross-validated within
one split, and asked about species that it holds, species that only a network has a label for, and
others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine import Group, Taxon
from engine.index.projection import TooFewPhotos
from engine.judge import ClassifierAnswer, choose_group, combine_answers
from engine.mixing import lacking_of_group, of_group, route
from engine.taxonomy.groups import group_of
from tools.crossvalidation import (
    Gallery,
    ProjectionChoice,
    deal_by_folds,
    fit_by_folds,
    fit_known_by_folds,
)
from tools.engine_options import (
    EmbedderOption,
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
)
from tools.known_fit import IndexSays
from tools.study.material import StudyMaterial

PRIORS = (0.02, 0.05, 0.1, 0.2, 0.5)
KINDS = ("held", "a label only", "other")

_WIDTH = 500
"""So many principal components of the features are kept (0.86 of the variance of three networks'),
because some two hundred projections are fitted."""
_OTHERS = 300
_SEED = 0

Answers = Mapping[Group, ClassifierAnswer]
Way = Callable[["Shown"], Group]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A photo: its group, whether the index holds its species, and what it is taken for.

    ``kind`` is one of ``KINDS``; ``right`` says whether each group, if it answered, would name
    the species first.
    """

    group: Group
    kind: str
    says: IndexSays
    networks: Answers
    right: Mapping[Group, bool]

    def routed(self, prior: Callable[[int], float] = lacking_of_group) -> Group:
        """Choose a group as the engine does; ``prior`` is as for ``engine.judge.choose_group``."""
        return choose_group(self.networks, self.says, prior)

    def by_index(self) -> Group:
        """Choose the group to which the index gives most."""
        return route(self.says.probabilities, {}, {}, holds=1.0)

    def by_networks(self) -> Group:
        """Choose the group whose network sees most."""
        return choose_group(self.networks, None)

    def by_mean(self) -> Group:
        """Choose by the mean of the two, whatever the index holds."""
        index = {g: sum(of_group(self.says.probabilities, g).values()) for g in self.right}
        index[Group.GENERIC] = 1 - sum(p for g, p in index.items() if g is not Group.GENERIC)
        seen = {group: answer.seen for group, answer in self.networks.items()}
        means = {g: (p + seen[g]) / 2 if g in seen else p for g, p in index.items()}
        return max(means, key=lambda group: means[group])


def study_route(
    photos: PhotosArgument,
    embedder: EmbedderOption,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare ways to choose the group, beside indexes that hold much and little."""
    # Every command imports this module, and only this one needs what takes a while to import.
    from sklearn.decomposition import PCA

    material = StudyMaterial.open(photos, split, embedder, engine_settings(models, home))
    features, answers = material.ask()
    width = min(_WIDTH, *features.shape)
    components = PCA(width, random_state=_SEED).fit(features).components_
    taxa = [photo.taxon for photo in material.photos]
    console = Console()
    for name, held in indexes_of(taxa).items():
        title = f"{name} ({len(held)} species)"
        try:
            shown = list(show(held, taxa, features @ components.T, answers))
        except TooFewPhotos as error:
            console.print(f"{title}: {error}")
        else:
            console.print(_table(title, shown))


def indexes_of(taxa: Sequence[Taxon]) -> dict[str, list[Taxon]]:
    """Choose the species of each index from those of photos; at random where not all are taken.

    An index of fewer than two is left out.
    """
    rng = np.random.default_rng(_SEED)
    every = list(dict.fromkeys(taxa))
    several = [taxon for taxon in every if taxa.count(taxon) > 1]

    def some(count: int, *groups: Group) -> list[Taxon]:
        of_them = [t for t in several if not groups or group_of(t) in groups]
        return [of_them[i] for i in rng.permutation(len(of_them))[:count]]

    indexes = {
        "20 mammals, fungi and others": some(20, Group.GENERIC),
        "plants": some(len(several), Group.PLANT),
        "8 birds": some(8, Group.BIRD),
        "60 birds": some(60, Group.BIRD),
        "20 insects": some(20, Group.INSECT),
        "ten of all": some(10),
        "half of all": some(len(several) // 2),
        "all": every,
    }
    return {name: held for name, held in indexes.items() if len(held) > 1}


def show(
    held: Sequence[Taxon],
    taxa: Sequence[Taxon],
    features: NDArray[np.float32],
    answers: Sequence[Answers],
) -> Iterator[Shown]:
    """Ask an index of ``held`` about its species' photos by folds, and about as many of others.

    ``features`` and ``answers`` are those of the photos of ``taxa``.

    Raises:
        TooFewPhotos: no projection can be fitted to the photos of ``held``.
        ValueError: they are too few to fit the vote to.
    """
    number = {taxon: place for place, taxon in enumerate(held)}
    inside = np.array([i for i, taxon in enumerate(taxa) if taxon in number])
    outside = np.array([i for i, taxon in enumerate(taxa) if taxon not in number], np.int64)
    labels = np.array([number[taxa[i]] for i in inside])
    choice = ProjectionChoice()
    settings = fit_by_folds(features[inside], labels, choice)
    settings = fit_known_by_folds(features[inside], labels, held, choice, settings)
    rng = np.random.default_rng(_SEED)
    for kept, asked in deal_by_folds(labels):
        projection = choice.fit(features[inside[kept]], labels[kept])
        gallery = Gallery.of(projection.apply(features[inside[kept]]), labels, kept)
        chosen = np.concatenate([inside[asked], rng.permutation(outside)[:_OTHERS]])
        found = gallery.evidence(
            projection.apply(features[chosen]),
            settings.neighbours,
            projection.distinctness(features[chosen]),
        )
        for place, evidence in zip(chosen, found, strict=True):
            says = IndexSays.of(evidence, settings, held)
            yield _shown(taxa[place], says, answers[place])


def _shown(taxon: Taxon, says: IndexSays, answers: Answers) -> Shown:
    labelled = any(taxon in answer.classifier.labels for answer in answers.values())
    right = {}
    for group in {*answers, *map(group_of, says.probabilities), Group.GENERIC}:
        named = (
            combine_answers(answers[group], says, group)
            if group in answers
            else of_group(says.probabilities, group)
        )
        right[group] = max(named, key=lambda one: named[one], default=None) == taxon
    held, label, other = KINDS
    return Shown(
        group=group_of(taxon),
        kind=held if taxon in says.held else label if labelled else other,
        says=says,
        networks=answers,
        right=right,
    )


def _table(title: str, shown: Sequence[Shown]) -> Table:
    table = Table(title, *(f"{kind}: group / species" for kind in KINDS))
    ways: dict[str, Way] = {
        "index alone": Shown.by_index,
        "networks alone": Shown.by_networks,
        "mean of both": Shown.by_mean,
    }
    ways |= {f"prior {prior}": partial(Shown.routed, prior=_always(prior)) for prior in PRIORS}
    ways["default"] = Shown.routed
    for name, way in ways.items():
        table.add_row(name, *(_rates([s for s in shown if s.kind == kind], way) for kind in KINDS))
    return table


def _always(prior: float) -> Callable[[int], float]:
    return lambda _: prior


def _rates(shown: Sequence[Shown], way: Way) -> str:
    if not shown:
        return "-"
    chosen = [(way(one), one) for one in shown]
    group = np.mean([chose is one.group for chose, one in chosen])
    species = np.mean([one.right.get(chose, False) for chose, one in chosen])
    return f"{group:.3f} / {species:.3f}"
