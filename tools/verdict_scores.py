"""How often the verdict is right, at whatever rank, and how often it goes down to the species."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from rich.table import Table

from engine import SPECIES_RANKS, Ancestor, Identification, Taxon, Verdict
from engine.rollup import roll_up
from tools.manifest import LabelledPhoto

EVERY_SPECIES = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A photo, what it shows, and the verdict on it at each of the certainties asked for.

    ``truth`` is None where neither the models nor the index know the species.
    """

    photo: LabelledPhoto
    truth: Taxon | None
    verdicts: tuple[Verdict | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpecies:
    """Shares of the photos of species that a model or the index knows.

    ``right``, ``wrong`` and ``none`` (no verdict) sum to 1. ``right_if_any`` is of those with
    a verdict; ``species_level`` counts right and wrong ones.
    """

    photos: int
    right: float
    wrong: float
    none: float
    right_if_any: float
    species_level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSpecies:
    """Shares of the photos of anything else, of which a species-level verdict must be wrong.

    ``mean_over_species`` is the mean of what ``species_level`` is for each of the ``species``, so
    that one of which there are many photos counts no more than another. Photos that show no
    organism are of no species, and have no part in it; it is None where there are no others.
    """

    photos: int
    species: int
    species_level: float
    mean_over_species: float | None
    none: float


def verdicts_at(
    answer: Identification,
    certainties: Sequence[float],
    ancestor: Callable[[Taxon, str], Taxon | None],
) -> tuple[Verdict | None, ...]:
    """Return the verdict of an answer with every candidate, at each of ``certainties``.

    The first is the one that the engine was asked for, and is taken from it.
    """
    further = (
        roll_up(answer.if_known.items(), ancestor, certainty=certainty, trust=answer.trust)
        if answer.known
        else None
        for certainty in certainties[1:]
    )
    return (answer.verdict, *further)


def is_right(verdict: Taxon, truth: Taxon) -> bool:
    """Tell whether a verdict is the truth or a higher taxon of it."""
    if verdict.scientific_name == truth.scientific_name:
        return verdict.rank == truth.rank
    same_kingdom = verdict.ancestor("kingdom") in (None, truth.ancestor("kingdom"))
    return same_kingdom and Ancestor(verdict.rank, verdict.scientific_name) in truth.lineage


def score_verdicts(judged: Sequence[Judged], certainties: Sequence[float]) -> list[dict[str, Any]]:
    """Return, for each certainty, the scores of each group and of all species together."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.photo.group, []).append(one)
    if len(groups) > 1:
        # Photos of no organism have a row of their own, but are no photos of a species.
        groups[EVERY_SPECIES] = [one for one in judged if one.photo.scientific_name]
    return [
        {
            "certainty": certainty,
            "groups": {name: _score(members, at) for name, members in sorted(groups.items())},
        }
        for at, certainty in enumerate(certainties)
    ]


def verdict_tables(scores: Sequence[Mapping[str, Any]]) -> tuple[Table, Table]:
    """Set the scores as a table of known species and one of unknown ones."""
    known = Table(
        "certainty", "group", "photos", "right", "wrong", "no verdict", "right if any", "species"
    )
    unknown = Table(
        "certainty", "group", "photos", "of unknown species", "given one", "mean over species",
        "no verdict",
    )  # fmt: skip
    for score in scores:
        for name, group in score["groups"].items():
            for table, row in (
                (known, group["known_species"]),
                (unknown, group["unknown_species"]),
            ):
                if row:
                    table.add_row(f"{score['certainty']:g}", name, *map(_cell, row.values()))
    return known, unknown


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _score(members: Sequence[Judged], at: int) -> dict[str, Any]:
    known = [one for one in members if one.truth is not None]
    unknown = [one for one in members if one.truth is None]
    return {
        "known_species": _as_json(_known(known, at)) if known else None,
        "unknown_species": _as_json(_unknown(unknown, at)) if unknown else None,
    }


def _known(judged: Sequence[Judged], at: int) -> KnownSpecies:
    n = len(judged)
    given = [(v.taxon, one.truth) for one in judged if (v := one.verdicts[at]) and one.truth]
    right = sum(is_right(verdict, truth) for verdict, truth in given)
    return KnownSpecies(
        photos=n,
        right=right / n,
        wrong=(len(given) - right) / n,
        none=(n - len(given)) / n,
        right_if_any=right / len(given) if given else 0.0,
        species_level=sum(verdict.rank in SPECIES_RANKS for verdict, _ in given) / n,
    )


def _unknown(judged: Sequence[Judged], at: int) -> UnknownSpecies:
    n = len(judged)
    named: dict[str, list[bool]] = {}
    for one in judged:
        verdict = one.verdicts[at]
        given = verdict is not None and verdict.taxon.rank in SPECIES_RANKS
        named.setdefault(one.photo.scientific_name, []).append(given)
    shares = [fmean(given) for name, given in named.items() if name]
    return UnknownSpecies(
        photos=n,
        species=len(shares),
        species_level=sum(map(sum, named.values())) / n,
        mean_over_species=fmean(shares) if shares else None,
        none=sum(one.verdicts[at] is None for one in judged) / n,
    )


def _as_json(score: KnownSpecies | UnknownSpecies) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(score).items()}
