"""``fieldmark eval``: how often the engine is right, on labelled photos."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine import Engine, EngineError, EngineSettings, Group, Identification, TaxonTable
from engine.generic import index_folder
from engine.index import SpeciesIndex
from engine.runtime import Precision
from engine.starter import STARTER, starter_index
from tools.engine_options import (
    HomeOption,
    IndexOption,
    ModelsOption,
    RuntimeOption,
    check_runtime,
    engine_settings,
    fail,
    refuse,
)
from tools.identify import identify_all
from tools.manifest import GROUP_FOLDERS, LabelledPhoto, ManifestInvalid, read_manifest
from tools.scoring import Answered, accuracy, agreement, as_json, confusions, outside


def evaluate(
    photos: Annotated[Path, typer.Argument(help="Folder with a MANIFEST.csv.")],
    split: Annotated[str, typer.Option(help="Which split of the manifest.")] = "test",
    group: Annotated[
        Group, typer.Option(help="Ask as this group, of its photos alone; auto takes all.")
    ] = Group.AUTO,
    against: Annotated[
        str | None,
        typer.Option(
            help="Run a second time with this runtime, or at bf16 or f32, and compare.",
            metavar="RUNTIME",
        ),
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="JSON in place of tables.")] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
    index: IndexOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Measure top-1, top-5 and calibration on labelled photos."""
    settings = engine_settings(models, home, runtime, index)
    other = _second(settings, against) if against else None
    try:
        chosen = _choose(read_manifest(photos, split, TaxonTable.load()), group)
    except ManifestInvalid as error:
        raise refuse(str(error)) from error
    try:
        answered, hosted = asyncio.run(_answer(settings, chosen, group, "Identifying"))
        report = _report(answered, hosted, _species_of(settings, hosted))
        if other:
            second, _ = asyncio.run(_answer(other, chosen, group, f"With {against}"))
            report["agreement"] = {"with": against, **agreement(answered, second)}
    except EngineError as error:
        raise fail(str(error)) from error
    report = {"photos": str(photos), "split": split, "group": group.value, **report}
    if as_json_:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(report)


def _second(settings: EngineSettings, against: str) -> EngineSettings:
    """Return the settings with another precision, or with another runtime."""
    for precision in get_args(Precision):
        if against == precision:
            return replace(settings, precision=precision)
    return replace(settings, runtime=check_runtime(against))


def _choose(photos: list[LabelledPhoto], group: Group) -> list[LabelledPhoto]:
    if group in (Group.AUTO, Group.GENERIC):
        return photos
    return [photo for photo in photos if photo.group == GROUP_FOLDERS[group]]


async def _answer(
    settings: EngineSettings, photos: Sequence[LabelledPhoto], group: Group, title: str
) -> tuple[list[Answered], dict[str, str]]:
    """Identify every photo; return the answers, and the runtime of each label set's network."""
    answered = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=len(photos))
        async with Engine(settings) as engine:
            outcomes = identify_all(engine, [photo.path for photo in photos], group, 5)
            position = 0
            async for path, outcome in outcomes:
                if not isinstance(outcome, Identification):
                    raise EngineError(f"{path}: {outcome}")
                answered.append(Answered(photo=photos[position], answer=outcome))
                position += 1
                progress.advance(task)
            hosted = {m.name: m.runtime for m in engine.models() if m.runtime is not None}
    return answered, hosted


def _species_of(settings: EngineSettings, hosted: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the species that the index holds; none where it is not used."""
    if not {"index", STARTER} & hosted.keys():
        return frozenset()
    folder = starter_index(settings) if STARTER in hosted else index_folder(settings)
    index = SpeciesIndex.open(folder, touch=False)
    return frozenset(taxon.scientific_name for taxon in index.taxa)


def _report(
    answered: Sequence[Answered], hosted: Mapping[str, str], indexed: frozenset[str]
) -> dict[str, Any]:
    """Score by group. A species is known where a network has a label for it, or the index it."""
    known = [
        a for a in answered if a.photo.label_set in hosted or a.photo.scientific_name in indexed
    ]
    unknown = [
        a for a in answered if a.photo.label_set is None and a.photo.scientific_name not in indexed
    ]
    groups: dict[str, Any] = {}
    for name in sorted({a.photo.group for a in answered}):
        inside = [a for a in known if a.photo.group == name]
        others = [a for a in unknown if a.photo.group == name]
        groups[name] = {
            "known_species": as_json(accuracy(inside)) if inside else None,
            "unknown_species": as_json(outside(others)) if others else None,
        }
    return {
        "models": dict(hosted),
        "groups": groups,
        "right_group": _right_group(known),
        "confusions": [as_json(confusion) for confusion in confusions(known)],
    }


def _right_group(known: Sequence[Answered]) -> dict[str, float]:
    """Return, by group, the share of known species that the right network answered."""
    shares: dict[str, float] = {}
    for group, folder in GROUP_FOLDERS.items():
        of_group = [a for a in known if a.photo.group == folder]
        if of_group:
            right = sum(a.answer.group is group for a in of_group)
            shares[folder] = round(right / len(of_group), 4)
    return shares


def _show(report: dict[str, Any]) -> None:
    console = Console()
    served = ", ".join(f"{name} ({runtime})" for name, runtime in report["models"].items())
    console.print(f"{report['split']} photos of {report['photos']}, models: {served}")
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
    if report["group"] == Group.AUTO:
        shares = ", ".join(f"{k} {v:.1%}" for k, v in report["right_group"].items())
        console.print(f"auto chose the right group of: {shares}")
    worst = Table("most often taken for another", "taken for", "photos")
    for confusion in report["confusions"]:
        worst.add_row(confusion["taxon"], confusion["taken_for"], str(confusion["photos"]))
    console.print(worst)
    if same := report.get("agreement"):
        console.print(
            f"same first answer as {same['with']}: {same['top1_agreement']:.2%} of "
            f"{same['photos']}, greatest difference {same['greatest_difference']:.1e}"
        )
