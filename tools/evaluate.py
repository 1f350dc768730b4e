"""``fieldmark eval``: how often the engine is right, on labelled photos."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import typer

from engine import (
    CERTAINTY,
    Engine,
    EngineError,
    EngineSettings,
    Group,
    Identification,
    PhotoRejected,
    TaxonTable,
    Verdict,
)
from engine.precision import PRECISIONS
from tools.answerable import Answerable
from tools.bar import Bar
from tools.engine_options import (
    HomeOption,
    IndexOption,
    ModelsOption,
    PhotosArgument,
    RuntimeOption,
    check_index_is_used,
    check_runtime,
    engine_settings,
    fail,
    refuse,
)
from tools.evaluation_report import show_answers, show_verdicts
from tools.identify import identify_all
from tools.manifest import GROUP_FOLDERS, LabelledPhoto, ManifestInvalid, read_manifest
from tools.scoring import (
    Answered,
    accuracy,
    agreement,
    as_json,
    calibration,
    computed_by,
    confusions,
    known_area,
    outside,
)
from tools.usable_photos import LeftOut, rejection
from tools.verdict_scores import Judged, score_verdicts, verdicts_at

_NO_ORGANISM = "negatives"
_EVERY_CANDIDATE = 10_000
_Kept = TypeVar("_Kept")


def evaluate(
    photos: PhotosArgument,
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
    verdict: Annotated[
        bool, typer.Option("--verdict", help="Score the verdicts, at whatever rank, instead.")
    ] = False,
    certainty: Annotated[
        list[float] | None,
        typer.Option(
            min=0.01, max=1, help="With --verdict, how sure it must be; may be given repeatedly."
        ),
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="JSON in place of tables.")] = False,
    models: ModelsOption = None,
    home: HomeOption = None,
    index: IndexOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Measure top-1, top-5 and calibration on labelled photos, or how good the verdicts are."""
    settings = engine_settings(models, home, runtime, index)
    if verdict and against:
        raise refuse("--against compares first answers and not verdicts: leave out one of the two.")
    if certainty and not verdict:
        raise refuse("--certainty is how sure a verdict must be: add --verdict, or leave it out.")
    taxa = TaxonTable.load()
    left_out = LeftOut()
    try:
        chosen = _choose(read_manifest(photos, split, taxa, left_out), group)
    except ManifestInvalid as error:
        raise refuse(str(error)) from error
    try:
        if verdict:
            report = _verdicts(settings, chosen, left_out, group, certainty or [CERTAINTY], taxa)
        else:
            report = _answers(settings, chosen, left_out, group, against)
    except EngineError as error:
        raise fail(str(error)) from error
    about = {"photos": str(photos), "split": split, "group": group.value}
    report = {**about, "left_out": left_out.photos, **report}
    if as_json_:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif verdict:
        show_verdicts(report)
    else:
        show_answers(report)


def _answers(
    settings: EngineSettings,
    chosen: Sequence[LabelledPhoto],
    left_out: LeftOut,
    group: Group,
    against: str | None,
) -> dict[str, Any]:
    """Report on the candidates, and on how far another runtime agrees."""

    def keep(photo: LabelledPhoto, answer: Identification) -> Answered:
        return Answered(photo=photo, answer=answer)

    other = _second(settings, against) if against else None
    answered, hosted = asyncio.run(_identify(settings, chosen, left_out, group, keep))
    report = _report(answered, Answerable.by(hosted, settings))
    if other:
        title = f"With {against}"
        again = [one.photo for one in answered]
        second, _ = asyncio.run(_identify(other, again, left_out, group, keep, title=title))
        computed = computed_by(answered)
        if computed_by(second) == computed:
            computing = ", ".join(sorted(set(computed.values())))
            raise EngineError(
                f"Both runs compute in {computing}, so there is nothing to compare: choose another"
                " --runtime for the first, or another `precision` under [engine]."
            )
        report["agreement"] = {"with": against, **agreement(answered, second)}
    return report


def _verdicts(
    settings: EngineSettings,
    chosen: Sequence[LabelledPhoto],
    left_out: LeftOut,
    group: Group,
    certainties: Sequence[float],
    taxa: TaxonTable,
) -> dict[str, Any]:
    """Report on the verdicts, each photo being looked at once for all certainties."""

    def keep(
        photo: LabelledPhoto, answer: Identification
    ) -> tuple[LabelledPhoto, tuple[Verdict | None, ...]]:
        return photo, verdicts_at(answer, certainties, taxa.ancestor)

    identifying = _identify(
        settings, chosen, left_out, group, keep, limit=_EVERY_CANDIDATE, certainty=certainties[0]
    )
    answered, hosted = asyncio.run(identifying)
    answerable = Answerable.by(hosted, settings)
    judged = [
        Judged(photo=photo, truth=answerable.truth(photo), verdicts=verdicts)
        for photo, verdicts in answered
        if answerable.is_known(photo) or answerable.is_unknown(photo)
    ]
    return {"models": dict(hosted), "verdicts": score_verdicts(judged, certainties)}


def _second(settings: EngineSettings, against: str) -> EngineSettings:
    """Return the settings with another precision, or with another runtime."""
    for precision in PRECISIONS:
        if against == precision:
            return replace(settings, precision=precision)
    return replace(settings, runtime=check_runtime(against))


def _choose(photos: list[LabelledPhoto], group: Group) -> list[LabelledPhoto]:
    """Return the photos to ask about as ``group``.

    Raises:
        ManifestInvalid: there are none.
    """
    if group in (Group.AUTO, Group.GENERIC):
        return photos
    name = GROUP_FOLDERS[group]
    chosen = [photo for photo in photos if photo.group == name]
    if not chosen:
        raise ManifestInvalid(
            f"None of these photos are of the group {name!r}: choose another --group or --split."
        )
    return chosen


async def _identify(
    settings: EngineSettings,
    photos: Sequence[LabelledPhoto],
    left_out: LeftOut,
    group: Group,
    keep: Callable[[LabelledPhoto, Identification], _Kept],
    *,
    title: str = "Identifying",
    limit: int = 5,
    certainty: float = CERTAINTY,
) -> tuple[list[_Kept], dict[str, str]]:
    """Identify every photo; return what ``keep`` makes of the answers, and the runtimes used.

    Photos that cannot be used are ``left_out``.

    Raises:
        EngineError: that is so of all, or a photo was not answered for another reason.
    """
    kept = []
    with Bar() as bar:
        async with Engine(settings) as engine:
            check_index_is_used(engine, settings)
            paths = [photo.path for photo in photos]
            outcomes = identify_all(engine, paths, group, limit, certainty=certainty)
            done = 0
            async for path, outcome in outcomes:
                photo = photos[done]
                if isinstance(outcome, Identification):
                    kept.append(keep(photo, outcome))
                elif isinstance(outcome, PhotoRejected):
                    left_out.tell(photo.name, rejection(outcome))
                else:
                    raise EngineError(f"{path}: {outcome}")
                done += 1
                bar.show(title, done, len(photos))
            if not kept:
                raise EngineError("Not one of the photos can be used.")
            hosted = {m.name: m.runtime for m in engine.models() if m.runtime is not None}
    return kept, hosted


def _report(answered: Sequence[Answered], answerable: Answerable) -> dict[str, Any]:
    """Score by group."""
    known = [a for a in answered if answerable.is_known(a.photo)]
    unknown = [a for a in answered if answerable.is_unknown(a.photo)]
    groups: dict[str, Any] = {}
    for name in sorted({a.photo.group for a in answered}):
        inside = [a for a in known if a.photo.group == name]
        others = [a for a in unknown if a.photo.group == name]
        groups[name] = {
            "known_species": as_json(accuracy(inside)) if inside else None,
            "unknown_species": as_json(outside(others)) if others else None,
        }
    strangers = [a for a in unknown if a.photo.group == _NO_ORGANISM]
    outside_species = [a for a in unknown if a.photo.group != _NO_ORGANISM]
    return {
        "models": dict(answerable.models),
        "groups": groups,
        "all_known_species": as_json(accuracy(known)) if known else None,
        "every_photo": as_json(calibration(known, unknown)) if known or unknown else None,
        "known_auroc": {
            "species_outside": known_area(known, outside_species),
            "no_organism": known_area(known, strangers),
        },
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
