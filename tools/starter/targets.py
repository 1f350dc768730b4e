"""What the student learns to say, worked out from the teachers' features.

Two spaces are made once of the first view of every photo, and kept: the directions in which
the species of ``train`` differ most (the same shrunk LDA that an index is projected by), and
the whitened principal components, which also tell apart what has no label. In the first,
every species has a *prototype*, its mean direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.index.projection import Projection, fit_projection
from tools.starter.material import Material
from tools.starter.views import Views

SPECIES_DIMS = 192
GENERAL_DIMS = 256

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """The two spaces; ``prototypes`` is ``(species, SPECIES_DIMS)`` of unit length."""

    species: Projection
    general: Projection
    prototypes: Vectors

    def of(self, features: NDArray[np.float16]) -> tuple[Vectors, Vectors]:
        """Return ``(n, SPECIES_DIMS)`` and ``(n, GENERAL_DIMS)`` unit vectors of features."""
        exact = features.astype(np.float32)
        return self.species.apply(exact), self.general.apply(exact)


def fit_targets(work: Path, material: Material, views: Views) -> Targets:
    """Fit the two spaces to the photos that the student may see, or read them from ``work``."""
    seen = ~np.array(material.held_out)
    labels = np.array(material.species)
    labelled = seen & (labels >= 0)
    places = {name: work / f"{name}.npz" for name in ("species", "general")}
    features = views.features[: views.photos].astype(np.float32)
    if not all(place.exists() for place in places.values()):
        fit_projection(
            features[labelled], labels[labelled], kind="lda", dims=SPECIES_DIMS, spread_share=0
        ).save(places["species"])
        fit_projection(features[seen], labels[seen], kind="pca-whitened", dims=GENERAL_DIMS).save(
            places["general"]
        )
    species = Projection.load(places["species"])
    vectors = species.apply(features[labelled])
    sums = np.zeros((len(material.names), species.dims), np.float32)
    np.add.at(sums, labels[labelled], vectors)
    return Targets(
        species=species,
        general=Projection.load(places["general"]),
        prototypes=sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12),
    )
