"""``fieldmark taxa resolve``: find the GBIF keys that the taxon table lacks.

Names are looked up in recorded answers of GBIF, in a list on this machine, or asked for at
GBIF, or several of these, in this order. What is certain is written to the file of resolved
keys and into the taxon table; what is not is listed in a report, with what speaks against it,
and never guessed.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from bot.gbif.client import API
from engine.taxonomy.taxa import DEFAULT_PATH, LABEL_SETS, TaxonTable, TaxonTableError
from tools.keys import listed
from tools.keys.coverage import coverage, coverage_table, higher_coverage, higher_table
from tools.keys.journal import Journal
from tools.keys.outcome import Doubt, Outcome, Unresolved
from tools.keys.questions import Asker, GbifLost
from tools.keys.recorded_usages import read_recordings
from tools.keys.recordings import RecordedKeys
from tools.keys.resolved import (
    RESOLVED_KEYS,
    Question,
    ResolvedKey,
    lay_over_table,
    read_keys,
    write_keys,
)
from tools.label_facts import LabelsError

_ARTIFACTS = Path("artifacts")


def open_questions(table: TaxonTable, *, higher: bool) -> list[Question]:
    """Return a question for each label's taxon without a key, or for every taxon without."""
    labels = {id(taxon) for label_set in LABEL_SETS for taxon in table.labels(label_set)}
    return [
        Question.of(taxon)
        for taxon in table
        if taxon.gbif_key is None and (higher or id(taxon) in labels)
    ]


def settle(
    outcomes: Iterable[Outcome], table: TaxonTable, known: Iterable[ResolvedKey]
) -> tuple[list[ResolvedKey], list[Unresolved]]:
    """Part keys from doubts, having taken back each key that another taxon has, too."""
    outcomes = list(outcomes)
    resolved = [found for found in outcomes if isinstance(found, ResolvedKey)]
    unresolved = [found for found in outcomes if isinstance(found, Unresolved)]
    bearers = Counter(found.gbif_key for found in (*known, *resolved))
    certain = []
    for found in resolved:
        other = table.by_gbif_key(found.gbif_key)
        if other is None and bearers[found.gbif_key] == 1:
            certain.append(found)
            continue
        whose = other.scientific_name if other is not None else "several taxa"
        unresolved.append(
            Unresolved(
                question=found.question,
                doubt=Doubt.SHARED,
                source=found.source,
                detail=f"{found.gbif_key} of {whose}",
            )
        )
    return certain, unresolved


def ask_all(
    asker: Asker, left: Sequence[Unresolved], console: Console
) -> tuple[list[Outcome], str | None]:
    """Return what came of everything that is ``left``, and why GBIF stopped, if it did."""
    outcomes: list[Outcome] = []
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for one in progress.track(left, description="Asking GBIF"):
            try:
                outcomes.append(asker.ask(one.question))
            except GbifLost as error:
                return [*outcomes, *left[len(outcomes) :]], str(error)
    return outcomes, None


def write_report(path: Path, unresolved: Iterable[Unresolved]) -> None:
    """List what stays without a key, and why."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter="\t", lineterminator="\n")
        lines.writerow(
            ("kingdom", "family", "rank", "scientific_name", "doubt", "detail", "source")
        )
        for one in sorted(unresolved, key=lambda one: one.question):
            asked = one.question
            lines.writerow(
                (
                    *(asked.kingdom, asked.family, asked.rank, asked.scientific_name),
                    *(one.doubt, one.detail, one.source),
                )
            )


def resolve_command(
    names: Annotated[
        Path | None, typer.Option(help="A gbif_names.csv.gz to look names up in.", exists=True)
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="A folder of recorded answers of GBIF.", exists=True, file_okay=False),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask GBIF for what is left.")] = False,
    contact: Annotated[str, typer.Option(help="An address or page where GBIF reaches you.")] = "",
    higher: Annotated[
        bool, typer.Option("--higher", help="Genera, families ... too, not only labels.")
    ] = False,
    table: Annotated[Path, typer.Option(help="The taxon table to complete.")] = DEFAULT_PATH,
    keys: Annotated[Path, typer.Option(help="Where found keys are kept.")] = RESOLVED_KEYS,
    journal: Annotated[
        Path, typer.Option(help="Where answers are kept, to go on after a stop.")
    ] = _ARTIFACTS / "gbif_answers.jsonl",
    report: Annotated[
        Path, typer.Option(help="Where to list the names that stay without a key.")
    ] = _ARTIFACTS / "unresolved_taxa.tsv",
    base_url: Annotated[str, typer.Option(hidden=True)] = API,
) -> None:
    """Find GBIF keys that the taxon table lacks: in recordings, in a list, or at GBIF."""
    if names is None and recordings is None and not ask:
        raise typer.BadParameter(
            "Give --recordings DIR, --names FILE, or --ask to ask GBIF, or several of them."
        )
    console, today = Console(stderr=True), datetime.now(UTC).date()
    try:
        taxa, known = TaxonTable.load(table), read_keys(keys)
        asked = {key.question for key in known}
        questions = [q for q in open_questions(taxa, higher=higher) if q not in asked]
        resolved: list[ResolvedKey] = []
        unresolved = [_not_asked(question) for question in questions]
        contradicted: list[Unresolved] = []
        if recordings is not None:
            usages, damaged = read_recordings(recordings)
            for file in damaged:
                console.print(f"{file} was left out: it is no whole JSON.")
            recorded = RecordedKeys(usages, taxa)
            contradicted = list(recorded.contradictions())
            resolved, unresolved = settle(recorded.look_up(questions, today), taxa, known)
        if names is not None:
            left = [one.question for one in unresolved]
            found = _second_look(unresolved, listed.look_up(names, left, taxa, today))
            resolved, unresolved = settle([*resolved, *found], taxa, known)
        stopped = None
        if ask:
            asker = Asker(Journal(journal), today=today, contact=contact, base_url=base_url)
            answers, stopped = ask_all(asker, unresolved, console)
            resolved, unresolved = settle([*resolved, *answers], taxa, known)
        write_keys(keys, [*known, *resolved])
        lay_over_table(table, [*known, *resolved])
    except (LabelsError, TaxonTableError) as error:
        raise typer.BadParameter(str(error)) from error
    write_report(report, [*unresolved, *contradicted])
    _tell(table, resolved, unresolved, report)
    if contradicted:
        console.print(
            f"Keys of the table that recordings contradict, and that stay: {len(contradicted):,},"
            f" listed in {report}."
        )
    if stopped is not None:
        console.print(f"{stopped}. What it answered is kept: run this again to go on.")
        raise typer.Exit(1)


def _not_asked(question: Question) -> Unresolved:
    return Unresolved(question=question, doubt=Doubt.NOT_ASKED, source="")


def _second_look(first: Sequence[Unresolved], second: Iterable[Outcome]) -> list[Outcome]:
    """Return the ``second`` outcomes, but the first doubt where only the first knew the name."""
    ignorant = {Doubt.UNKNOWN, Doubt.NOT_ASKED}
    return [
        before
        if isinstance(now, Unresolved) and now.doubt in ignorant and before.doubt not in ignorant
        else now
        for before, now in zip(first, second, strict=True)
    ]


def _tell(
    table: Path,
    resolved: Sequence[ResolvedKey],
    unresolved: Sequence[Unresolved],
    report: Path,
) -> None:
    console = Console()
    completed = TaxonTable.load(table)
    console.print(coverage_table(coverage(completed)))
    console.print(higher_table(higher_coverage(completed)))
    for doubt, count in Counter(one.doubt for one in unresolved).most_common():
        console.print(f"{count:>6,}  {doubt}")
    console.print(
        f"{len(resolved):,} keys found; {len(unresolved):,} taxa without one, in {report}."
    )
