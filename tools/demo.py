"""``fieldmark demo``: the whole bot on this machine, without an account or a token.

Starts the sandbox (a Discord of our own), the engine and the bot, which is the one that
``python -m bot`` runs, and prints the address of a page to chat with it in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from engine import Engine, EngineError, EngineSettings, Group
from engine.index.folder import MANIFEST
from tools.engine_options import HomeOption, IndexOption, ModelsOption, engine_settings, fail
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot

_KEPT = ("checksums", "compiled", "prepared")
_TAUGHT = ("index", "starter")


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


def taught_apart(settings: EngineSettings, folder: Path) -> EngineSettings:
    """Return ``settings`` with an index in ``folder``, so that what is taught goes with that.

    What is downloaded and measured stays where it is. Of an index that there is, the files are
    links, since they never change: only others come beside them.
    """
    home = settings.home.resolve()
    (folder / "home").mkdir()
    with contextlib.suppress(OSError):  # then it is all made anew the next time
        for kept in _KEPT:
            (home / kept).mkdir(parents=True, exist_ok=True)
    for place in home.iterdir() if home.is_dir() else ():
        if place.name not in _TAUGHT:
            (folder / "home" / place.name).symlink_to(place)
    index = None
    if (settings.index_folder / MANIFEST).exists():
        index = folder / "index"
        source = settings.index_folder.resolve()
        leave_out = shutil.ignore_patterns("lock")
        shutil.copytree(source, index, ignore=leave_out, copy_function=os.symlink)
    return replace(settings, home=folder / "home", index=index or settings.index)


async def _run(engine_options: EngineSettings, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="fieldmark-demo-") as folder:
        typer.echo("Starting the engine ...")
        engine = Engine(taught_apart(engine_options, Path(folder)))
        try:
            await engine.start()
            say_models(engine)
            async with Sandbox(page_port=port) as sandbox:
                await _serve(sandbox, engine, Path(folder), stop)
        finally:
            await engine.close()
    typer.echo("Stopped.")


async def _serve(sandbox: Sandbox, engine: Engine, folder: Path, stop: asyncio.Event) -> None:
    """Run the bot in the sandbox until ``stop``, or until the bot ends by itself."""
    stopping = asyncio.create_task(stop.wait())
    async with sandboxed_bot(
        sandbox, engine, sandbox_settings(folder, gbif=True), alone=True
    ) as running:
        typer.echo(
            f"\n  Open {sandbox.page_url} and drop a photo into #photos, "
            f"or type /identify{_teaching(engine)}.\n"
            "  Ctrl-C stops everything; nothing is kept.\n"
        )
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def _teaching(engine: Engine) -> str:
    index = (m for m in engine.models() if m.group is Group.GENERIC and m.problem is None)
    return " or, acting as the moderator, /teach" if any(index) else ""


def say_models(engine: Engine) -> None:
    """Print how each model stands.

    Raises:
        EngineError: there is none that can answer.
    """
    hosted = [model for model in engine.models() if model.problem is None]
    if not hosted:
        raise _NoModels(
            "There is no model on this machine yet: fetch them with `fieldmark models pull`, or "
            "name a folder of Hub modules with `make demo MODELS=DIR`."
        )
    for model in engine.models():
        state = model.problem or f"{model.title}: ready ({model.runtime})"
        typer.echo(f"  {model.group.value:8} {state}")
