"""The generic classifier: the species whose reference photos lie nearest to a photo."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.batch import Batch
from engine.contracts import Group, IndexLost, Learnt, ModelInfo, ReferencePhoto, Taxon
from engine.embedder import Embedder, open_embedder_of
from engine.index.lock import PATIENCE_S
from engine.index.manifest import IndexRefused, read_manifest
from engine.index.segment import Reference, named_like, taxon_key
from engine.index.shard import OtherManifest
from engine.index.sharded import ShardedIndex, Shards
from engine.index.species import IndexSpecies
from engine.index.species_index import Findings, SpeciesIndex
from engine.index.vote import vote
from engine.index.writer import IndexWriter
from engine.known import KnownCurve, trust_in_likeliest
from engine.network import Networks
from engine.settings import EngineSettings
from engine.starter import STARTER, check_may_grow, forget_in_earlier_copies
from engine.taxonomy.taxa import TaxonTable, same

_REFERENCES_OF_A_TAXON = 3
_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAnswer:
    """What the index says of one individual.

    ``probabilities`` are positive and sum to at most 1; the rest is for what it does not
    hold. ``references`` are the photos that decided, by taxon, the weightiest first.
    ``distances`` say how far off each taxon lies, as ``engine.index.vote`` measures it, and
    ``curve`` how likely one is known that lies near. ``held`` are all species of the index, and
    ``held_of_group`` how many they are of each group. ``notes`` are sentences a person should see.
    """

    info: ModelInfo
    probabilities: dict[Taxon, float]
    references: dict[Taxon, tuple[ReferencePhoto, ...]]
    distances: dict[Taxon, float]
    curve: KnownCurve
    held: frozenset[Taxon]
    held_of_group: Mapping[Group, int]
    known: bool
    notes: tuple[str, ...] = ()

    def trust(self, probabilities: Mapping[Taxon, float]) -> float | None:
        """Return how likely the likeliest species is one that is known, in [0, 1].

        ``probabilities`` are those of all that was asked; None is for a species that the index
        has nothing to say of.
        """
        return trust_in_likeliest(probabilities, self.distances, self.curve)


class GenericClassifier:
    """An embedder and the index that was made with it."""

    def __init__(self, embedder: Embedder, index: SpeciesIndex | ShardedIndex) -> None:
        self.embedder = embedder
        self.index = index
        self._species_of: tuple[SpeciesIndex | ShardedIndex, IndexSpecies] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: EngineSettings,
        networks: Networks,
        shards: Shards | None = None,
    ) -> GenericClassifier:
        """Open the embedder that the index in ``folder`` names, and the index.

        Not here but among ``shards``, where there are any: they search its segments.

        Raises:
            IndexRefused: there is no index, or it cannot be used.
            EngineError: its embedder cannot be opened, or is not the one that made it.
            ShardsAway: the shards are not all there.
        """
        embedder = open_embedder_of(read_manifest(folder), settings, networks)
        if shards is not None:
            return cls(embedder, ShardedIndex.open(folder, shards, embedder=embedder.identity))
        return cls(embedder, SpeciesIndex.open(folder, embedder=embedder.identity))

    @property
    def info(self) -> ModelInfo:
        """What the index holds now."""
        species = f"{len(self.index.taxa):,} species"
        return ModelInfo(
            name=STARTER if self.is_starter else "index",
            title=f"Starter model of {species}"
            if self.is_starter
            else f"Index of {species} ({self.embedder.title})",
            group=Group.GENERIC,
            version=f"generation {self.index.generation}",
            classes=len(self.index.taxa),
            runtime=self.embedder.runtime,
        )

    @property
    def is_starter(self) -> bool:
        """Whether the network is the small one that ships with the engine."""
        return self.embedder.name == STARTER

    @property
    def is_empty(self) -> bool:
        """Whether it holds no species, nor may a part of it that is away."""
        return self.index.photos_of_taxon is not None and not self.index.taxa

    def refresh(self) -> None:
        """Take up what was added to the index since the last photo.

        Raises:
            IndexLost: what is there now cannot be used.
            ShardsDisagree: the shards find another than is there here.
        """
        try:
            self.index = self.index.refreshed()
        except IndexRefused as error:
            raise IndexLost(str(error)) from error

    def learn(
        self,
        batch: Batch,
        taxon: Taxon,
        photo: ReferencePhoto,
        identity: str | None = None,
        *,
        until: float = math.inf,
    ) -> Learnt:
        """Add the one photo of ``batch``, of ``taxon``; it is not new where it was there already.

        Every worker of this machine sees it with its next photo. After ``until``, on the
        monotonic clock, it is not added any more.

        Raises:
            IndexLost: what is there now cannot be used.
            IndexRefused: the index was damaged in the meantime.
            IndexBusy: another process is changing it.
            IndexWriteFailed: the disk is full or cannot be written.
            EngineTimeout: it was too late.
        """
        check_may_grow(self.index.folder)
        self.refresh()
        taxon = self._as_here(taxon)
        reference = Reference(
            taxon=taxon,
            source=photo.source,
            licence=photo.licence,
            attribution=photo.attribution,
            url=photo.url,
            identity=identity,
        )
        vectors = self.index.projection.apply(self.embedder.embed(batch))
        writer = IndexWriter(
            self.index.folder, embedder=self.embedder.identity, wait_s=PATIENCE_S, until=until
        )
        new = writer.add(vectors, [reference]).rows > 0
        if not new and identity is not None:
            # A worker that died after the change is asked again: the photo is that lesson's own.
            new = writer.holds(identity)
        self.refresh()
        return Learnt(new=new, photos=self._photos_of(taxon))

    def forget(self, identity: str) -> bool:
        """Take the photo of this ``identity`` out of the index; tell whether it was there.

        Raises:
            IndexRefused: it was merged into too large a segment, or the index is damaged.
            IndexBusy: another process is changing it.
            IndexWriteFailed: the disk is full or cannot be written.
        """
        check_may_grow(self.index.folder)
        # First, so that who is killed in between leaves it here, where it can be asked for again.
        forget_in_earlier_copies(self.index.folder, identity)
        return IndexWriter(self.index.folder, wait_s=PATIENCE_S).forget(identity)

    def classify(self, batch: Batch, group: Group) -> IndexAnswer:
        """Ask the index for one individual, from all of its photos.

        ``group`` restricts the answer to taxa of that group; auto and generic do not.
        """
        found = self._find(self.embedder.embed(batch))
        species, settings = self._species(), self.index.vote_settings
        said = vote(found.evidence, settings, among=species.of_group(group))
        probabilities: dict[Taxon, float] = {}
        distances: dict[Taxon, float] = {}
        for position, probability, distance in zip(
            said.taxa, said.probabilities.tolist(), said.distances.tolist(), strict=True
        ):
            taxon = species.taxa[position]
            probabilities[taxon] = probabilities.get(taxon, 0.0) + probability
            distances[taxon] = min(distance, distances.get(taxon, distance))
        return IndexAnswer(
            info=self.info,
            probabilities=probabilities,
            references=self._references(found, said.rows.tolist(), species),
            distances=distances,
            curve=settings.nearness_curve,
            held=species.held,
            held_of_group=species.held_of_group,
            known=said.known,
            notes=found.notes,
        )

    def _as_here(self, taxon: Taxon) -> Taxon:
        """Return what the index calls ``taxon``, which it may have without its key or kingdom."""
        namesakes = [
            own
            for own in self.index.taxa
            if own.scientific_name == taxon.scientific_name and same(own, taxon)
        ]
        return named_like(namesakes[0], taxon) if len(namesakes) == 1 else taxon

    def _photos_of(self, taxon: Taxon) -> int | None:
        """Return how many photos the index has of ``taxon``; None where a part of it is away."""
        photos = self.index.photos_of_taxon
        if photos is None:
            return None
        keys = [taxon_key(own) for own in self.index.taxa]
        return int(photos[keys.index(taxon_key(taxon))]) if taxon_key(taxon) in keys else 0

    def _find(self, features: NDArray[np.float32]) -> Findings:
        for _ in range(_TRIES):
            try:
                return find(self.index, features)
            except OtherManifest:
                self.index = self.index.reopened()
        return find(self.index, features)

    def _references(
        self, found: Findings, rows: Sequence[int], species: IndexSpecies
    ) -> dict[Taxon, tuple[ReferencePhoto, ...]]:
        # What a photo shows as it is called now: its segment may lack the taxon's English name.
        evidence = found.evidence
        shown = dict(
            zip(evidence.rows.ravel().tolist(), evidence.taxa.ravel().tolist(), strict=True)
        )
        return _by_taxon((species.taxa[shown[row]] for row in rows), found.references(rows))

    def _species(self) -> IndexSpecies:
        """Return the index's species, looked up once for each generation."""
        if self._species_of is None or self._species_of[0] is not self.index:
            species = IndexSpecies.of(self.index.taxa, TaxonTable.load())
            self._species_of = self.index, species
        return self._species_of[1]


def find(index: SpeciesIndex | ShardedIndex, features: NDArray[np.float32]) -> Findings:
    """Search for one individual by its embedder's ``(n, width)`` features, one row of each view.

    Raises:
        OtherManifest: shards have the index and it was changed since it was opened.
        EngineFailed: no shard is there.
    """
    found = index.find(index.projection.apply(features))
    distinctness = index.projection.distinctness(features)
    return replace(found, evidence=replace(found.evidence, distinctness=distinctness))


def _by_taxon(
    taxa: Iterable[Taxon], references: Iterable[Reference]
) -> dict[Taxon, tuple[ReferencePhoto, ...]]:
    """Sort the photos that decided by the ``taxa`` that they show, a few of each."""
    by_taxon: dict[Taxon, tuple[ReferencePhoto, ...]] = {}
    for taxon, reference in zip(taxa, references, strict=True):
        shown = by_taxon.get(taxon, ())
        if len(shown) < _REFERENCES_OF_A_TAXON:
            photo = ReferencePhoto(
                source=reference.source,
                licence=reference.licence,
                attribution=reference.attribution,
                url=reference.url,
            )
            by_taxon[taxon] = (*shown, photo)
    return by_taxon
