"""``fieldmark study known``: what tells photos of known species from others.

Each tenth of the species in turn is one that the index lacks. A photo's species is known
where the index holds it or a classifier has a label for it; everything else, and every photo
of ``--others``, is not. All curves and figures are of photos that the index does not hold.
Few species have no label, so those that have one are asked for a second time without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from engine import Group, Taxon
from engine.judge import ClassifierAnswer, choose_group, combine_answers
from engine.mixing import of_group
from tools.crossvalidation import ProjectionChoice, fit_by_folds, species_out_of_fold
from tools.engine_options import (
    EmbedderOption,
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
)
from tools.index.unlabelled import UnlabelledOption
from tools.known_fit import IndexSays, fit_known
from tools.study.known_tables import Judged, areas, errors, rates, verdicts
from tools.study.material import StudyMaterial, enough_photos, without_label
from tools.usable_photos import PhotoFile


def study_known(
    photos: PhotosArgument,
    embedder: EmbedderOption,
    others: Annotated[
        Path | None,
        typer.Option(help="Folder of JPEGs that show no organism.", exists=True, file_okay=False),
    ] = None,
    unlabelled: UnlabelledOption = None,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare what index and classifiers know, alone and together, of species left out."""
    material = StudyMaterial.open(photos, split, embedder, engine_settings(models, home))
    strangers = sorted(others.glob("*.jpg")) if others else []
    features, answers = material.ask([PhotoFile(path=path) for path in strangers])
    shown = [photo.taxon for photo in material.photos]
    choice = ProjectionChoice(unlabelled=material.embed(unlabelled))
    with enough_photos():
        judged = judge_folds(shown, features, answers, choice)
    console = Console()
    console.print(areas([photo for photo in judged if not photo.unlabelled]))
    console.print(rates(judged))
    console.print(verdicts(judged))
    console.print(errors(judged))


def judge_folds(
    shown: Sequence[Taxon],
    features: NDArray[np.float32],
    answers: Sequence[dict[Group, ClassifierAnswer]],
    choice: ProjectionChoice | None = None,
) -> list[Judged]:
    """Ask an index that lacks them about species left out, others' photos, and strangers.

    ``features`` and ``answers`` go on after the labelled photos' with those of photos that
    show no organism. ``choice`` is how the index's projection is fitted.

    Raises:
        TooFewPhotos: for a projection, or of one kind in a fold.
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
        fitted = fit_known(*parts, species, settings)
        asked = [*inside, *outside, *range(len(shown), len(features))]
        for position, evidence in zip(asked, found, strict=True):
            taxon = shown[position] if position < len(shown) else None
            indexed, told = position in inside, answers[position]
            says = IndexSays.of(evidence, fitted, species)
            judged.append(_judge(taxon, indexed, says, told))
            if taxon is not None and judged[-1].labelled and not indexed:
                again = _judge(taxon, indexed, says, without_label(told, taxon))
                judged.append(replace(again, labelled=False, unlabelled=True))
    return judged


def _judge(
    taxon: Taxon | None, indexed: bool, says: IndexSays, answers: dict[Group, ClassifierAnswer]
) -> Judged:
    group = choose_group(answers, says)
    if group in answers:
        mixture = combine_answers(answers[group], says, group)
    else:
        mixture = of_group(says.probabilities, group)
    likeliest = max(mixture, key=lambda one: mixture[one], default=None)
    return Judged(
        taxon=taxon,
        indexed=indexed,
        labelled=any(taxon in answer.classifier.labels for answer in answers.values()),
        unlabelled=False,
        index=says.trust(mixture),
        classifier=answers[group].known_score if group in answers else 0.0,
        best=0.0 if likeliest is None else mixture[likeliest],
        right=likeliest is not None and likeliest == taxon,
    )
