"""``fieldmark identify``: name the species in photos, in the terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine import (
    CERTAINTY,
    Candidate,
    Engine,
    EngineError,
    Group,
    Identification,
    PhotoRejected,
    Verdict,
)
from tools.engine_options import (
    HomeOption,
    IndexOption,
    ModelsOption,
    RuntimeOption,
    check_index_is_used,
    engine_settings,
    fail,
)

MAX_BYTES = 25 * 1024 * 1024
_BAR_CELLS = 10

Outcome = Identification | EngineError


def identify(
    photos: Annotated[list[Path], typer.Argument(help="Photos; each is one individual.")],
    group: Annotated[Group, typer.Option(help="What the photo shows.")] = Group.AUTO,
    limit: Annotated[int, typer.Option(min=1, max=25, help="Candidates a photo.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a photo.")] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
    index: IndexOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Name the species in photos."""
    settings = engine_settings(models, home, runtime, index)
    console = Console()

    async def run() -> bool:
        complete = True
        async with Engine(settings) as engine:
            check_index_is_used(engine, settings)
            async for path, outcome in identify_all(engine, photos, group, limit):
                complete = complete and isinstance(outcome, Identification)
                if as_json:
                    typer.echo(json.dumps(as_record(path, outcome), ensure_ascii=False))
                else:
                    _show(console, path, outcome)
        return complete

    try:
        complete = asyncio.run(run())
    except EngineError as error:
        raise fail(str(error)) from error
    if not complete:
        raise typer.Exit(1)


async def identify_all(
    engine: Engine,
    photos: Sequence[Path],
    group: Group,
    limit: int,
    *,
    certainty: float = CERTAINTY,
    at_once: int = 4,
) -> AsyncIterator[tuple[Path, Outcome]]:
    """Yield each photo's outcome in the order given; a failed photo's is the error."""
    gate = asyncio.Semaphore(at_once)

    async def one(path: Path) -> Outcome:
        async with gate:
            try:
                return await engine.identify(
                    [read_photo(path)], group, limit=limit, certainty=certainty
                )
            except EngineError as error:
                return error

    tasks = [asyncio.create_task(one(path)) for path in photos]
    try:
        for path, task in zip(photos, tasks, strict=True):
            yield path, await task
    finally:
        for task in tasks:
            task.cancel()


def read_photo(path: Path) -> bytes:
    """Read a photo's bytes.

    Raises:
        PhotoRejected: there is no such file, or it is too large for a photo.
    """
    try:
        if not path.exists():
            raise PhotoRejected("There is no such file.")
        if not path.is_file():
            kind = "is a folder; name the photos in it" if path.is_dir() else "is not a file"
            raise PhotoRejected(f"It {kind}.")
        if path.stat().st_size > MAX_BYTES:
            raise PhotoRejected(f"It is larger than {MAX_BYTES >> 20} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise PhotoRejected(f"It cannot be read: {error.strerror}.") from error


def as_record(path: Path, outcome: Outcome) -> dict[str, Any]:
    """Return the JSON object for one photo."""
    if isinstance(outcome, EngineError):
        return {"path": str(path), "error": str(outcome)}
    return {
        "path": str(path),
        "group": outcome.group.value,
        "verdict": _name_record(outcome.verdict) if outcome.verdict else None,
        "known": outcome.known,
        "candidates": [_name_record(candidate) for candidate in outcome.candidates],
        "models": [
            {"name": m.name, "version": m.version, "runtime": m.runtime} for m in outcome.models
        ],
        "timings_ms": outcome.timings_ms,
        "notes": list(outcome.notes),
    }


def _name_record(named: Candidate | Verdict) -> dict[str, Any]:
    return {
        "scientific_name": named.taxon.scientific_name,
        "rank": named.taxon.rank,
        "vernacular_name": named.taxon.vernacular_name,
        "gbif_key": named.taxon.gbif_key,
        "probability": round(named.probability, 4),
    }


def _show(console: Console, path: Path, outcome: Outcome) -> None:
    if isinstance(outcome, EngineError):
        said = f"[bold]{escape(str(path))}[/]: [red]{escape(str(outcome))}[/]"
        Console(stderr=True).print(said, soft_wrap=True)
        return
    console.print(f"[bold]{escape(str(path))}[/]: {_lead(outcome)}", soft_wrap=True)
    table = Table(box=None, show_header=False)
    for width in (6, _BAR_CELLS, None, None, 13):
        table.add_column(min_width=width, overflow="fold")
    for candidate in outcome.candidates:
        taxon = candidate.taxon
        filled = round(candidate.probability * _BAR_CELLS)
        table.add_row(
            f"{candidate.probability:5.1%}",
            "█" * filled + "░" * (_BAR_CELLS - filled),
            escape(taxon.vernacular_name or ""),
            f"[italic]{escape(taxon.scientific_name)}[/]",
            f"GBIF {taxon.gbif_key}" if taxon.gbif_key else "",
        )
    console.print(table)
    models = " + ".join(model.title for model in outcome.models)
    told = [str(outcome.group), models, f"{outcome.timings_ms['total']:.0f} ms"]
    console.print(f"[dim]{escape(' · '.join([*told, *outcome.notes]))}[/]\n", soft_wrap=True)


def _lead(outcome: Identification) -> str:
    if not outcome.known:
        return "[yellow]probably not in what the models know[/]"
    if outcome.verdict is None:
        return "not sure even of the class"
    taxon = outcome.verdict.taxon
    sure = f"{taxon.rank} [italic]{escape(taxon.scientific_name)}[/]"
    return f"{sure}, {outcome.verdict.probability:.0%}"
