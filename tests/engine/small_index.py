"""Small indexes for tests: unit vectors of 16 numbers, photos named by a letter and a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Ancestor, Taxon
from engine.index.projection import Projection
from engine.index.segment import Reference
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter

DIMS = 16
EMBEDDER = "tiny@0123456789ab/224/f32"
ANIMALS = (Ancestor("kingdom", "Animalia"),)


def units(rows: int, seed: int, dims: int = DIMS) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, dims)).astype(np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def species(number: int) -> Taxon:
    return Taxon(scientific_name=f"Genus species{number}", rank="species", lineage=ANIMALS)


def reference(taxon: Taxon, identity: str | None = None) -> Reference:
    return Reference(
        taxon=taxon,
        source="folder",
        licence="CC0",
        attribution=f"the author of {identity}",
        url=f"https://photos.test/{identity}" if identity else None,
        identity=identity,
    )


def references(letter: str, numbers: list[int]) -> list[Reference]:
    """One photo for each number of a species, identified by letter and place."""
    return [reference(species(n), f"{letter}{place}") for place, n in enumerate(numbers)]


def projection(dims: int = DIMS) -> Projection:
    return Projection(
        kind="pca", mean=np.zeros(dims, np.float32), matrix=np.eye(dims, dtype=np.float32)
    )


def create(folder: Path, factory: str = "auto", dims: int = DIMS) -> IndexWriter:
    IndexWriter.create(
        folder,
        np.empty((0, dims), np.float32),
        [],
        embedder=EMBEDDER,
        projection=projection(dims),
        vote_settings=VoteSettings(),
        factory=factory,
    )
    return IndexWriter(folder, embedder=EMBEDDER)
