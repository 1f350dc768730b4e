"""The ``fieldmark`` command."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from tools.bench.app import bench_app
from tools.calibrate import calibrate
from tools.demo import demo
from tools.evaluate import evaluate
from tools.identify import identify
from tools.index.app import index_app
from tools.models import models_app
from tools.starter.app import starter_app
from tools.study.known import study_known
from tools.study.mixing import study_mixing
from tools.study.networks import study_networks
from tools.study.precision import study_precision
from tools.study.route import study_route
from tools.study.vote import study_vote
from tools.taxa.app import taxa_app

app = typer.Typer(
    help="Fieldmark: name the species in a photo, in the terminal or on Discord.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(identify)
app.command("eval")(evaluate)
app.command()(calibrate)
app.command()(demo)
study_app = typer.Typer(
    help="Repeat the comparisons behind choices in the engine.", no_args_is_help=True
)
study_app.command("networks")(study_networks)
study_app.command("vote")(study_vote)
study_app.command("mixing")(study_mixing)
study_app.command("route")(study_route)
study_app.command("known")(study_known)
study_app.command("precision")(study_precision)
app.add_typer(study_app, name="study")
app.add_typer(bench_app, name="bench")
app.add_typer(index_app, name="index")
app.add_typer(models_app, name="models")
app.add_typer(starter_app, name="starter")
app.add_typer(taxa_app, name="taxa")


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A file's name may be no text; it is printed as it came.
        sys.stdout.reconfigure(errors="surrogateescape")
    app()
