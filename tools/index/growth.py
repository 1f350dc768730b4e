"""From photos to rows of an index: decode, embed, keep, project, add."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import typer
from numpy.typing import NDArray

from engine import PhotoRejected, TaxonTable
from engine.batch import Batch
from engine.decode import Photo, decode
from engine.index.folder import MANIFEST
from engine.index.lock import folder_locked
from engine.index.manifest import IndexRefused
from engine.index.species_index import SpeciesIndex
from engine.index.writer import Added, IndexWriter
from tools.bar import Bar
from tools.index.done import Done, reference_of
from tools.index.fit import Recipe, fit_index
from tools.index.source import SourceKind, open_chosen
from tools.index.spool import Rejected, Spool, SpoolError
from tools.index.unlabelled import (
    EmbedsPhotos,
    are_useful,
    embed_unlabelled,
    list_unlabelled,
)
from tools.sources import Source, SourcePhoto
from tools.sources.names import listed
from tools.usable_photos import rejection

WORK = "work"
"""Where an index keeps what is on its way into it."""

_BATCH = 16


class Embeds(EmbedsPhotos, Protocol):
    """What makes feature vectors: an ``engine.embedder.Embedder``."""

    @property
    def identity(self) -> str:
        """What made the vectors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How many photos were ``added``, and the index as it is now.

    Of those that were not, the index ``held`` some before, and others came ``twice``.
    """

    added: int
    held: int
    twice: int
    index: SpeciesIndex


def grow(
    folder: Path,
    embedder: Embeds,
    kind: SourceKind,
    options: dict[str, Any],
    recipe: Recipe | None,
) -> Growth:
    """Embed the photos of a source and add them; ``recipe`` is for an index that is not yet.

    Tells on standard error how it goes on, and what was left out.

    Raises:
        EngineError: the index cannot be used or made; ``str`` says why.
        SourceError: the source cannot be used, or went away.
        SpoolError: the work folder holds something else, or a file of it is damaged.
    """
    work = folder / WORK
    work.mkdir(parents=True, exist_ok=True)
    with folder_locked(work):
        taxa = TaxonTable.load()
        with Bar() as bar:
            source = open_chosen(kind, options, work / "source", taxa, bar.show)
            spool = Spool(work, _job(kind, options, embedder, recipe), embedder.width)
            index = None
            if (folder / MANIFEST).exists():
                index = SpeciesIndex.open(folder, embedder=embedder.identity, touch=False)
            done = Done(spool, index)
            embed_photos(
                source,
                embedder,
                spool,
                done,
                lambda: bar.show("Embedding", source.seen, source.total),
            )
        _report_source(source, spool)
        _report_otherwise(folder, done)
        _report_unknown(spool, taxa)
        held = 0
        if index is not None:
            # Who was stopped after adding and before discarding has photos in both.
            references = spool.references()
            held = sum(index.holds(reference.identity or "") for reference in references)
            writer = IndexWriter(folder, embedder=embedder.identity, threads=cores())
            added = writer.add(spool.projected(index.projection), references)
        elif recipe is not None:
            added = _create(folder, embedder, spool, recipe)
        else:
            raise IndexRefused(f"There is no index in {folder} any more: build it again.")
        spool.discard()
    return Growth(
        added=added.rows,
        held=done.held + held,
        twice=added.duplicates - held,
        index=SpeciesIndex.open(folder, touch=False),
    )


def _job(
    kind: SourceKind, options: dict[str, Any], embedder: Embeds, recipe: Recipe | None
) -> dict[str, Any]:
    """Return what must be the same for a work folder to be gone on with."""
    job = {
        "task": "add" if recipe is None else "build",
        "from": kind.value,
        **options,
        "embedder": embedder.identity,
    }
    if recipe is not None and recipe.unlabelled is not None:
        job["unlabelled"] = str(recipe.unlabelled.resolve())
    return job


def _create(folder: Path, embedder: Embeds, spool: Spool, recipe: Recipe) -> Added:
    if not spool.rows:
        raise SpoolError("Not one photo could be used, so there is no index.")
    with Bar() as bar:
        unlabelled = _embed_beside(recipe.unlabelled, embedder, spool.folder, bar)
        bar.show("Fitting projection and vote", 0, None)
        fitted = fit_index(spool, recipe, unlabelled)
    note(fitted.said)
    return IndexWriter.create(
        folder,
        spool.projected(fitted.projection),
        spool.references(),
        embedder=embedder.identity,
        projection=fitted.projection,
        vote_settings=fitted.vote_settings,
        factory=recipe.factory,
        threads=cores(),
    )


def _embed_beside(
    folder: Path | None, embedder: Embeds, work: Path, bar: Bar
) -> NDArray[np.float32] | None:
    if folder is None:
        return None
    return embed_unlabelled(
        list_unlabelled(folder),
        embedder,
        work / "unlabelled",
        partial(bar.show, "Embedding those without a label"),
    )


def embed_photos(
    source: Source,
    embedder: Embeds,
    spool: Spool,
    done: Done,
    advance: Callable[[], None],
) -> None:
    """Embed every photo of ``source`` that is not ``done`` yet, into ``spool``.

    Whatever ends it early, what was embedded until then is kept.

    Raises:
        SourceError: the source went away.
    """
    batch: list[tuple[SourcePhoto, Photo]] = []
    try:
        for item in source.photos(done):
            if item.identity in done:
                done.meet_again(item)
            else:
                try:
                    batch.append((item, decode(item.data)))
                except PhotoRejected as error:
                    spool.reject(_rejected(item, rejection(error)))
            if len(batch) == _BATCH:
                _embed_batch(batch, embedder, spool)
            advance()
        _embed_batch(batch, embedder, spool)
    finally:
        spool.flush()


def _embed_batch(batch: list[tuple[SourcePhoto, Photo]], embedder: Embeds, spool: Spool) -> None:
    if not batch:
        return
    features = embedder.embed(Batch([photo for _, photo in batch]))
    useful = are_useful(features)
    references = [reference_of(item) for item, _ in batch]
    spool.put(features[useful], list(itertools.compress(references, useful)))
    for item, _ in itertools.compress(batch, ~useful):
        spool.reject(_rejected(item, "The network gives no features for it."))
    batch.clear()


def _rejected(item: SourcePhoto, reason: str) -> Rejected:
    name = f"{item.name} ({item.taxon.scientific_name})"
    return Rejected(identity=item.identity, name=name, reason=reason)


def _report_source(source: Source, spool: Spool) -> None:
    for sentence in source.report():
        note(sentence)
    for rejected in spool.rejected:
        note(f"Skipped {rejected.name}: {rejected.reason}")


def _report_otherwise(folder: Path, done: Done) -> None:
    if done.otherwise:
        names = {there.taxon.scientific_name for there in done.otherwise}
        count = len(done.otherwise)
        photos = "1 photo is" if count == 1 else f"{count:,} photos are"
        note(
            f"{photos} in the index under another name, licence or author, as "
            f"{listed(sorted(names))}: take the species out with "
            f"`fieldmark index remove {folder} NAME`, and add its photos again."
        )


def _report_unknown(spool: Spool, taxa: TaxonTable) -> None:
    names = {
        reference.taxon.scientific_name
        for reference in spool.references()
        if reference.taxon.gbif_key is None and taxa.entry_of(reference.taxon) is None
    }
    if names:
        note(f"Not in the taxon table, so known by name alone: {listed(sorted(names))}.")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def note(sentence: str) -> None:
    """Say a sentence on standard error: standard output is for results."""
    typer.echo(sentence, err=True)
