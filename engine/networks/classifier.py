"""A Hub classifier: pixels in, one calibrated probability per label out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.batch import Batch
from engine.catalog import ModelEntry
from engine.contracts import ModelInfo, Taxon
from engine.networks.runtime import Network, NetworkUnreadable, choose_output


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One network's probabilities for one individual.

    ``species`` is ``(labels,)`` float64, without ``background``; together they sum to 1.
    """

    species: NDArray[np.float64]
    background: float

    @property
    def best(self) -> float:
        """The probability of the likeliest species."""
        return float(self.species.max())


class Classifier:
    """One of the catalog's networks, open, with its labels resolved to taxa."""

    def __init__(
        self, entry: ModelEntry, network: Network, labels: Sequence[Taxon | None], info: ModelInfo
    ) -> None:
        """Join a network and its labels.

        Raises:
            NetworkUnreadable: the taxon table has another number of labels than the catalog,
                or ``background`` is not the last of them.
        """
        if len(labels) != entry.width or labels[-1] is not None or None in labels[:-1]:
            raise NetworkUnreadable(
                f"The taxon table has {len(labels)} labels for {entry.labels}, "
                f"the catalog says {entry.width}: one of them is from another version."
            )
        self.entry = entry
        self.info = info
        self.taxa: tuple[Taxon, ...] = tuple(taxon for taxon in labels if taxon is not None)
        self.labels = frozenset(self.taxa)
        self._network = network

    def classify(self, batch: Batch) -> Scores:
        """Score one individual from its photos, each of which counts the same.

        Raises:
            NetworkUnreadable: the network's answer has not the width of its labels.
        """
        probabilities = sharpen(self.probabilities(batch), self.entry.temperature).mean(axis=0)
        return Scores(species=probabilities[:-1], background=float(probabilities[-1]))

    def probabilities(self, batch: Batch) -> NDArray[np.float64]:
        """Return the network's own ``(n, classes)`` probabilities of each photo, not calibrated.

        Raises:
            NetworkUnreadable: the network's answer has not the width of its labels.
        """
        outputs = batch.through(self._network, self.entry.input_size)
        return choose_output(outputs, self.entry.width).astype(np.float64)


def sharpen(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Rescale ``(n, classes)`` probabilities by a temperature; rows sum to 1 again.

    ``p ** (1 / T)``, normalised: temperature scaling (Guo et al. 2017, arXiv:1706.04599)
    of a network that gives probabilities instead of logits.
    """
    scaled = np.power(np.clip(probabilities, 1e-12, 1.0), 1.0 / temperature)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), np.float64)
