"""``fieldmark bench names``: what a keystroke of autocomplete costs, and what typos it forgives.

Names are drawn from the whole table, in all languages, and typed letter by letter, rightly
and with typos (a letter left out, doubled, swapped with the next, or another one), at even
chances. To these come texts that are hard on a search: single letters, which
begin the most names, and long and senseless ones. Times are of the processor, so that a
busy machine does not count.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from engine import TaxonTable
from engine.taxonomy.vernacular import VernacularNames
from tools.bench.machine import describe_machine

_SEED = 2026
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CHOICES = 25
_MOST_LETTERS = 100
_SHORTEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a bench measured. The shares are of whole names of six letters or more."""

    prepare_ms: float
    keystrokes: int
    median_ms: float
    p99_ms: float
    worst_ms: float
    worst_text: str
    first_without_typo: float
    among_5_with_1_typo: float
    among_25_with_1_typo: float
    among_5_with_2_typos: float
    among_25_with_2_typos: float
    machine: str


def bench_names_command(
    names: Annotated[int, typer.Option(min=10, help="Names to type.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Type names, with typos and without, and time each keystroke's suggestions."""
    figures = asdict(measure(names))
    if as_json:
        typer.echo(json.dumps(figures, indent=2, ensure_ascii=False))
    else:
        for key, value in figures.items():
            typer.echo(f"{key:<22} {value:,}" if isinstance(value, int) else f"{key:<22} {value}")


def measure(count: int) -> Figures:
    """Time the keystrokes of ``count`` names, and count what their suggestions find."""
    taxa = TaxonTable.load()
    started = time.thread_time()
    taxa.prepare_search()
    prepare_ms = _since_ms(started)
    chance = random.Random(_SEED)  # noqa: S311
    names = chance.sample(sorted(_all_names(taxa)), count)
    times = {text: _time(taxa, text) for text in sorted(set(_keystrokes(names, chance)))}
    worst = max(times, key=times.__getitem__)
    whole = [name for name in names if len(name) >= _SHORTEST]
    once, twice = ([misspell(name, typos, chance) for name in whole] for typos in (1, 2))
    ordered = sorted(times.values())
    return Figures(
        prepare_ms=round(prepare_ms),
        keystrokes=len(times),
        median_ms=round(statistics.median(ordered), 1),
        p99_ms=round(ordered[int(0.99 * len(ordered))], 1),
        worst_ms=round(ordered[-1], 1),
        worst_text=worst,
        first_without_typo=_found(taxa, whole, whole, 1),
        among_5_with_1_typo=_found(taxa, whole, once, 5),
        among_25_with_1_typo=_found(taxa, whole, once, _CHOICES),
        among_5_with_2_typos=_found(taxa, whole, twice, 5),
        among_25_with_2_typos=_found(taxa, whole, twice, _CHOICES),
        machine=describe_machine(),
    )


def _all_names(taxa: TaxonTable) -> set[str]:
    vernacular = VernacularNames.load()
    names = {name for taxon in taxa for _, name in vernacular.of(taxon.scientific_name)}
    for taxon in taxa:
        names |= {taxon.scientific_name, taxon.vernacular_name or taxon.scientific_name}
    return names


def _keystrokes(names: Sequence[str], chance: random.Random) -> Iterator[str]:
    for name in names:
        typed = misspell(name, chance.randrange(3), chance)
        yield from (typed[:end] for end in range(1, len(typed) + 1))
    for letter in _LETTERS:
        yield from (letter, f"{letter} ", letter * _MOST_LETTERS)
    for length in range(1, _MOST_LETTERS + 1):
        yield "".join(chance.choices(f"{_LETTERS} ", k=length))


def misspell(name: str, typos: int, chance: random.Random) -> str:
    """Return ``name`` with as many typos as asked for, none of them in the first letter."""
    letters = list(name)
    for _ in range(typos):
        at = chance.randrange(1, max(2, len(letters) - 1))
        match chance.randrange(4):
            case 0:
                del letters[at : at + 1]
            case 1:
                letters[at:at] = letters[at : at + 1]
            case 2:
                letters[at : at + 2] = reversed(letters[at : at + 2])
            case _:
                letters[at : at + 1] = chance.choice(_LETTERS)
    return "".join(letters)


def _found(taxa: TaxonTable, names: Sequence[str], typed: Sequence[str], choices: int) -> float:
    """Return the share of ``names`` whose taxon is among the first suggestions for ``typed``."""
    hits = sum(
        not set(taxa.named(name)).isdisjoint(taxa.suggest(text, limit=choices))
        for name, text in zip(names, typed, strict=True)
    )
    return round(hits / len(names), 3)


def _time(taxa: TaxonTable, text: str) -> float:
    started = time.thread_time()
    taxa.suggest(text, limit=_CHOICES)
    return _since_ms(started)


def _since_ms(started: float) -> float:
    return (time.thread_time() - started) * 1000
