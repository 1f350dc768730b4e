"""The ``bench`` sub-commands, joined."""

from __future__ import annotations

import typer

from tools.bench.bot import bench_bot
from tools.bench.index import bench_index_command
from tools.bench.names import bench_names_command

bench_app = typer.Typer(help="Measure what things cost on this machine.", no_args_is_help=True)
bench_app.command("bot")(bench_bot)
bench_app.command("index")(bench_index_command)
bench_app.command("names")(bench_names_command)
