"""Photos that go through the networks together, and what each network makes of them.

A network may be asked twice about the same photos, once as a classifier and once for the
features that an index is searched with. It runs once: both are outputs of one run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.decode import Photo
from engine.networks.runtime import Network, Outputs

BLANK = Photo.of(np.zeros((64, 64, 3), np.uint8))
"""A photo to try a network on that was just opened."""


class Batch:
    """Decoded ``photos``: views of one individual, or any others to be embedded at once."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        self.photos = tuple(photos)
        self._outputs: dict[Network, Outputs] = {}

    def through(self, network: Network, side: int) -> Outputs:
        """Return every output of ``network`` for all photos, resized to ``side`` pixels."""
        if network not in self._outputs:
            images = np.stack([photo.resized(side) for photo in self.photos])
            self._outputs[network] = network(images)
        return self._outputs[network]
