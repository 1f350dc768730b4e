"""The engine's values as dictionaries of what JSON knows, written by hand.

A worker writes them, and gets by without pydantic, which reads them on the other side, where they
are not to be trusted. It would take longer to import than a network to open.
"""

from __future__ import annotations

from typing import Any

from engine.contracts import (
    Ancestor,
    Candidate,
    Coordinates,
    Identification,
    ModelInfo,
    ReferencePhoto,
    Taxon,
)

Plain = dict[str, Any]


def plain_taxon(taxon: Taxon) -> Plain:
    """Write a taxon."""
    return {
        "scientific_name": taxon.scientific_name,
        "rank": taxon.rank,
        "lineage": [{"rank": a.rank, "name": a.name} for a in taxon.lineage],
        "vernacular_name": taxon.vernacular_name,
        "gbif_key": taxon.gbif_key,
        "col_key": taxon.col_key,
    }


def taxon_of(plain: Plain) -> Taxon:
    """Read a taxon that the engine wrote."""
    lineage = tuple(Ancestor(a["rank"], a["name"]) for a in plain["lineage"])
    return Taxon(**{**plain, "lineage": lineage})


def plain_reference(reference: ReferencePhoto) -> Plain:
    """Write whose a photo of the index is."""
    return {
        "source": reference.source,
        "licence": reference.licence,
        "attribution": reference.attribution,
        "url": reference.url,
    }


def plain_coordinates(coordinates: Coordinates) -> Plain:
    """Write a position."""
    return {"latitude": coordinates.latitude, "longitude": coordinates.longitude}


def plain_model(model: ModelInfo) -> Plain:
    """Write how a network stands."""
    return {
        "name": model.name,
        "title": model.title,
        "group": model.group.value,
        "version": model.version,
        "classes": model.classes,
        "runtime": model.runtime,
        "problem": model.problem,
    }


def plain_identification(identification: Identification) -> Plain:
    """Write an answer, but for its preview."""
    verdict = identification.verdict
    return {
        "candidates": [_plain_candidate(candidate) for candidate in identification.candidates],
        "verdict": None
        if verdict is None
        else {"taxon": plain_taxon(verdict.taxon), "probability": verdict.probability},
        "group": identification.group.value,
        "known": identification.known,
        "known_score": identification.known_score,
        "trust": identification.trust,
        "models": [plain_model(model) for model in identification.models],
        "timings_ms": identification.timings_ms,
        "notes": identification.notes,
    }


def _plain_candidate(candidate: Candidate) -> Plain:
    return {
        "taxon": plain_taxon(candidate.taxon),
        "probability": candidate.probability,
        "model": candidate.model,
        "references": [plain_reference(reference) for reference in candidate.references],
    }
