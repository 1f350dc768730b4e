"""What the studies of index and networks together look at: labelled photos, and who is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import EngineError, EngineSettings, Group, Taxon, TaxonTable
from engine.batch import Batch
from engine.embedder import Embedder, open_embedder
from engine.hosting import host_models
from engine.index.projection import TooFewPhotos
from engine.judge import ClassifierAnswer
from engine.network import Networks
from engine.networks.classifier import Classifier, Scores
from tools.bar import Bar, counted
from tools.engine_options import fail, refuse
from tools.index.unlabelled import embed_unlabelled, list_unlabelled
from tools.manifest import LabelledPhoto, read_references
from tools.sources import SourceError, SourcePhoto
from tools.usable_photos import PhotoBytes, PhotoFile, decode_usable, usable

_NEARLY_NONE = 1e-12
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyMaterial:
    """Labelled photos, and the networks to ask about them, each open once."""

    photos: list[SourcePhoto]
    embedder: Embedder
    classifiers: Mapping[Group, Classifier]

    @classmethod
    def open(
        cls, photos: Path, split: str, embedder: str, settings: EngineSettings
    ) -> StudyMaterial:
        """List a split's photos; open ``embedder``, as the catalog names it, and classifiers.

        Exits with one sentence where they cannot be used.
        """
        taxa = TaxonTable.load()
        networks = Networks(settings)
        try:
            labelled = usable(read_references(photos, split, taxa))
            opened = open_embedder(embedder, settings, networks)
        except (SourceError, EngineError) as error:
            raise refuse(str(error)) from error
        classifiers = open_classifiers(settings, taxa, networks)
        return cls(photos=labelled, embedder=opened, classifiers=classifiers)

    def ask(
        self, others: Sequence[PhotoFile] = ()
    ) -> tuple[NDArray[np.float32], list[dict[Group, ClassifierAnswer]]]:
        """Return the ``(n, width)`` features of photos, and what each classifier says of each.

        Of the labelled photos, and after them of those ``others`` that are usable.
        """
        features, answers = [], []
        asked: list[PhotoBytes] = [*self.photos, *others]
        for _, photo in decode_usable(counted(asked, "Asking networks")):
            batch = Batch([photo])
            features.append(self.embedder.embed(batch)[0])
            answers.append(
                {g: ClassifierAnswer.of(c, c.classify(batch)) for g, c in self.classifiers.items()}
            )
        return np.stack(features), answers

    def embed(self, unlabelled: Path | None) -> NDArray[np.float32] | None:
        """Return the ``(n, width)`` features of a folder's photos; None where there is no folder.

        Exits with status 2 and one sentence where it has none.
        """
        if unlabelled is None:
            return None
        try:
            photos = list_unlabelled(unlabelled)
            with Bar() as bar:
                advance = partial(bar.show, "Embedding those without a label")
                return embed_unlabelled(photos, self.embedder, None, advance)
        except SourceError as error:
            raise refuse(str(error)) from error


@contextmanager
def enough_photos() -> Iterator[None]:
    """Exit with status 1 and one sentence where photos are too few for what is fitted to them."""
    try:
        yield
    except TooFewPhotos as error:
        raise fail(str(error)) from error


def open_classifiers(
    settings: EngineSettings, taxa: TaxonTable, networks: Networks
) -> dict[Group, Classifier]:
    """Open the networks that name species, by group; exit with a sentence if there are none."""
    classifiers = host_models(settings, taxa, networks).classifiers
    if not classifiers:
        raise fail("No network that names species is here: run `fieldmark models pull`.")
    return classifiers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """Labelled photos' ``features`` ``(n, width)``, ``labels`` and ``groups`` ``(n,)``."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]


def embed_labelled(labelled: Sequence[LabelledPhoto], embedder: Embedder) -> Embedded:
    """Embed those photos of a manifest that are usable.

    Species are numbered by their names' alphabet.

    Raises:
        PhotoRejected: not one of them is.
    """
    photos, features = [], []
    pairs = decode_usable(counted(labelled, "Embedding"))
    while batch := list(islice(pairs, _BATCH)):
        photos += [labelled for labelled, _ in batch]
        features.append(embedder.embed(Batch([decoded for _, decoded in batch])))
    _, labels = np.unique([photo.scientific_name for photo in photos], return_inverse=True)
    return Embedded(
        features=np.concatenate(features),
        labels=labels,
        groups=np.array([photo.group for photo in photos]),
    )


def without_label(
    answers: Mapping[Group, ClassifierAnswer], taxon: Taxon
) -> dict[Group, ClassifierAnswer]:
    """Return what classifiers would say that had no label for ``taxon``.

    The odds of everything else are as they were, as if a network's last layer lacked its row.
    """
    return {group: _without(answer, taxon) for group, answer in answers.items()}


def _without(answer: ClassifierAnswer, taxon: Taxon) -> ClassifierAnswer:
    if taxon not in answer.classifier.labels:
        return answer
    of_others = [label != taxon for label in answer.classifier.taxa]
    species = np.where(of_others, answer.scores.species, 0)
    total = max(float(species.sum()) + answer.scores.background, _NEARLY_NONE)
    scores = Scores(species=species / total, background=answer.scores.background / total)
    return ClassifierAnswer.of(answer.classifier, scores)
