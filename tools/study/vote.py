"""``fieldmark study vote``: the comparisons behind the index's projection and vote.

Every number is of photos that were in neither the projection's fit nor the index, by
cross-validation within one split (``tools.crossvalidation``), so that the split on which
Fieldmark is measured is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from engine import EngineError, TaxonTable
from engine.embedder import open_embedder
from engine.index.vote import Evidence, Vote, VoteSettings, fit_vote, vote
from tools.bar import counted
from tools.crossvalidation import (
    FOLDS,
    Gallery,
    Labels,
    ProjectionChoice,
    out_of_fold,
    photo_folds,
    species_folds,
    species_out_of_fold,
)
from tools.engine_options import (
    EmbedderOption,
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
    refuse,
)
from tools.manifest import ManifestInvalid, read_manifest
from tools.scoring import expected_calibration_error
from tools.study.material import Embedded, embed_labelled, enough_photos

PROJECTIONS = {
    "pca 128, as in the original": ProjectionChoice(kind="pca", dims=128),
    "pca 128, rooted": ProjectionChoice(kind="pca", dims=128, rooted=True),
    "pca-whitened 256": ProjectionChoice(kind="pca-whitened", dims=256),
    "lda 256, not rooted": ProjectionChoice(rooted=False),
    "lda 256, shrinkage 0.1": ProjectionChoice(shrinkage=0.1),
    "lda 256, shrinkage 0.9": ProjectionChoice(shrinkage=0.9),
    "lda 256, towards a sphere": ProjectionChoice(spread_share=0),
    "lda 256, mostly towards the spread": ProjectionChoice(spread_share=0.8),
    "lda 128": ProjectionChoice(dims=128),
    "lda 192": ProjectionChoice(dims=192),
    "lda 320": ProjectionChoice(dims=320),
    "lda 256 (default)": ProjectionChoice(),
}
_DEFAULT = VoteSettings()
VOTES = {
    "neighbours alone": replace(_DEFAULT, prototype_share=0.0),
    "neighbours alone, counts ignored": replace(_DEFAULT, prototype_share=0.0, count_power=0.0),
    "prototypes alone": replace(_DEFAULT, prototype_share=1.0),
    "20 neighbours": replace(_DEFAULT, neighbours=20),
    "200 neighbours": replace(_DEFAULT, neighbours=200),
    "kernel 0.03": replace(_DEFAULT, kernel=0.03),
    "kernel 0.07": replace(_DEFAULT, kernel=0.07),
    "counts ignored": replace(_DEFAULT, count_power=0.0),
    "counts in full": replace(_DEFAULT, count_power=1.0),
    "default": _DEFAULT,
}
NEW_SPECIES_PHOTOS = (1, 2, 5)
_MOST_JOINED = max(NEW_SPECIES_PHOTOS)
_ENOUGH_PHOTOS = _MOST_JOINED + 3
_MOST_NEIGHBOURS = max(settings.neighbours for settings in VOTES.values())
_ORIGINAL = "sum of 1 / distance, as in the original"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """Photos ``(n,)``, as positions, and what an index without them found for each."""

    photos: Labels
    found: list[Evidence]


def study_vote(
    photos: PhotosArgument,
    embedder: EmbedderOption,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare projections and votes of the index, by cross-validation."""
    try:
        labelled = read_manifest(photos, split, TaxonTable.load())
        opened = open_embedder(embedder, engine_settings(models, home))
        embedded = embed_labelled(labelled, opened)
    except (ManifestInvalid, EngineError) as error:
        raise refuse(str(error)) from error
    console = Console()
    with enough_photos():
        console.print(_compare_projections(embedded))
        asked = _ask(embedded, ProjectionChoice())
        console.print(_compare_votes(embedded, asked))
        console.print(_compare_new_species(embedded))
        console.print(_compare_known(embedded))
        console.print(_calibration(embedded, asked))


def _ask(embedded: Embedded, choice: ProjectionChoice) -> Asked:
    photos, found = [], []
    for part, evidence in out_of_fold(
        embedded.features, embedded.labels, choice, neighbours=_MOST_NEIGHBOURS
    ):
        photos.append(part)
        found += evidence
    return Asked(photos=np.concatenate(photos), found=found)


def _compare_projections(embedded: Embedded) -> Table:
    table = _group_table("projection: top-1", embedded, "top-5")
    for name, choice in counted(PROJECTIONS.items(), "Comparing projections"):
        asked = _ask(embedded, choice)
        table.add_row(name, *_scores(embedded, asked, _votes(asked.found, _DEFAULT)))
    return table


def _compare_votes(embedded: Embedded, asked: Asked) -> Table:
    table = _group_table("vote: top-1", embedded, "top-5")
    originals = (_inverse_distance(evidence) for evidence in asked.found)
    table.add_row(_ORIGINAL, *_scores(embedded, asked, originals))
    for name, settings in VOTES.items():
        table.add_row(name, *_scores(embedded, asked, _votes(asked.found, settings)))
    return table


def _compare_new_species(embedded: Embedded) -> Table:
    """Compare how species fare that join with few photos after the projection was fitted."""
    table = Table(
        "top-1 of species that join with",
        *(f"{n} photo{'s' * (n > 1)}: new, old" for n in NEW_SPECIES_PHOTOS),
    )
    names = (
        "neighbours alone", "prototypes alone", "counts ignored", "counts in full", "default",
    )  # fmt: skip
    right: dict[tuple[str, int, bool], list[bool]] = {}
    for joined in NEW_SPECIES_PHOTOS:
        for truths, evidence, new in _joining(embedded, joined):
            for name in names:
                said = _votes(evidence, VOTES[name])
                right.setdefault((name, joined, new), []).extend(
                    v.taxa[0] == truth for v, truth in zip(said, truths, strict=True)
                )
    for name in names:
        cells = (
            ", ".join(_mean(right.get((name, joined, new))) for new in (True, False))
            for joined in NEW_SPECIES_PHOTOS
        )
        table.add_row(name, *cells)
    return table


def _joining(embedded: Embedded, joined: int) -> Iterator[tuple[Labels, list[Evidence], bool]]:
    """Yield truths and evidence of photos of new and of old species, fold by fold.

    Species of eight photos or more are asked for, new ones by the photos after the five of
    which the first ``joined`` are in the index.
    """
    labels, rng = embedded.labels, np.random.default_rng(0)
    many = np.bincount(labels)[labels] >= _ENOUGH_PHOTOS
    photo_fold, species_fold = photo_folds(labels), species_folds(labels)
    for fold in range(FOLDS):
        new = species_fold == fold
        kept = (photo_fold != fold) & ~new
        projection = ProjectionChoice().fit(embedded.features[kept], labels[kept])
        vectors = projection.apply(embedded.features)
        added, asked = [], []
        for label in np.unique(labels[new & many]):
            members = rng.permutation(np.flatnonzero(labels == label))
            added.append(members[:joined])
            asked.append(members[_MOST_JOINED:])
        if not asked:
            continue
        rows = np.concatenate([np.flatnonzero(kept), *added])
        gallery = Gallery.of(vectors[rows], labels, rows)
        old = np.flatnonzero((photo_fold == fold) & ~new & many)
        for photos, is_new in ((np.concatenate(asked), True), (old, False)):
            found = gallery.evidence(vectors[photos], _DEFAULT.neighbours)
            yield labels[photos], found, is_new


def _compare_known(embedded: Embedded) -> Table:
    """Compare what tells photos of known species from those of species left out."""
    from sklearn.metrics import roc_auc_score

    rules: dict[str, Callable[[Evidence, Vote], float]] = {
        "nearest photo": lambda e, _: float(e.similarities.max()),
        "nearest prototype": lambda e, _: float(e.prototype_similarities.max()),
        "best probability": lambda _, v: float(v.probabilities[0]),
        "default": lambda _, v: v.known_score,
    }
    groups = embedded.groups
    areas: dict[tuple[str, str], list[float]] = {}
    folds = species_out_of_fold(
        embedded.features, embedded.labels, ProjectionChoice(), neighbours=_DEFAULT.neighbours
    )
    for inside, outside, found in folds:
        photos = np.concatenate([inside, outside])
        is_known = np.arange(len(photos)) < len(inside)
        said = list(_votes(found, _DEFAULT))
        for name, rule in rules.items():
            scores = np.array([rule(e, v) for e, v in zip(found, said, strict=True)])
            for group in (*np.unique(groups), "all"):
                of_group = (groups[photos] == group) | (group == "all")
                known = is_known[of_group]
                if 0 < known.sum() < len(known):
                    area = roc_auc_score(known, scores[of_group])
                    areas.setdefault((name, group), []).append(float(area))
    table = _group_table("AUROC, known against left-out species", embedded)
    for name in rules:
        table.add_row(name, *(_mean(areas.get((name, g))) for g in (*np.unique(groups), "all")))
    return table


def _calibration(embedded: Embedded, asked: Asked) -> Table:
    """Fit each half of the photos by the other, and all of them for the numbers to keep."""
    found = [_nearest(evidence, _DEFAULT.neighbours) for evidence in asked.found]
    truths = embedded.labels[asked.photos]
    outcomes: list[tuple[float, bool]] = []
    known = []
    even = np.arange(len(truths)) % 2 == 0
    for half in (even, ~even):
        others = np.flatnonzero(~half)
        fitted = fit_vote([found[i] for i in others], truths[others].tolist())
        for i in np.flatnonzero(half):
            said = vote(found[i], fitted)
            outcomes.append((float(said.probabilities[0]), bool(said.taxa[0] == truths[i])))
            known.append(said.known)
    settings = fit_vote(found, truths.tolist())
    table = Table("fitted", "", title="each half of the photos by the other")
    table.add_row("ECE", f"{expected_calibration_error(outcomes):.3f}")
    table.add_row("called known", f"{np.mean(known):.3f}")
    table.add_row("temperature", f"{settings.temperature}")
    table.add_row("known_threshold", f"{settings.known_threshold}")
    return table


def _mean(values: Sequence[float] | None) -> str:
    return f"{np.mean(values):.3f}" if values else "-"


def _group_table(title: str, embedded: Embedded, *more: str) -> Table:
    return Table(title, *np.unique(embedded.groups).tolist(), "all", *more)


def _scores(embedded: Embedded, asked: Asked, said: Iterable[Vote | Labels]) -> Iterator[str]:
    """Return top-1 by group and of all, and top-5 of all."""
    firsts = [(v.taxa if isinstance(v, Vote) else v)[:5].tolist() for v in said]
    truths = embedded.labels[asked.photos].tolist()
    right = np.array([truth == first[0] for truth, first in zip(truths, firsts, strict=True)])
    for group in np.unique(embedded.groups):
        yield _mean(right[embedded.groups[asked.photos] == group].tolist())
    yield f"{right.mean():.4f}"
    yield f"{np.mean([t in first for t, first in zip(truths, firsts, strict=True)]):.4f}"


def _votes(found: Iterable[Evidence], settings: VoteSettings) -> Iterator[Vote]:
    return (vote(_nearest(evidence, settings.neighbours), settings) for evidence in found)


def _nearest(evidence: Evidence, neighbours: int) -> Evidence:
    return replace(
        evidence,
        similarities=evidence.similarities[:, :neighbours],
        taxa=evidence.taxa[:, :neighbours],
        rows=evidence.rows[:, :neighbours],
    )


def _inverse_distance(evidence: Evidence) -> Labels:
    """Rank species as the original did: ten neighbours, each ``1 / d``, ``d^2 = 2 - 2 cos``."""
    near = _nearest(evidence, 10)
    distances = np.sqrt(np.maximum(2 - 2 * near.similarities[0], 1e-12))
    sums = np.bincount(near.taxa[0], 1 / distances, len(evidence.photos_of_taxon))
    return np.asarray(np.argsort(-sums, kind="stable"), np.int64)
