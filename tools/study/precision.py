"""``fieldmark study precision``: whether an index answers alike where its network is in bf16.

The catalog's ``bf16_agreement`` of an embedder comes from here: one that lacks it is asked in f32,
however much faster the processor would be in bf16. Every photo is asked for in an index that does
not hold it: one of the same split's other photos, by cross-validation, or one of another split. The
reference is the index that was made and is searched in f32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine import EngineError, EngineSettings, TaxonTable
from engine.batch import Batch
from engine.decode import Photo, decode
from engine.embedder import JOIN, Embedder, open_embedder
from engine.index.vote import VoteSettings, vote
from engine.precision import ALIKE_FROM, PRECISIONS, Precision
from tools.crossvalidation import Deal, Gallery, Labels, ProjectionChoice, deal_by_folds
from tools.engine_options import (
    EmbedderOption,
    HomeOption,
    ModelsOption,
    PhotosArgument,
    engine_settings,
    refuse,
)
from tools.manifest import LabelledPhoto, ManifestInvalid, read_manifest
from tools.study.material import Embedded, embed_labelled
from tools.usable_photos import usable

_TURNS = 15
_VOTE = VoteSettings()


def study_precision(
    photos: PhotosArgument,
    embedder: EmbedderOption,
    split: Annotated[str, typer.Option(help="Which split the index is made of.")] = "train",
    ask: Annotated[
        str | None,
        typer.Option(help="Which split is asked about. Default: the same, by cross-validation."),
    ] = None,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare an index's answers at f32 and bf16, and measure what the network takes at each."""
    settings = engine_settings(models, home)
    try:
        indexed = usable(_of_species(read_manifest(photos, split, TaxonTable.load())))
        labelled = indexed if ask is None else indexed + _held(indexed, photos, ask)
        opened = {precision: _open(embedder, settings, precision) for precision in PRECISIONS}
        embedded = {precision: embed_labelled(labelled, one) for precision, one in opened.items()}
        deals = [(np.arange(len(indexed)), np.arange(len(indexed), len(labelled)))]
        if ask is None:
            deals = deal_by_folds(embedded["f32"].labels)
        firsts = first_species(embedded, deals)
    except (ManifestInvalid, EngineError) as error:
        raise refuse(str(error)) from error
    console = Console()
    console.print(_answers(embedded["f32"], np.concatenate([part for _, part in deals]), firsts))
    console.print(_times(opened, labelled))
    # Rounded down: what is nearly enough is not enough.
    alike = math.floor((firsts["f32", "f32"] == firsts["bf16", "bf16"]).mean() * 1000) / 1000
    key = "bf16_joined_agreement" if JOIN in embedder else "bf16_agreement"
    console.print(
        f"For the catalog's {embedder}: {key} = {alike} (bf16 is taken from {ALIKE_FROM} on, where "
        "the processor gains from it)."
    )


Made = tuple[Precision, Precision]
"""At which precision an index was made, and at which it is searched."""


def first_species(
    embedded: Mapping[Precision, Embedded], deals: Sequence[Deal]
) -> dict[Made, Labels]:
    """Return the likeliest species of each photo that is asked about, deal by deal.

    Of an index made at each precision, searched at each.
    """
    firsts: dict[Made, list[int]] = {made: [] for made in product(PRECISIONS, PRECISIONS)}
    for made, (kept, asked) in product(PRECISIONS, deals):
        index = embedded[made]
        projection = ProjectionChoice().fit(index.features[kept], index.labels[kept])
        gallery = Gallery.of(projection.apply(index.features[kept]), index.labels, kept)
        for searched in PRECISIONS:
            vectors = projection.apply(embedded[searched].features[asked])
            found = gallery.evidence(vectors, _VOTE.neighbours)
            firsts[made, searched] += [int(vote(evidence, _VOTE).taxa[0]) for evidence in found]
    return {made: np.array(species, np.int64) for made, species in firsts.items()}


def _held(indexed: Sequence[LabelledPhoto], photos: Path, ask: str) -> list[LabelledPhoto]:
    """Return the photos of another split that show species of ``indexed`` ones."""
    species = {photo.scientific_name for photo in indexed}
    asked = read_manifest(photos, ask, TaxonTable.load())
    if not (held := [photo for photo in asked if photo.scientific_name in species]):
        raise ManifestInvalid(f"No photo of {ask!r} shows a species that the index would hold.")
    return usable(held)


def _of_species(labelled: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    return [photo for photo in labelled if photo.scientific_name]


def _open(name: str, settings: EngineSettings, precision: Precision) -> Embedder:
    # OpenVINO alone computes in bf16: TensorFlow would compare f32 with itself.
    return open_embedder(name, replace(settings, precision=precision, runtime="openvino"))


def _answers(embedded: Embedded, asked: Labels, firsts: Mapping[Made, Labels]) -> Table:
    groups = np.unique(embedded.groups).tolist()
    table = Table("index made at, searched at", *(f"alike: {g}" for g in groups), "all", "top-1")
    of_photo, truths = embedded.groups[asked], embedded.labels[asked]
    for (made, searched), species in firsts.items():
        alike: NDArray[np.bool_] = species == firsts["f32", "f32"]
        shares = [_share(alike[of_photo == group]) for group in groups]
        right = _share(species == truths)
        table.add_row(f"{made}, {searched}", *shares, _share(alike), right)
    return table


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{hits.mean():.3f}" if len(hits) else "-"


def _times(opened: Mapping[Precision, Embedder], labelled: Sequence[LabelledPhoto]) -> Table:
    photo = decode(labelled[0].path.read_bytes())
    taken: dict[Precision, list[float]] = {precision: [] for precision in opened}
    for _ in range(_TURNS):
        for precision, embedder in opened.items():
            taken[precision].append(_seconds(embedder, photo))
    table = Table("one photo, in turns, median ms", *opened)
    table.add_row("features", *(f"{median(seconds) * 1000:.1f}" for seconds in taken.values()))
    return table


def _seconds(embedder: Embedder, photo: Photo) -> float:
    begun = perf_counter()
    embedder.embed(Batch([photo]))
    return perf_counter() - begun
