"""Open every network of the catalog that this machine has, and say why others are not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from engine.batch import BLANK, Batch
from engine.catalog import ModelEntry, load_catalog
from engine.contracts import EngineError, Group, ModelInfo, Taxon
from engine.network import Networks
from engine.networks.classifier import Classifier
from engine.networks.hub import ModelMissing
from engine.networks.runtime import Network, NetworkUnreadable
from engine.settings import EngineSettings
from engine.taxonomy.taxa import TaxonTable

log = logging.getLogger(__name__)

Labels = tuple[Taxon | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """The networks that a worker has open, by group, and what is to be said of each entry."""

    classifiers: dict[Group, Classifier]
    models: tuple[ModelInfo, ...]


def host_models(settings: EngineSettings, taxa: TaxonTable, networks: Networks) -> Hosted:
    """Open what the catalog lists; a network that cannot answer is reported, never faked."""
    classifiers: dict[Group, Classifier] = {}
    models: list[ModelInfo] = []
    for entry in load_catalog(settings.catalog).values():
        if entry.labels is None or entry.classes is None:
            continue  # only makes feature vectors
        info = ModelInfo(
            name=entry.name,
            title=entry.title,
            group=entry.group,
            version=entry.version,
            classes=entry.classes,
        )
        try:
            _, network = networks.open(entry)
            labels = taxa.labels(entry.labels)
            classifier = _name_classes(entry, info, network, labels)
        except (EngineError, NetworkUnreadable) as error:
            level = logging.INFO if isinstance(error, ModelMissing) else logging.WARNING
            log.log(level, "No %s network: %s", entry.name, error)
            models.append(replace(info, problem=str(error)))
        else:
            classifiers.setdefault(entry.group, classifier)
            models.append(classifier.info)
    return Hosted(classifiers=classifiers, models=tuple(models))


def _name_classes(
    entry: ModelEntry, info: ModelInfo, network: Network, labels: Labels
) -> Classifier:
    info = replace(info, runtime=network.description)
    classifier = Classifier(entry, network, labels, info)
    classifier.probabilities(Batch([BLANK]))  # shows now if the width is wrong, and warms it up
    return classifier
