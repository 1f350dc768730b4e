"""One worker's work: decode -> classify, embed and search -> judge -> roll up."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from engine.batch import Batch
from engine.contracts import (
    EngineError,
    Group,
    Identification,
    IndexLost,
    Learnt,
    ModelInfo,
    ModelUnavailable,
    OperatorError,
    PhotoRejected,
    ReferencePhoto,
    Taxon,
)
from engine.decode import Photo, decode
from engine.hosting import host_models
from engine.index.folder import NO_INDEX, manifest_stamp, may_be_index
from engine.judge import ClassifierAnswer, judge
from engine.network import Networks, begin_networks
from engine.networks.classifier import Classifier
from engine.rollup import CERTAINTY, roll_up
from engine.settings import EngineSettings
from engine.taxonomy.taxa import TaxonTable

if TYPE_CHECKING:
    from engine.generic import GenericClassifier, IndexAnswer

log = logging.getLogger(__name__)

_EMPTY = (
    "My index holds no photos any more: teach it some, or have whoever runs me add them with "
    "`fieldmark index add`."
)


class Pipeline:
    """Everything a worker has open, and the way of a photo through it.

    ``networks`` are those that are being opened already.
    """

    def __init__(self, settings: EngineSettings, networks: Networks | None = None) -> None:
        networks = networks or begin_networks(settings)
        self._networks = networks
        self._taxa = TaxonTable.load()
        hosted = host_models(settings, self._taxa, networks)
        self._classifiers = hosted.classifiers
        self._hosted = hosted.models
        self._index_folder = settings.index_folder
        # Taken before it is opened: what comes meanwhile is another than was found here.
        self._index_found = manifest_stamp(self._index_folder)
        self._generic: GenericClassifier | None = None
        self._no_generic: EngineError | None = None
        try:
            self._generic = _open_generic(settings, networks, starter=not hosted.classifiers)
        except EngineError as error:
            self._no_generic = error

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """What the catalog lists, and the index."""
        if self._generic is not None:
            info = self._generic.info
            empty = self._generic.is_empty
            return (*self._hosted, replace(info, problem=_EMPTY) if empty else info)
        index = ModelInfo(
            name="index",
            title="Index",
            group=Group.GENERIC,
            version="",
            classes=0,
            problem=str(self._no_generic),
        )
        return (*self._hosted, index)

    def identify(
        self,
        photos: Sequence[bytes],
        group: Group,
        *,
        limit: int = 5,
        preview: bool = False,
        certainty: float = CERTAINTY,
    ) -> Identification:
        """Identify one individual from one or several photos of it.

        ``certainty`` is how probable the verdict must be.

        Raises:
            PhotoRejected: none of the photos can be used; where some can, the others are left
                out, and a note says why.
            ModelUnavailable: nothing on this machine answers for ``group``.
            IndexLost: the index is another than this process opened, and cannot be taken up.
        """
        started = perf_counter()
        self._take_up_index()
        classifiers = self._classifiers_for(group)
        decoded, left_out = _decode_all(photos)
        batch = Batch(decoded)
        decoded_at = perf_counter()
        networks = {
            name: ClassifierAnswer.of(classifier, classifier.classify(batch))
            for name, classifier in classifiers.items()
        }
        classified_at = perf_counter()
        generic = self._answering_index
        index = None if generic is None else generic.classify(batch, group)
        searched_at = perf_counter()
        judgement = judge(group, networks, index)
        answer = Identification(
            candidates=judgement.candidates(limit, index),
            verdict=None,
            group=judgement.group,
            known=judgement.known,
            known_score=round(judgement.known_score, 4),
            trust=judgement.trust,
            models=judgement.models,
            timings_ms={
                "decode": round((decoded_at - started) * 1000, 1),
                "classify": round((classified_at - decoded_at) * 1000, 1),
                "search": round((searched_at - classified_at) * 1000, 1),
                "total": round((perf_counter() - started) * 1000, 1),
            },
            preview=decoded[0].preview() if preview else None,
            photos=len(decoded),
            notes=(*_notes(decoded), *left_out, *judgement.notes, *_notes_of(index)),
        )
        if not judgement.known:
            return answer
        verdict = roll_up(
            judgement.probabilities.items(),
            self._taxa.ancestor,
            certainty=certainty,
            trust=judgement.trust,
        )
        return replace(answer, verdict=verdict)

    def learn(
        self,
        photo: bytes,
        taxon: Taxon,
        reference: ReferencePhoto,
        identity: str | None = None,
        *,
        preview: bool = False,
        until: float = math.inf,
    ) -> Learnt:
        """Add a labelled photo to the index, as ``Engine.learn`` says, but not after ``until``.

        Raises:
            PhotoRejected: the photo cannot be used.
            ModelUnavailable: there is no index on this machine.
            IndexBusy: another process is changing the index.
            IndexWriteFailed: the index cannot be written.
            EngineTimeout: it is later than ``until``, on the monotonic clock.
        """
        index = self._index_to_change()
        decoded = decode(photo)
        learnt = index.learn(Batch([decoded]), taxon, reference, identity, until=until)
        return replace(learnt, preview=decoded.preview() if preview else None)

    def forget(self, identity: str) -> bool:
        """Take the photo of this ``identity`` out of the index; tell whether it was there.

        Raises:
            ModelUnavailable: there is no index on this machine.
            IndexRefused: it was merged into too large a segment.
            IndexWriteFailed: the index cannot be written.
        """
        return self._index_to_change().forget(identity)

    def _index_to_change(self) -> GenericClassifier:
        self._take_up_index()
        if self._generic is None:
            raise ModelUnavailable(Group.GENERIC, self._why_no_index())
        return self._generic

    def let_go(self, unasked_for_s: float) -> bool:
        """Free the networks that nobody has asked for so long; tell whether there were any."""
        return self._networks.let_go(unasked_for_s)

    def _take_up_index(self) -> None:
        """Have the index as it is now.

        Raises:
            IndexLost: that takes a fresh process. One that finds it as this one did must not say
                so again.
        """
        opened = self._generic is not None and self._generic.index.folder == self._index_folder
        if not opened and manifest_stamp(self._index_folder) != self._index_found:
            raise IndexLost(f"the index in {self._index_folder} is another than at its start.")
        if self._generic is not None:
            self._generic.refresh()

    @property
    def _answering_index(self) -> GenericClassifier | None:
        """The index, unless its last photo was taken out: it can be taught, but not asked."""
        return None if self._generic is None or self._generic.is_empty else self._generic

    def _classifiers_for(self, group: Group) -> dict[Group, Classifier]:
        if group is Group.AUTO and (self._classifiers or self._answering_index):
            return self._classifiers
        if group in self._classifiers:
            return {group: self._classifiers[group]}
        if self._answering_index is not None:
            return {}
        raise ModelUnavailable(group, self._why_unavailable(group))

    def _why_no_index(self) -> str:
        if self._generic is not None:
            return _EMPTY
        error = self._no_generic
        return error.public if isinstance(error, OperatorError) else OperatorError.public

    def _why_unavailable(self, group: Group) -> str:
        if not self._classifiers:
            if self._index_found:
                return self._why_no_index()
            return (
                "I have no model on this machine yet. Whoever runs me can fetch them with "
                "`fieldmark models pull`."
            )
        why = f"I have no model for the group {group.value} here."
        if group is Group.GENERIC:
            why = f"{why} {self._why_no_index()}"
        available = ", ".join(g.value for g in self._classifiers)
        return f"{why} I can look for: {available}."


def _open_generic(
    settings: EngineSettings, networks: Networks, *, starter: bool
) -> GenericClassifier:
    """Open the index; ``starter`` is where nothing else answers.

    Raises:
        EngineError: there is none, or it cannot be used, which is logged.
    """
    folder = settings.index_folder
    shards = None
    if settings.index is None and not may_be_index(folder):
        if not starter:
            raise OperatorError(NO_INDEX, public=NO_INDEX)
        from engine.starter import starter_index

        folder = starter_index(settings)
    elif settings.backend == "ray" and settings.index_shards > 1:
        from engine.cluster.ray_shards import RayShards

        shards = RayShards(settings)
    # FAISS takes a while to import, and memory, of which a worker without an index needs neither.
    from engine.generic import GenericClassifier

    try:
        return GenericClassifier.open(folder, settings, networks, shards)
    except EngineError as error:
        log.warning("The index is not used: %s", error)
        raise


def _decode_all(photos: Sequence[bytes]) -> tuple[list[Photo], list[str]]:
    """Decode what can be; say of each of the others that it is left out, and why.

    Raises:
        PhotoRejected: none can be.
    """
    decoded: list[Photo] = []
    refused: list[PhotoRejected] = []
    for data in photos:
        try:
            decoded.append(decode(data))
        except PhotoRejected as error:
            refused.append(error)
    if not decoded:
        raise refused[0]
    return decoded, [f"A photo is left out: {error.reason}" for error in refused]


def _notes_of(index: IndexAnswer | None) -> tuple[str, ...]:
    return () if index is None else index.notes


def _notes(decoded: Sequence[Photo]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for photo in decoded for note in photo.notes))
