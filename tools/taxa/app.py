"""``fieldmark taxa``: build the engine's tables of names and keys."""

from __future__ import annotations

import typer

from tools.keys.resolve import resolve_command
from tools.taxa.table import build_command
from tools.taxa.vernacular_names import names_command

taxa_app = typer.Typer(
    help="The tables that labels, names and keys are looked up in.", no_args_is_help=True
)
taxa_app.command("build")(build_command)
taxa_app.command("names")(names_command)
taxa_app.command("resolve")(resolve_command)
