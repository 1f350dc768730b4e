"""The ``study`` sub-commands, joined."""

from __future__ import annotations

import typer

from tools.study.known import study_known
from tools.study.mixing import study_mixing
from tools.study.networks import study_networks
from tools.study.precision import study_precision
from tools.study.route import study_route
from tools.study.vote import study_vote

study_app = typer.Typer(
    help="Repeat the comparisons behind choices in the engine.", no_args_is_help=True
)
study_app.command("networks")(study_networks)
study_app.command("vote")(study_vote)
study_app.command("mixing")(study_mixing)
study_app.command("route")(study_route)
study_app.command("known")(study_known)
study_app.command("precision")(study_precision)
