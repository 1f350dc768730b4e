"""From a trained student to the starter: a Hub module, its index, and what it is worth.

The held-out photos of each species do three things in turn: asked of an index without them,
they say how good the student is; their answers fit the vote; and then they join the index,
as the only rows the student could not have learnt by heart.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import EngineSettings, TaxonTable
from engine.batch import Batch
from engine.catalog import find_entry, load_catalog
from engine.decode import decode
from engine.embedder import Embedder, Part
from engine.index.projection import fit_projection
from engine.index.segment import Reference
from engine.index.vote import Evidence, VoteSettings, fit_vote, vote
from engine.index.writer import IndexWriter
from engine.networks.hub import read_module
from engine.networks.runtime import open_network
from engine.starter import INDEX, MODEL, STARTER
from tools.crossvalidation import Gallery, species_folds
from tools.index.done import reference_of
from tools.known_fit import fit_known
from tools.sources import open_source
from tools.starter.material import Material

SIDE = 192
"""Pixels of the pictures that the starter is asked about: larger than the largest that it learnt
from, since the crops that it learnt from show things larger than whole photos do."""
DIMS = 192

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what it is worth.

    ``checksum`` is the module's. ``accuracy`` gives, for each group's held-out photos, asked
    of an index without them, top-1, top-5 and how many there are.
    """

    checksum: str
    rows: int
    species: int
    accuracy: dict[str, tuple[float, float, int]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Photos:
    """The labelled photos: ``features``, ``labels``, ``held_out`` and ``groups``, ``(n, ...)``."""

    references: tuple[Reference, ...]
    features: Vectors
    labels: Labels
    held_out: NDArray[np.bool_]
    groups: NDArray[np.str_]


def export(
    student: Any, material: Material, photos: Path, folder: Path, settings: EngineSettings
) -> Exported:
    """Write the starter into ``folder``, in place of one that is there once it is whole.

    ``student`` is the trained ``keras.Model``.

    Raises:
        EngineError: the module or the index cannot be made; ``str`` says why.
        SourceError: the labelled photos cannot be read again.
    """
    from tools.starter.network import StarterNetwork

    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    StarterNetwork(student, SIDE).save(draft / MODEL)
    entry = replace(find_entry(load_catalog(), STARTER), handle=str(draft / MODEL), checksum=None)
    module = read_module(entry, draft / MODEL)
    network = open_network(module.folder, runtime="openvino", threads=settings.threads)
    embedder = Embedder([Part.of(entry, (module, network))])
    labelled = _embed(embedder, material, photos)
    accuracy, vote_settings = _judge(labelled)
    projection = _fit(labelled)
    added = IndexWriter.create(
        draft / INDEX,
        projection.apply(labelled.features),
        labelled.references,
        embedder=embedder.identity,
        projection=projection,
        vote_settings=vote_settings,
    )
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return Exported(
        checksum=module.checksum,
        rows=added.rows,
        species=len(set(labelled.labels.tolist())),
        accuracy=accuracy,
    )


def _embed(embedder: Embedder, material: Material, photos: Path) -> _Photos:
    held_out = {path for path, held in zip(material.paths, material.held_out, strict=True) if held}
    held_data = {path.read_bytes() for path in held_out}
    source = open_source("folder", taxa=TaxonTable.load(), path=photos, split="train")
    labelled = list(source.photos(()))
    taxa = {taxon: number for number, taxon in enumerate(dict.fromkeys(p.taxon for p in labelled))}
    features = [embedder.embed(Batch([decode(photo.data)]))[0] for photo in labelled]
    groups = dict(zip((p.read_bytes() for p in material.paths), material.groups, strict=True))
    return _Photos(
        references=tuple(reference_of(photo) for photo in labelled),
        features=np.stack(features),
        labels=np.array([taxa[photo.taxon] for photo in labelled]),
        held_out=np.array([photo.data in held_data for photo in labelled]),
        groups=np.array([groups[photo.data] for photo in labelled]),
    )


def _fit(photos: _Photos) -> Any:
    seen = ~photos.held_out
    return fit_projection(
        photos.features[seen], photos.labels[seen], kind="lda", dims=DIMS, spread_share=0
    )


def _judge(photos: _Photos) -> tuple[dict[str, tuple[float, float, int]], VoteSettings]:
    """Ask an index without the held-out photos about them; score it and fit its vote."""
    projection = _fit(photos)
    vectors = projection.apply(photos.features)
    settings = VoteSettings()
    asked = np.flatnonzero(photos.held_out)
    gallery = Gallery.of(vectors[~photos.held_out], photos.labels, ~photos.held_out)
    evidence = gallery.evidence(vectors[asked], settings.neighbours)
    truths = photos.labels[asked]
    settings = fit_vote(evidence, truths.tolist(), settings)
    said = [vote(found, settings).taxa[:5] for found in evidence]
    right = np.array([truth == first[0] for truth, first in zip(truths, said, strict=True)])
    near = np.array([truth in five for truth, five in zip(truths, said, strict=True)])
    accuracy = {}
    for group in np.unique(photos.groups[asked]).tolist():
        of_group = photos.groups[asked] == group
        accuracy[group] = (
            float(right[of_group].mean()), float(near[of_group].mean()), int(of_group.sum()),
        )  # fmt: skip
    distinctness = projection.distinctness(photos.features)
    return accuracy, _fit_known(photos, vectors, distinctness, settings)


def _fit_known(
    photos: _Photos, vectors: Vectors, distinctness: Vectors, settings: VoteSettings
) -> VoteSettings:
    """Fit the curve of nearness to held-out photos, some of whose species an index lacks."""
    inside: list[Evidence] = []
    outside: list[Evidence] = []
    fold = species_folds(photos.labels)
    for left_out in np.unique(fold):
        kept = ~photos.held_out & (fold != left_out)
        gallery = Gallery.of(vectors[kept], photos.labels, kept)
        for part, chosen in ((outside, fold == left_out), (inside, fold != left_out)):
            asked = photos.held_out & chosen
            part += gallery.evidence(vectors[asked], settings.neighbours, distinctness[asked])
    taxon_of = dict(zip(photos.labels.tolist(), photos.references, strict=True))
    taxa = [taxon_of[label].taxon for label in range(len(taxon_of))]
    return fit_known(inside, outside, taxa, settings)
