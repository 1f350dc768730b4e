"""The options that every command which starts an engine takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.config_file import ConfigError, check_folders, load
from engine import Engine, EngineError, EngineSettings

PhotosArgument = Annotated[Path, typer.Argument(help="Folder with a MANIFEST.csv.")]
SplitOption = Annotated[str, typer.Option(help="Which split; not the one you measure on.")]
EmbedderOption = Annotated[
    str, typer.Option(help="The catalog's name of an embedder, or several with + between.")
]
ModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--models",
        help="Folder of Hub modules, one folder each. Default: FIELDMARK_MODELS or the config.",
        exists=True,
        file_okay=False,
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder for what is downloaded and measured. Default: FIELDMARK_HOME or the config.",
        file_okay=False,
    ),
]
IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        help="Folder of the species index. Default: the config, else index under home.",
        exists=True,
        file_okay=False,
    ),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        help="auto, openvino or tensorflow. Default: the config, else auto.",
        metavar="RUNTIME",
    ),
]
Runtime = Literal["auto", "openvino", "tensorflow"]
_RUNTIMES: tuple[Runtime, ...] = ("auto", "openvino", "tensorflow")


def engine_settings(
    models: Path | None = None,
    home: Path | None = None,
    runtime: str | None = None,
    index: Path | None = None,
) -> EngineSettings:
    """Return the engine's settings from config and environment, with a command's options on top.

    Exits with status 2 and one sentence where they cannot be used.
    """
    try:
        settings = load().engine.settings()
        if models is not None:
            settings = replace(settings, models_dir=models)
        if home is not None:
            settings = replace(settings, home=home)
        check_folders(settings)
    except ConfigError as error:
        raise refuse(str(error)) from error
    if index is not None:
        settings = replace(settings, index=index)
    if runtime is not None:
        settings = replace(settings, runtime=check_runtime(runtime))
    return settings


def check_index_is_used(engine: Engine, settings: EngineSettings) -> None:
    """Check that the index that was named is one that answers: without it, another thing would.

    Raises:
        EngineError: it cannot be used.
    """
    for model in engine.models() if settings.index is not None else ():
        if model.name == "index" and model.problem is not None:
            raise EngineError(model.problem)


def check_runtime(name: str) -> Runtime:
    """Return ``name`` if it is a runtime, or exit with status 2."""
    for runtime in _RUNTIMES:
        if name == runtime:
            return runtime
    raise refuse(f"There is no runtime {name!r}: choose one of {', '.join(_RUNTIMES)}.")


def refuse(sentence: str) -> typer.Exit:
    """Say what was wrong with the call; raise what is returned: exit status 2."""
    typer.echo(sentence, err=True)
    return typer.Exit(2)


def fail(sentence: str) -> typer.Exit:
    """Say what failed; raise what is returned: exit status 1."""
    typer.echo(sentence, err=True)
    return typer.Exit(1)


def cannot_be_used(error: OSError, folder: Path) -> str:
    """Return a sentence for what the disk refused, which was in ``folder`` if it does not say."""
    return f"{error.filename or folder} cannot be used: {error.strerror or error}."
