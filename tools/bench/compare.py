"""``fieldmark bench compare``: ours beside what people use today, on the same photos.

Two races. *Classifier*: the birds network; everyone runs the same module. *Generic*: an
embedder of 299 pixels and an index, ours and the original way. Then the whole Discord way.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from engine import EngineError, EngineSettings, Group
from tools.bench.figures import Ratios, WayFigures, ratios, summarise
from tools.bench.machine import describe_machine
from tools.bench.material import (
    ORIGINAL,
    OURS,
    OURS_BF16,
    ChosenPhotos,
    EmbedderModule,
    Field,
    choose_photos,
    classifier_field,
    generic_field,
)
from tools.bench.posted import PostedFigures, measure_posts
from tools.bench.race import Plan, Turn, race
from tools.engine_options import HomeOption, ModelsOption, engine_settings, fail, refuse

ROWS = 500_000
OPTIONAL = ("hobby", "pool")
_PHOTOS = Path("../shared/photos/test")
_ROWS_OF_TABLE = {
    "latency p50, ms": "latency_p50_ms",
    "latency p99, ms": "latency_p99_ms",
    "phone photo p50, ms": "phone_latency_p50_ms",
    "phone photos/s, 4 at once": "phone_throughput_per_s",
    "core time of a photo, ms": "core_ms_per_photo",
    "throughput, photos/s": "throughput_per_s",
    "p99 of 64 at once over ideal": "p99_over_ideal",
    "loop blocked, ms": "longest_block_ms",
    "loop blocked, phone photos, ms": "phone_longest_block_ms",
    "memory of a worker, MiB": "worker_mb",
    "memory in all, MiB": "all_mb",
    "cold start, s": "cold_start_s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    photos: int
    phones: int
    classifier: Plan
    generic: Plan
    posts: int


FULL = Effort(
    photos=60,
    phones=6,
    classifier=Plan(turns=4, alone=60, together=192),
    generic=Plan(turns=3, alone=24, together=16),
    posts=100,
)
QUICK = Effort(
    photos=8,
    phones=2,
    classifier=Plan(turns=1, alone=8, together=4),
    generic=Plan(turns=1, alone=8, together=4),
    posts=5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceFigures:
    """One race: each contestant's figures, ours over each other's, and who was not there."""

    ways: dict[str, WayFigures]
    ratios: dict[str, Ratios]
    absent: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that was measured; in ``ratios_to_original`` more is better.

    They are the classifier's. Those of the generic race, where ours computes in f32 because nobody
    has measured its embedder, have beside them what bf16 would give.
    """

    machine: str
    photos: int
    rows: int
    classifier: RaceFigures
    generic: RaceFigures
    discord: PostedFigures
    ratios_to_original: Ratios
    generic_ratios_to_original: Ratios
    generic_bf16_ratios_to_original: Ratios | None


def bench_compare(
    context: typer.Context,
    photos: Annotated[
        Path | None,
        typer.Option(
            help=f"Folder of photos. Default: {_PHOTOS} where it is, else two bundled ones.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the index.")] = ROWS,
    quick: Annotated[bool, typer.Option(help="Few runs: whether it works, not how fast.")] = False,
    variants: Annotated[
        bool, typer.Option(help="Ours at other settings too: bf16, two workers.")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option(help="hobby or pool: leave it out. May be repeated.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder to keep modules and indexes in. Default: none is kept."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of tables.")] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Compare ours with what people use today, on the same photos."""
    if context.invoked_subcommand is not None:
        return
    settings = engine_settings(models, home)
    if photos is None and _PHOTOS.is_dir():
        photos = _PHOTOS
    if unknown := set(without or ()) - set(OPTIONAL):
        raise refuse(f"{unknown.pop()} cannot be left out; these can: {', '.join(OPTIONAL)}.")
    effort = QUICK if quick else FULL
    try:
        with _work_folder(work) as folder:
            comparison = compare(
                settings, photos, rows, effort, folder, variants=variants, without=without or ()
            )
    except EngineError as error:
        raise fail(str(error)) from error
    if as_json:
        typer.echo(json.dumps(asdict(comparison), indent=2))
    else:
        _show(comparison)


def compare(
    settings: EngineSettings,
    photos: Path | None,
    rows: int,
    effort: Effort,
    work: Path,
    *,
    variants: bool = False,
    without: Collection[str] = (),
    embedder: EmbedderModule | None = None,
) -> Comparison:
    """Hold both races and post photos; ``embedder`` is by default a random InceptionV3.

    Raises:
        EngineError: there are no photos, no birds network, or a contestant failed.
    """
    chosen = choose_photos(photos, effort.photos, effort.phones, work)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        with _step(progress, "Preparing"):
            fields = (
                classifier_field(settings, work, without=without),
                generic_field(settings, work, rows, embedder),
            )
        classifier, generic = (
            _hold_race(field.with_variants() if variants else field, chosen, plan, work, progress)
            for field, plan in zip(fields, (effort.classifier, effort.generic), strict=True)
        )
        with _step(progress, "Posting"):
            discord = asyncio.run(measure_posts(fields[0].settings, chosen.small, effort.posts))
    return Comparison(
        machine=describe_machine(),
        photos=len(chosen.small),
        rows=rows,
        classifier=classifier,
        generic=generic,
        discord=discord,
        ratios_to_original=classifier.ratios[ORIGINAL],
        generic_ratios_to_original=generic.ratios[ORIGINAL],
        generic_bf16_ratios_to_original=(
            ratios(generic.ways[ORIGINAL], generic.ways[OURS_BF16])
            if OURS_BF16 in generic.ways
            else None
        ),
    )


def _hold_race(
    field: Field, photos: ChosenPhotos, plan: Plan, work: Path, progress: Progress
) -> RaceFigures:
    turns: dict[str, list[Turn]] = {name: [] for name in field.contestants}
    total = plan.turns * len(field.contestants)
    with _step(progress, f"Racing, {field.group.value}", total) as task:
        for name, turn in race(field.contestants, photos, plan, work):
            turns[name].append(turn)
            progress.advance(task)
    # The answers of random features mean nothing, so they are not compared.
    original = turns[ORIGINAL] if field.group is Group.BIRD else None
    cores = len(os.sched_getaffinity(0))
    ways = {name: summarise(own, original, cores) for name, own in turns.items()}
    return RaceFigures(
        ways=ways,
        ratios={name: ratios(way, ways[OURS]) for name, way in ways.items() if name != OURS},
        absent=field.absent,
    )


@contextmanager
def _step(progress: Progress, title: str, total: int | None = None) -> Iterator[TaskID]:
    task = progress.add_task(title, total=total)
    try:
        yield task
    finally:
        progress.remove_task(task)


@contextmanager
def _work_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="fieldmark-bench-") as folder:
        yield Path(folder)


def _show(comparison: Comparison) -> None:
    console = Console()
    console.print(comparison.machine, soft_wrap=True)
    console.print(f"{comparison.photos} photos; the index has {comparison.rows:,} rows.")
    for title, figures in (("Classifier", comparison.classifier), ("Generic", comparison.generic)):
        console.print(_race_table(title, figures))
        for name, reason in figures.absent.items():
            console.print(f"{name} did not take part: {reason}")
    posted = Table("message posted to card received", "ms", title="Discord")
    for key, value in asdict(comparison.discord).items():
        posted.add_row(key.removesuffix("_ms").replace("_", " "), f"{value:g}")
    console.print(posted)


def _race_table(title: str, figures: RaceFigures) -> Table:
    ways = figures.ways
    table = Table("", *ways, title=title)
    table.add_row("runtime", *(way.runtime for way in ways.values()))
    for label, field in _ROWS_OF_TABLE.items():
        table.add_row(label, *(f"{getattr(way, field):g}" for way in ways.values()))
    for at_once in ways[OURS].loads:
        loads = [way.loads[at_once] for way in ways.values()]
        cells = (f"{o.photos_per_s:g} / {o.p99_ms:g} / {o.lost}" for o in loads)
        table.add_row(f"{at_once} at once: photos/s / p99 ms / lost", *cells)
    for key in figures.ratios[ORIGINAL]:
        cells = (f"{figures.ratios[n][key]:g}" if n in figures.ratios else "" for n in ways)
        table.add_row(f"ours better in {key.replace('_', ' ')}, times", *cells)
    return table
