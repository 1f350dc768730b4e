"""The engine's values as dictionaries of what JSON knows, written without pydantic.

A worker writes them. pydantic reads them on the other side, where they are not to be trusted; for a
worker it would take longer to import than a network to open.
"""

from __future__ import annotations

from typing import Any

from engine.contracts import (
    Ancestor,
    Candidate,
    Coordinates,
    Identification,
    Learnt,
    ModelInfo,
    ReferencePhoto,
    Taxon,
)

Plain = dict[str, Any]


def plain_taxon(taxon: Taxon) -> Plain:
    """Write a taxon."""
    return {**_fields(taxon), "lineage": [_fields(ancestor) for ancestor in taxon.lineage]}


def taxon_of(plain: Plain) -> Taxon:
    """Read a taxon that the engine wrote."""
    lineage = tuple(Ancestor(a["rank"], a["name"]) for a in plain["lineage"])
    return Taxon(**{**plain, "lineage": lineage})


def plain_reference(reference: ReferencePhoto) -> Plain:
    """Write whose a photo of the index is."""
    return _fields(reference)


def plain_learnt(learnt: Learnt) -> Plain:
    """Write what came of a lesson, but for the preview."""
    plain = _fields(learnt)
    del plain["preview"]
    return plain


def plain_coordinates(coordinates: Coordinates) -> Plain:
    """Write a position."""
    return _fields(coordinates)


def plain_model(model: ModelInfo) -> Plain:
    """Write how a network stands."""
    return {**_fields(model), "group": model.group.value}


def plain_identification(identification: Identification) -> Plain:
    """Write an answer, but for its preview."""
    verdict = identification.verdict
    plain = {
        **_fields(identification),
        "candidates": [_plain_candidate(candidate) for candidate in identification.candidates],
        "verdict": verdict and {**_fields(verdict), "taxon": plain_taxon(verdict.taxon)},
        "group": identification.group.value,
        "models": [plain_model(model) for model in identification.models],
    }
    del plain["preview"]
    return plain


def _plain_candidate(candidate: Candidate) -> Plain:
    return {
        **_fields(candidate),
        "taxon": plain_taxon(candidate.taxon),
        "references": [plain_reference(reference) for reference in candidate.references],
    }


def _fields(value: Any) -> Plain:
    """Write a value's fields as they are: one that it is given later comes along by itself."""
    return {name: getattr(value, name) for name in value.__slots__}
