"""The ``fieldmark`` command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

_LIES_IN = {
    "identify": "tools.identify.identify",
    "eval": "tools.evaluate.evaluate",
    "calibrate": "tools.calibrate.calibrate",
    "demo": "tools.demo.demo",
    "study": "tools.study.app.study_app",
    "bench": "tools.bench.app.bench_app",
    "index": "tools.index.app.index_app",
    "models": "tools.models.models_app",
    "starter": "tools.starter.app.starter_app",
    "taxa": "tools.taxa.app.taxa_app",
}


class _Commands(Mapping[str, Any]):
    """The commands, of which each is imported once it is asked for.

    Together they import Discord's library, FAISS and more, for which ``identify`` should not wait.
    """

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _LIES_IN[name].rpartition(".")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command()(found)
            command = typer.main.get_command(alone)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_LIES_IN)

    def __len__(self) -> int:
        return len(_LIES_IN)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**(attributes | {"commands": _Commands()}))


app = typer.Typer(cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def fieldmark() -> None:
    """Fieldmark: name the species in a photo, in the terminal or on Discord."""


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A file's name may be no text; it is printed as it came.
        sys.stdout.reconfigure(errors="surrogateescape")
    app()
