"""``fieldmark study networks``: the comparisons behind two choices in the engine.

How a photo is prepared (``engine.decode.Photo.resized``) and which network answers for
``auto`` (``engine.mixing.route``), each against what else it could have been.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from engine import Group, PhotoRejected, TaxonTable
from engine.batch import Batch
from engine.decode import Photo
from engine.network import Networks
from engine.networks.classifier import Classifier, Scores
from tools.bar import counted
from tools.engine_options import (
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
    refuse,
)
from tools.manifest import GROUP_FOLDERS, LabelledPhoto, ManifestInvalid, read_manifest
from tools.study.material import open_classifiers
from tools.usable_photos import decode_usable

View = Callable[[Photo], Photo]
Classifiers = dict[Group, Classifier]


def _cropped(share_of_width: float, share_of_height: float) -> View:
    def crop(photo: Photo) -> Photo:
        width, height = photo.image.size
        top, left = (
            round(height * (1 - share_of_height) / 2),
            round(width * (1 - share_of_width) / 2),
        )
        return Photo(image=photo.image.crop((left, top, width - left, height - top)))

    return crop


def _square(photo: Photo) -> Photo:
    width, height = photo.image.size
    side = min(height, width)
    return _cropped(side / width, side / height)(photo)


def _mirrored(photo: Photo) -> Photo:
    return Photo(image=photo.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


VIEWS: dict[str, tuple[View, ...]] = {
    "whole photo": (_cropped(1, 1),),
    "central crop of 87.5 %": (_cropped(0.875, 0.875),),
    "central square": (_square,),
    "mean of whole and mirrored": (_cropped(1, 1), _mirrored),
}


def study_networks(
    photos: PhotosArgument,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare ways to prepare a photo, and ways to choose the group that answers."""
    taxa = TaxonTable.load()
    settings = engine_settings(models, home)
    classifiers = open_classifiers(settings, taxa, Networks(settings))
    labels = {classifier.entry.labels for classifier in classifiers.values()}
    try:
        listed = [p for p in read_manifest(photos, split, taxa) if p.label_set in labels]
        usable = list(decode_usable(counted(listed, "Decoding")))
    except (ManifestInvalid, PhotoRejected) as error:
        raise refuse(str(error)) from error
    labelled, decoded = [truth for truth, _ in usable], [photo for _, photo in usable]
    console = Console()
    console.print(_compare_views(classifiers, labelled, decoded))
    console.print(_compare_routes(classifiers, labelled, decoded))


def _compare_views(
    classifiers: Classifiers, labelled: Sequence[LabelledPhoto], decoded: Sequence[Photo]
) -> Table:
    table = Table("top-1", *(group.value for group in classifiers))
    for name, views in VIEWS.items():
        row = []
        for classifier in classifiers.values():
            pairs = [
                (truth.taxon, photo)
                for truth, photo in zip(labelled, decoded, strict=True)
                if truth.label_set == classifier.entry.labels
            ]
            right = [
                classifier.taxa[_best(classifier, [view(photo) for view in views])] == taxon
                for taxon, photo in pairs
            ]
            row.append(_share(right))
        table.add_row(name, *row)
    return table


def _share(right: Sequence[bool]) -> str:
    return f"{sum(right) / len(right):.3f}" if right else "-"


def _best(classifier: Classifier, views: Sequence[Photo]) -> int:
    species: NDArray[np.float64] = classifier.classify(Batch(views)).species
    return int(species.argmax())


def _compare_routes(
    classifiers: Classifiers, labelled: Sequence[LabelledPhoto], decoded: Sequence[Photo]
) -> Table:
    scores = [
        {group: classifier.classify(Batch([photo])) for group, classifier in classifiers.items()}
        for photo in counted(decoded, "Choosing groups")
    ]
    rules: dict[str, Callable[[dict[Group, Scores]], Group]] = {
        "best species against background": lambda s: max(
            s, key=lambda group: s[group].best / s[group].background
        ),
        "best species": lambda s: max(s, key=lambda group: s[group].best),
        "least background": lambda s: min(s, key=lambda group: s[group].background),
    }
    table = Table("right group", *(group.value for group in classifiers))
    for name, rule in rules.items():
        row = []
        for group in classifiers:
            chosen = [
                rule(s)
                for s, truth in zip(scores, labelled, strict=True)
                if truth.group == GROUP_FOLDERS[group]
            ]
            row.append(_share([c is group for c in chosen]))
        table.add_row(name, *row)
    return table
