"""The ``bench`` sub-commands, joined."""

from __future__ import annotations

import typer

from tools.bench.bot import bench_bot
from tools.bench.compare import bench_compare
from tools.bench.index import bench_index_command
from tools.bench.names import bench_names_command

bench_app = typer.Typer(
    help="Measure what things cost on this machine; without a command: compare."
)
bench_app.callback(invoke_without_command=True)(bench_compare)
bench_app.command("compare")(bench_compare)
bench_app.command("bot")(bench_bot)
bench_app.command("index")(bench_index_command)
bench_app.command("names")(bench_names_command)
