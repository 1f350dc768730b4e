"""``fieldmark bench bot``: start to READY, photo to answer, message to card."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from engine import Engine, EngineError, EngineSettings, Group
from engine.networks.samples import bundled_photos
from tools.bench.machine import describe_machine
from tools.engine_options import HomeOption, ModelsOption, engine_settings, fail
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot

_AT_ONCE = 16

Figures = dict[str, float]


def bench_bot(
    models: ModelsOption = None,
    home: HomeOption = None,
    quick: Annotated[bool, typer.Option(help="Fewer runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table.")] = False,
) -> None:
    """Measure the bot: start to READY, photo to answer, message posted to card received."""
    settings = engine_settings(models, home)
    runs = 20 if quick else 100
    try:
        figures = {
            "process start to READY in the sandbox, s": _starts(3 if quick else 7),
            **asyncio.run(_answers(settings, runs)),
        }
    except EngineError as error:
        raise fail(str(error)) from error
    if as_json:
        typer.echo(json.dumps({"machine": describe_machine(), "figures": figures}, indent=2))
    else:
        _show(figures)


def _starts(times: int) -> Figures:
    seconds = []
    for _ in track(range(times), "Starting", console=Console(stderr=True), transient=True):
        command = [sys.executable, "-m", "tools.bench.start", str(time.time())]
        # Our own interpreter and module; nothing of it comes from outside.
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        seconds.append(float(done.stdout))
    return _summary(seconds)


async def _answers(settings: EngineSettings, runs: int) -> dict[str, Figures]:
    _, flower = bundled_photos()
    photo = flower.read_bytes()
    begun = time.perf_counter()
    async with Engine(settings) as engine:
        cold = time.perf_counter() - begun

        async def identify() -> None:
            await engine.identify([photo], Group.AUTO)

        alone = await _time(identify, runs)
        begun = time.perf_counter()
        gate = asyncio.Semaphore(_AT_ONCE)

        async def queued() -> None:
            async with gate:
                await identify()

        await asyncio.gather(*(queued() for _ in range(runs)))
        together = runs / (time.perf_counter() - begun)
        posted = await _post(engine, photo, runs)
    return {
        "engine start to first worker ready, s": _summary([cold]),
        "photo in to answer out, ms": _summary([1000 * t for t in alone]),
        f"photos a second, {_AT_ONCE} at once": _summary([together]),
        "message posted to card received, ms": _summary([1000 * t for t in posted]),
    }


async def _post(engine: Engine, photo: bytes, runs: int) -> list[float]:
    """Post photos in the sandbox one after another and wait for each card."""
    with tempfile.TemporaryDirectory() as folder:
        settings = sandbox_settings(Path(folder))
        async with Sandbox() as sandbox, sandboxed_bot(sandbox, engine, settings, alone=True):

            async def post() -> None:
                message = await sandbox.member.post(
                    sandbox.channel, sandbox.mention, [("flower.jpg", photo)]
                )
                await sandbox.wait_for(
                    lambda m: (m.get("message_reference") or {}).get("message_id") == message["id"]
                )

            return await _time(post, runs)


async def _time(action: Callable[[], Awaitable[None]], runs: int) -> list[float]:
    await action()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        await action()
        seconds.append(time.perf_counter() - begun)
    return seconds


def _summary(values: list[float]) -> Figures:
    ordered = sorted(values)
    return {
        "runs": len(values),
        "median": round(statistics.median(values), 2),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
    }


def _show(figures: dict[str, Figures]) -> None:
    console = Console()
    table = Table("what", "runs", "median", "p99")
    for name, row in figures.items():
        table.add_row(name, str(row["runs"]), f"{row['median']:g}", f"{row['p99']:g}")
    console.print(describe_machine(), soft_wrap=True)
    console.print(table)
