"""``fieldmark models``: get the networks, check them, and say how they stand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

from engine import EngineError, EngineSettings
from engine.catalog import ModelEntry, find_entry, load_catalog
from engine.networks.comparison import PreparationFailed, prepare
from engine.networks.download import download
from engine.networks.hub import (
    HubError,
    Module,
    find_folder,
    installed_folder,
    locate,
)
from engine.networks.preparation import NotPrepared, Preparation, read_preparation
from engine.networks.probe import Probe
from engine.networks.samples import Samples, bundled_samples, folder_samples
from engine.precision import PRECISIONS, PrecisionSetting, choose_precision
from engine.starter import STARTER
from tools.bar import Bar
from tools.engine_options import (
    HomeOption,
    ModelsOption,
    cannot_be_used,
    engine_settings,
    fail,
    refuse,
)
from tools.model_report import as_record, as_table, describe_preparation, survey

models_app = typer.Typer(
    help="Get the networks, check them, and say how they stand.", no_args_is_help=True
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAMES]...", help="Models; default: all but the one that ships."),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="PRECISION",
        help="f32, or bf16: faster, less exact; or auto. Default: the config, else auto.",
    ),
]

_PRECISIONS: tuple[PrecisionSetting, ...] = ("auto", *PRECISIONS)


@models_app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Show every model: where it is, what serves it, and how it compared with TensorFlow."""
    settings, entries = _choose(None, models, home, precision)
    states = [survey(entry, settings) for entry in entries]
    if as_json:
        typer.echo(json.dumps([as_record(state) for state in states], indent=2))
    else:
        Console().print(as_table(states))


@models_app.command()
def pull(
    names: NamesArgument = None,
    force: Annotated[
        bool, typer.Option("--force", help="Download again, and trust what comes.")
    ] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Download models from the Hub where they are missing, and compare them with TensorFlow."""
    settings, entries = _choose(names, models, home, precision)
    if not names:
        entries = [entry for entry in entries if entry.name != STARTER]
    done = True
    stale: list[Module] = []
    for entry in entries:
        try:
            module = _obtain(entry, settings, force=force)
            record = None if force else _prepared(module, settings)
        except HubError as error:
            _note(str(error))
            done = False
            continue
        if record is None:
            stale.append(module)
        else:
            _report(module, record)
    done = _compare(stale, settings, bundled_samples) and done
    if not done:
        raise typer.Exit(1)


@models_app.command()
def verify(
    names: NamesArgument = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder of photos to compare on.", exists=True, file_okay=False),
    ] = None,
    models: ModelsOption = None,
    home: HomeOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Check models anew: content, number of labels, and OpenVINO's answers with TensorFlow's."""
    settings, entries = _choose(names, models, home, precision)
    if not names:
        entries = [
            entry
            for entry in entries
            if entry.name != STARTER and find_folder(entry, settings) is not None
        ]
        if not entries:
            raise fail("No model is on this machine: run `fieldmark models pull`.")
    done = True
    modules: list[Module] = []
    for entry in entries:
        try:
            modules.append(locate(entry, settings))
        except HubError as error:
            _note(str(error))
            done = False
    choose = bundled_samples if photos is None else partial(folder_samples, photos)
    done = _compare(modules, settings, choose) and done
    if not done:
        raise typer.Exit(1)


def _choose(
    names: list[str] | None, models: Path | None, home: Path | None, precision: str | None
) -> tuple[EngineSettings, list[ModelEntry]]:
    """Return the settings and the entries that are meant, or exit with status 2."""
    settings = engine_settings(models, home)
    if precision is not None:
        settings = replace(settings, precision=_check_precision(precision))
    try:
        catalog = load_catalog(settings.catalog)
        chosen = dict.fromkeys(names or catalog)
        return settings, [find_entry(catalog, name) for name in chosen]
    except EngineError as error:
        raise refuse(str(error)) from error


def _check_precision(name: str) -> PrecisionSetting:
    for precision in _PRECISIONS:
        if name == precision:
            return precision
    raise refuse(f"There is no precision {name!r}: choose one of {', '.join(_PRECISIONS)}.")


def _obtain(entry: ModelEntry, settings: EngineSettings, *, force: bool) -> Module:
    """Return the module, downloaded where it is missing or where ``force`` asks for it anew."""
    folder = find_folder(entry, settings)
    if folder is not None and not force:
        return locate(entry, settings)
    if folder is not None and folder != installed_folder(entry, settings):
        module = locate(entry, settings, trust=True)
        _note(f"{entry.name} is used in place; {folder} is trusted as it is now.")
        return module
    if entry.local_folder is not None:
        return locate(entry, settings)
    with Bar(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bar:
        return download(entry, settings, partial(bar.show, f"{entry.name}: downloading"))


def _prepared(module: Module, settings: EngineSettings) -> Preparation | None:
    try:
        return read_preparation(module, settings)
    except NotPrepared:
        return None


def _compare(
    modules: Sequence[Module], settings: EngineSettings, choose: Callable[[], Samples]
) -> bool:
    """Compare each module and report it; return whether none failed."""
    if not modules:
        return True
    try:
        samples = choose()
        return asyncio.run(_compare_all(modules, settings, samples))
    except HubError as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(cannot_be_used(error, settings.home)) from error


async def _compare_all(
    modules: Sequence[Module], settings: EngineSettings, samples: Samples
) -> bool:
    logs = settings.home / "logs"
    done = True
    async with AsyncExitStack() as probes:
        judge = await probes.enter_async_context(
            Probe(runtime="tensorflow", threads=settings.threads, log=logs / "tensorflow.log")
        )
        ours = {
            precision: await probes.enter_async_context(
                Probe(
                    runtime="openvino",
                    precision=precision,
                    threads=settings.threads,
                    log=logs / f"openvino-{precision}.log",
                )
            )
            for precision in PRECISIONS
        }
        for module in modules:
            fast = ours[choose_precision(module.entry, settings)]
            with Bar() as bar:
                update = partial(bar.show, f"{module.entry.name}: comparing with TensorFlow")
                try:
                    record = await prepare(
                        module, settings, samples, update, fast=fast, judge=judge
                    )
                except PreparationFailed as error:
                    _note(str(error))
                    done = False
                    continue
            _report(module, record)
    return done


def _report(module: Module, record: Preparation) -> None:
    served = "OpenVINO" if record.runtime == "openvino" else "TensorFlow"
    typer.echo(f"{module.entry.name}: {served} serves it. {describe_preparation(record)}")
    if record.reason is not None:
        typer.echo(f"{module.entry.name}: not by OpenVINO, because {record.reason}")


def _note(sentence: str) -> None:
    typer.echo(sentence, err=True)
