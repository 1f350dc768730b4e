"""What ``fieldmark eval`` reports, set out for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from engine import Group
from tools.verdict_scores import verdict_tables


def show_verdicts(report: Mapping[str, Any]) -> None:
    """Print how good the verdicts are."""
    console = _console()
    typer.echo(_heading(report))
    for table in verdict_tables(report["verdicts"]):
        console.print(table)


def _console() -> Console:
    """Return where tables are printed with names as they are, whatever brackets they have."""
    return Console(markup=False)


def _heading(report: Mapping[str, Any]) -> str:
    served = ", ".join(f"{name} ({runtime})" for name, runtime in report["models"].items())
    left_out = f", {report['left_out']:,} left out" if report["left_out"] else ""
    return f"{report['split']} photos of {report['photos']}{left_out}, models: {served}"


def show_answers(report: Mapping[str, Any]) -> None:
    """Print how good first answers and their probabilities are."""
    console = _console()
    typer.echo(_heading(report))
    known = Table("group", "photos", "top-1", "top-5", "SE", "ECE", "said unknown")
    unknown = Table("group", "photos of unknown species", "said unknown")
    for name, group in report["groups"].items():
        if row := group["known_species"]:
            known.add_row(
                name,
                str(row["photos"]),
                f"{row['top1']:.3f}",
                f"{row['top5']:.3f}",
                f"{row['standard_error']:.3f}",
                f"{row['ece']:.3f}",
                f"{row['said_unknown']:.3f}",
            )
        if row := group["unknown_species"]:
            unknown.add_row(name, str(row["photos"]), f"{row['said_unknown']:.3f}")
    console.print(known)
    console.print(unknown)
    if row := report["all_known_species"]:
        typer.echo(f"all known species: top-1 {row['top1']:.3f}, ECE {row['ece']:.3f}")
    if row := report["every_photo"]:
        typer.echo(
            f"every photo, {row['unknown_species']} of {row['photos']} of what is not known: "
            f"ECE {row['ece']:.3f}"
        )
    areas = (
        f"{name.replace('_', ' ')} {area:.3f}"
        for name, area in report["known_auroc"].items()
        if area is not None
    )
    typer.echo(f"AUROC of known species against: {', '.join(areas) or 'nothing'}")
    if report["group"] == Group.AUTO:
        shares = ", ".join(f"{k} {v:.1%}" for k, v in report["right_group"].items())
        typer.echo(f"auto chose the right group of: {shares}")
    worst = Table("most often taken for another", "taken for", "photos")
    for confusion in report["confusions"]:
        worst.add_row(confusion["taxon"], confusion["taken_for"], str(confusion["photos"]))
    console.print(worst)
    if same := report.get("agreement"):
        typer.echo(
            f"same first answer as {same['with']}: {same['top1_agreement']:.2%} of "
            f"{same['photos']}, greatest difference {same['greatest_difference']:.1e}"
        )
