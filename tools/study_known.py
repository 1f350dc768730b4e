"""``fieldmark study known``: what tells photos of known species from others.

Each tenth of the species in turn is one that the index lacks. A photo's species is known
where the index holds it or a classifier has a label for it; everything else, and every photo
of ``--others``, is not. All curves and figures are of photos that the index does not hold.
Few species have no label, so those that have one are asked for a second time without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine import Group, Taxon
from engine.groups import group_of
from engine.judge import ClassifierAnswer
from engine.known import (
    KNOWN_FROM,
    STRANGERS,
    KnownCurve,
    either,
    expected_trust,
    fit_curve,
    trust_in_likeliest,
)
from engine.mixing import mix, of_group, route
from engine.rollup import CERTAINTY
from engine.vote import Evidence, Vote, VoteSettings, vote
from tools.crossvalidation import ProjectionChoice, fit_by_folds, species_out_of_fold
from tools.engine_options import HomeOption, ModelsOption, engine_settings
from tools.index_unlabelled import UnlabelledOption
from tools.known_fit import fit_known, name_votes
from tools.scoring import expected_calibration_error
from tools.study_material import StudyMaterial, without_label

OTHERS = "no organism"
_ASSUMED = (0.0, 0.1, 0.15, 0.2, 0.25, 0.33, 0.5)
_MET = (0.0, 0.1, 0.2, 0.33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One photo: what it shows, and how likely index and classifier find it known.

    ``indexed`` and ``labelled`` say whether the index held its species and whether a
    classifier has a label for it, ``unlabelled`` whether that was taken away.
    ``taxon`` is None for a photo that shows no organism.
    ``likeness`` is how likely the index alone finds it known by how near its own best species
    lies, ``index`` how likely it finds the likeliest species of all one that it holds, None
    where it has nothing to say of that. ``best`` is the greatest probability that both together
    give to a species if they know it, and ``right`` whether that is the one.
    """

    taxon: Taxon | None
    indexed: bool
    labelled: bool
    unlabelled: bool
    likeness: float
    index: float | None
    classifier: float
    best: float
    right: bool

    @property
    def before(self) -> float:
        """How likely one of the two knows it by likeness, which is how it was judged before."""
        return either(self.likeness, self.classifier)

    @property
    def together(self) -> float:
        """How likely it is that one of the two knows it."""
        return either(self.index or 0.0, self.classifier)

    @property
    def trust(self) -> float:
        """How likely its likeliest species is one that is known, as ``engine.judge`` decides.

        That is, if every second photo were of one that is not.
        """
        return self.together if self.index is None else self.index

    def probability(self, strangers: float) -> float:
        """How probable its likeliest species is, if so many photos are of ``strangers``."""
        return self.best * (expected_trust(self.trust, strangers) if strangers else 1.0)

    def named(self, strangers: float) -> bool:
        """Tell whether the verdict is a species, as ``engine.rollup`` decides."""
        return self.together >= KNOWN_FROM and self.probability(strangers) >= CERTAINTY

    @property
    def group(self) -> str:
        """The group of what it shows."""
        return OTHERS if self.taxon is None else group_of(self.taxon).value


def study_known(
    photos: Annotated[Path, typer.Argument(help="Folder with a MANIFEST.csv.")],
    embedder: Annotated[
        str, typer.Option(help="The catalog's name of an embedder, or several with + between.")
    ],
    others: Annotated[
        Path | None,
        typer.Option(help="Folder of JPEGs that show no organism.", exists=True, file_okay=False),
    ] = None,
    unlabelled: UnlabelledOption = None,
    split: Annotated[str, typer.Option(help="Which split; not the one you measure on.")] = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare what index and classifiers know, alone and together, of species left out."""
    material = StudyMaterial.open(photos, split, embedder, engine_settings(models, home))
    strangers = sorted(others.glob("*.jpg")) if others else []
    features, answers = material.ask([path.read_bytes() for path in strangers])
    shown = [photo.taxon for photo in material.photos]
    judged = judge_folds(
        shown, features, answers, ProjectionChoice(unlabelled=material.embed(unlabelled))
    )
    console = Console()
    console.print(_areas([photo for photo in judged if not photo.unlabelled]))
    console.print(_rates(judged))
    console.print(_verdicts(judged))
    console.print(_errors(judged))


def judge_folds(
    shown: Sequence[Taxon],
    features: NDArray[np.float32],
    answers: Sequence[dict[Group, ClassifierAnswer]],
    choice: ProjectionChoice | None = None,
) -> list[Judged]:
    """Ask an index that lacks them about species left out, others' photos, and strangers.

    ``features`` and ``answers`` go on after the labelled photos' with those of photos that
    show no organism. ``choice`` is how the index's projection is fitted.
    """
    choice = choice or ProjectionChoice()
    species = list(dict.fromkeys(shown))
    place = {taxon: number for number, taxon in enumerate(species)}
    labels = np.array([place[taxon] for taxon in shown], np.int64)
    # At the temperature that it comes with, the index would be surer than one that is built.
    settings = fit_by_folds(features[: len(shown)], labels, choice)
    judged: list[Judged] = []
    folds = species_out_of_fold(
        features[: len(shown)],
        labels,
        choice,
        neighbours=settings.neighbours,
        strangers=features[len(shown) :],
    )
    for inside, outside, found in folds:
        ends = len(inside), len(inside) + len(outside)
        parts = found[: ends[0]], found[ends[0] : ends[1]]
        curves = _Curves(
            likeness=fit_curve(*(_likeness(part, settings) for part in parts)),
            nearness=fit_known(*parts, species, settings).nearness_curve,
        )
        asked = [*inside, *outside, *range(len(shown), len(features))]
        for position, evidence in zip(asked, found, strict=True):
            taxon = shown[position] if position < len(shown) else None
            said = vote(evidence, settings)
            indexed, told = position in inside, answers[position]
            judged.append(_judge(taxon, indexed, said, curves, species, told))
            if taxon is not None and judged[-1].labelled and not indexed:
                fewer = without_label(told, taxon)
                again = _judge(taxon, indexed, said, curves, species, fewer)
                judged.append(replace(again, labelled=False, unlabelled=True))
    return judged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curves:
    likeness: KnownCurve
    nearness: KnownCurve


def _likeness(found: Sequence[Evidence], settings: VoteSettings) -> NDArray[np.float64]:
    return np.array([vote(evidence, settings).known_score for evidence in found])


def _judge(
    taxon: Taxon | None,
    indexed: bool,
    said: Vote,
    curves: _Curves,
    species: Sequence[Taxon],
    answers: dict[Group, ClassifierAnswer],
) -> Judged:
    named = name_votes(said, species)
    group = route({g: answer.seen for g, answer in answers.items()}, named)
    mixture = of_group(named, group)
    if group in answers:
        answer = answers[group]
        mixture = mix(answer.probabilities, mixture, answer.classifier.labels)
    distances = dict(zip(named, said.distances.tolist(), strict=True))
    likeliest = max(mixture, key=lambda one: mixture[one], default=None)
    return Judged(
        taxon=taxon,
        indexed=indexed,
        labelled=any(taxon in answer.classifier.labels for answer in answers.values()),
        unlabelled=False,
        likeness=curves.likeness(said.known_score),
        index=trust_in_likeliest(mixture, distances, curves.nearness),
        classifier=answers[group].known_score if group in answers else 0.0,
        best=0.0 if likeliest is None else mixture[likeliest],
        right=likeliest is not None and likeliest == taxon,
    )


_WAYS: dict[str, Callable[[Judged], float]] = {
    "the index alone, by likeness": lambda photo: photo.likeness,
    "the index alone, by nearness": lambda photo: photo.index or 0.0,
    "the classifier alone": lambda photo: photo.classifier,
    "either, by likeness (before)": lambda photo: photo.before,
    "either, by nearness (default)": lambda photo: photo.together,
    "trust in the species (default)": lambda photo: photo.trust,
}


def _areas(judged: Sequence[Judged]) -> Table:
    """Set out how well each score parts known species from those of the same group, and all."""
    from sklearn.metrics import roc_auc_score

    groups = [group.value for group in Group if group is not Group.AUTO]
    table = Table("AUROC of known", *groups, "all species", OTHERS)
    known = [photo for photo in judged if photo.indexed or photo.labelled]
    rest = [photo for photo in judged if not (photo.indexed or photo.labelled)]
    parts = [
        ([p for p in known if p.group == g], [p for p in rest if p.group == g]) for g in groups
    ]
    parts.append((known, [photo for photo in rest if photo.taxon is not None]))
    parts.append((known, [photo for photo in rest if photo.taxon is None]))
    for name, way in _WAYS.items():
        row = []
        for inside, outside in parts:
            truth = [True] * len(inside) + [False] * len(outside)
            scores = [way(photo) for photo in (*inside, *outside)]
            row.append(f"{roc_auc_score(truth, scores):.3f}" if inside and outside else "-")
        table.add_row(name, *row)
    return table


def _rates(judged: Sequence[Judged]) -> Table:
    """Set out how many of each kind are called known, at several thresholds."""
    kinds = _kinds(judged)
    table = Table("called known, from", *kinds)
    for threshold in (0.3, KNOWN_FROM, 0.5, 0.6):
        cells = (_share([p.together >= threshold for p in part]) for part in kinds.values())
        table.add_row(f"{threshold}{' (default)' * (threshold == KNOWN_FROM)}", *cells)
    return table


def _verdicts(judged: Sequence[Judged]) -> Table:
    """Set out how many of each kind are given a species, at several shares of strangers."""
    kinds = _kinds(judged)
    table = Table("given a species, strangers", *kinds)
    for strangers in _ASSUMED:
        cells = (_share([p.named(strangers) for p in part]) for part in kinds.values())
        table.add_row(_name_share(strangers), *cells)
    return table


def _errors(judged: Sequence[Judged]) -> Table:
    """Set out how far off probabilities are, by the shares of strangers assumed and met."""
    kinds = _kinds(judged)
    known, strange = kinds["species indexed"], kinds["any species, had it no label"]
    table = Table("error, strangers assumed", *(f"{met:.0%} met" for met in _MET))
    for assumed in _ASSUMED:
        outcomes = [(p.probability(assumed), p.right) for p in known]
        outcomes += [(p.probability(assumed), False) for p in strange]
        cells = []
        for met in _MET:
            weights = [(1 - met) / len(known)] * len(known) + [met / len(strange)] * len(strange)
            cells.append(f"{expected_calibration_error(outcomes, weights):.3f}")
        table.add_row(_name_share(assumed), *cells)
    return table


def _name_share(strangers: float) -> str:
    return f"{strangers:.0%}{' (default)' * (strangers == STRANGERS)}"


def _kinds(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    others = [p for p in judged if p.taxon and not p.indexed and not p.labelled]
    return {
        "species indexed": [p for p in judged if p.indexed],
        "species with a label only": [p for p in judged if p.labelled and not p.indexed],
        "other species": [p for p in others if not p.unlabelled],
        "any species, had it no label": others,
        OTHERS: [p for p in judged if p.taxon is None],
    }


def _share(values: Sequence[bool]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"
