"""Everything that sees pixels. This module is the engine's one door."""

from engine.admission import Ticket
from engine.contracts import (
    SPECIES_RANKS,
    Ancestor,
    Candidate,
    EngineBusy,
    EngineError,
    EngineFailed,
    EngineTimeout,
    Group,
    Identification,
    ModelInfo,
    ModelUnavailable,
    NameMatch,
    PhotoRejected,
    ReferencePhoto,
    Requester,
    Taxon,
    Verdict,
)
from engine.place import weigh_identification
from engine.rollup import CERTAINTY
from engine.service import Engine
from engine.settings import EngineSettings
from engine.taxa import TaxonTable

__all__ = [
    "CERTAINTY",
    "SPECIES_RANKS",
    "Ancestor",
    "Candidate",
    "Engine",
    "EngineBusy",
    "EngineError",
    "EngineFailed",
    "EngineSettings",
    "EngineTimeout",
    "Group",
    "Identification",
    "ModelInfo",
    "ModelUnavailable",
    "NameMatch",
    "PhotoRejected",
    "ReferencePhoto",
    "Requester",
    "Taxon",
    "TaxonTable",
    "Ticket",
    "Verdict",
    "weigh_identification",
]
