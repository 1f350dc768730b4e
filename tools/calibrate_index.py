"""Fit an index's vote to labelled photos that it does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import EngineSettings, TaxonTable
from engine.batch import Batch
from engine.embedder import Embedder, open_embedder_of
from engine.generic import find
from engine.index.manifest import read_manifest
from engine.index.segment import taxon_key
from engine.index.species_index import SpeciesIndex
from engine.index.vote import FEWEST_PHOTOS, Evidence, VoteSettings, fit_vote
from engine.index.writer import IndexWriter
from tools.bar import counted
from tools.index.growth import cores
from tools.known_fit import fit_known
from tools.manifest import read_references
from tools.sources import SourcePhoto
from tools.usable_photos import decode_usable

OUTSIDE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was fitted, to how many photos of species inside and outside of the index.

    ``held`` counts the photos that were left out because the index holds them.
    """

    settings: VoteSettings
    inside: int
    outside: int
    held: int


def calibrate_index(
    folder: Path, photos: Path, split: str | None, settings: EngineSettings
) -> Calibration:
    """Fit temperature and thresholds of the index in ``folder``, and store them in it.

    Raises:
        EngineError: the index or its embedder cannot be used, or not one of the photos.
        SourceError: ``photos`` cannot be used.
        ValueError: too few photos are left; ``str`` says how many it takes.
    """
    embedder = open_embedder_of(read_manifest(folder), settings)
    index = SpeciesIndex.open(folder, embedder=embedder.identity)
    labelled = read_references(photos, split, TaxonTable.load())
    fresh = [photo for photo in labelled if not index.holds(photo.identity)]
    place = {taxon_key(taxon): position for position, taxon in enumerate(index.taxa)}
    evidence, truths = [], []
    for photo, found in _ask(index, embedder, fresh) if fresh else ():
        evidence.append(found)
        truths.append(place.get(taxon_key(photo.taxon), OUTSIDE))
    fitted = fit_vote(evidence, truths, index.vote_settings)
    pairs = list(zip(evidence, truths, strict=True))
    inside = [found for found, truth in pairs if truth != OUTSIDE]
    outside = [found for found, truth in pairs if truth == OUTSIDE]
    if len(outside) >= FEWEST_PHOTOS:
        fitted = fit_known(inside, outside, index.taxa, fitted)
    writer = IndexWriter(folder, embedder=embedder.identity, threads=cores())
    writer.set_vote(fitted)
    return Calibration(
        settings=fitted,
        inside=len(inside),
        outside=len(outside),
        held=len(labelled) - len(fresh),
    )


def _ask(
    index: SpeciesIndex, embedder: Embedder, photos: Sequence[SourcePhoto]
) -> Iterator[tuple[SourcePhoto, Evidence]]:
    for photo, decoded in decode_usable(counted(photos, "Asking the index")):
        yield photo, find(index, embedder.embed(Batch([decoded]))).evidence
