"""``fieldmark demo``: the whole bot on this machine, without an account or a token.

Starts the sandbox (a Discord of our own), the engine and the bot, which is the one that
``python -m bot`` runs, and prints the address of a page to chat with it in.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine import Engine, EngineError, EngineSettings
from tools.engine_options import HomeOption, IndexOption, ModelsOption, engine_settings, fail
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot


class _NoModels(EngineError):
    """The demo would have nothing to answer with."""


def demo(
    models: ModelsOption = None,
    home: HomeOption = None,
    index: IndexOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0: any.")] = 8420,
) -> None:
    """Try the bot on this machine: prints the address of a page to chat in."""
    settings = engine_settings(models, home, index=index)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_run(settings, port))
    except EngineError as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"The demo cannot start: {error.strerror or error}.") from error


async def _run(engine_options: EngineSettings, port: int) -> None:
    console = Console()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="fieldmark-demo-") as folder:
        console.print("Starting the engine ...")
        engine = Engine(engine_options)
        try:
            await engine.start()
            _say_models(console, engine)
            async with Sandbox(page_port=port) as sandbox:
                await _serve(console, sandbox, engine, Path(folder), stop)
        finally:
            await engine.close()
    console.print("Stopped.")


async def _serve(
    console: Console, sandbox: Sandbox, engine: Engine, folder: Path, stop: asyncio.Event
) -> None:
    """Run the bot in the sandbox until ``stop``, or until the bot ends by itself."""
    stopping = asyncio.create_task(stop.wait())
    async with sandboxed_bot(
        sandbox, engine, sandbox_settings(folder, gbif=True), alone=True
    ) as running:
        console.print(
            f"\n  Open [bold]{sandbox.page_url}[/] and drop a photo into #photos, "
            "or type /identify.\n  Ctrl-C stops everything; nothing is kept.\n"
        )
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def _say_models(console: Console, engine: Engine) -> None:
    hosted = [model for model in engine.models() if model.problem is None]
    if not hosted:
        raise _NoModels(
            "There is no model on this machine yet: fetch them with `fieldmark models pull`, or "
            "name a folder of Hub modules with `make demo MODELS=DIR`."
        )
    for model in engine.models():
        state = model.problem or f"{model.title}: ready ({model.runtime})"
        console.print(f"  {model.group.value:8} {state}")
