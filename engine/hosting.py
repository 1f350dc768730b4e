"""Open every network of the catalog that this machine has, and say why others are not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from engine.catalog import ModelEntry, load_catalog
from engine.classifier import Classifier
from engine.contracts import EngineError, Group, ModelInfo
from engine.decode import Photo
from engine.hub import locate
from engine.preparation import choose_runtime
from engine.runtime import Network, NetworkUnreadable, open_network
from engine.settings import EngineSettings
from engine.taxa import TaxonTable

log = logging.getLogger(__name__)

_BLANK = Photo(pixels=np.zeros((64, 64, 3), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """The networks that a worker has open, by group, and what is to be said of each entry."""

    classifiers: dict[Group, Classifier]
    models: tuple[ModelInfo, ...]


def host_models(settings: EngineSettings, taxa: TaxonTable) -> Hosted:
    """Open what the catalog lists; a network that cannot answer is reported, never faked."""
    classifiers: dict[Group, Classifier] = {}
    models: list[ModelInfo] = []
    for entry in load_catalog(settings.catalog).values():
        info = ModelInfo(
            name=entry.name,
            title=entry.title,
            group=entry.group,
            version=entry.version,
            classes=entry.classes,
        )
        try:
            classifier = _open_classifier(entry, info, settings, taxa)
        except (EngineError, NetworkUnreadable) as error:
            log.info("No %s network: %s", entry.name, error)
            models.append(replace(info, problem=str(error)))
        else:
            classifiers.setdefault(entry.group, classifier)
            models.append(classifier.info)
    return Hosted(classifiers=classifiers, models=tuple(models))


def _open_classifier(
    entry: ModelEntry, info: ModelInfo, settings: EngineSettings, taxa: TaxonTable
) -> Classifier:
    module = locate(entry, settings)
    choice = choose_runtime(module, settings)
    network: Network
    try:
        network = open_network(
            module.folder,
            runtime=choice.runtime,
            precision=choice.precision,
            threads=settings.threads,
        )
    except NetworkUnreadable as error:
        if settings.runtime != "auto" or choice.runtime == "tensorflow":
            raise
        log.warning("TensorFlow serves %s, because %s", entry.name, error)
        network = open_network(module.folder, runtime="tensorflow", threads=settings.threads)
    info = replace(info, runtime=network.description)
    classifier = Classifier(entry, network, taxa.labels(entry.labels), info)
    classifier.probabilities([_BLANK])  # shows now if the width is wrong, and warms it up
    return classifier
