"""``fieldmark starter``: make the small network and index that ship with Fieldmark."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine import EngineError, EngineSettings, TaxonTable
from engine.starter import FOLDER, INDEX, MODEL
from tools.bar import Bar
from tools.engine_options import (
    HomeOption,
    ModelsOption,
    cannot_be_used,
    engine_settings,
    fail,
    refuse,
)
from tools.manifest import ManifestInvalid
from tools.sources import SourceError
from tools.starter.material import CHECKPOINTS, Material, gather_material
from tools.starter.views import make_views

if TYPE_CHECKING:
    from tools.starter.training import Trainer

starter_app = typer.Typer(
    help="Make the small network and index that ship with Fieldmark.", no_args_is_help=True
)

WorkArgument = Annotated[
    Path, typer.Argument(help="Folder for views, checkpoints and figures.", file_okay=False)
]
PhotosOption = Annotated[
    Path, typer.Option(help="Folder with a MANIFEST.csv; its split train is used.")
]
TransferOption = Annotated[
    Path, typer.Option(help="Folder of JPEGs without labels.", exists=True, file_okay=False)
]


@starter_app.command()
def train(
    work: WorkArgument,
    photos: PhotosOption,
    transfer: TransferOption,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over all photos.")] = 40,
    views: Annotated[int, typer.Option(min=1, help="Crops of each photo.")] = 4,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Distil the bird, insect and ImageNet networks into a small one.

    Stopped, the same command goes on from the last whole pass; with more epochs, or more
    views, a finished one goes on too.
    """
    material = _gather(photos, transfer)
    _trainer(work, material, views, engine_settings(models, home)).train(epochs, _report)


@starter_app.command()
def export(
    work: WorkArgument,
    photos: PhotosOption,
    transfer: TransferOption,
    to: Annotated[
        Path,
        typer.Option(help="Folder to write; a starter that is there is replaced.", file_okay=False),
    ] = FOLDER,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Write the network as it is trained by now, with its index, and say what it is worth."""
    from tools.starter.export import export as write

    to = to.resolve()
    settings = engine_settings(models, home)
    if not (work / CHECKPOINTS).is_dir():
        raise refuse(f"Nothing was trained in {work} yet: run `fieldmark starter train` first.")
    if to.exists() and {path.name for path in to.iterdir()} - {MODEL, INDEX}:
        raise refuse(f"{to} holds more than a starter, and would be replaced: name another folder.")
    material = _gather(photos, transfer)
    student = _trainer(work, material, 1, settings).student
    try:
        done = write(student, material, photos, to, settings)
    except SourceError as error:
        raise refuse(str(error)) from error
    except EngineError as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(cannot_be_used(error, to)) from error
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    typer.echo(
        f"{to}: {size / 1e6:.1f} MB, {done.rows:,} photos of {done.species:,} species; "
        "photos that the student never saw, asked of an index without them:"
    )
    for group, (top1, top5, count) in done.accuracy.items():
        typer.echo(f"  {group:<8} top-1 {top1:.3f}  top-5 {top5:.3f}  of {count}")
    typer.echo(f'The catalog\'s line for it: checksum = "{done.checksum}"')


def _gather(photos: Path, transfer: Path) -> Material:
    try:
        return gather_material(photos, transfer, TaxonTable.load())
    except ManifestInvalid as error:
        raise refuse(str(error)) from error


def _trainer(work: Path, material: Material, views: int, settings: EngineSettings) -> Trainer:
    """Make what is missing of the views, and open the student as it is by now."""
    # TensorFlow takes seconds to import, which other commands need not pay.
    from tools.starter.targets import fit_targets
    from tools.starter.training import Trainer

    try:
        with Bar() as bar:
            seen = make_views(work, material, views, settings, partial(bar.show, "Views"))
        return Trainer(work, material, seen, fit_targets(work, material, seen))
    except (EngineError, ValueError) as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(cannot_be_used(error, work)) from error


def _report(figures: dict[str, float]) -> None:
    typer.echo(" ".join(f"{name} {value:g}" for name, value in figures.items()), err=True)
