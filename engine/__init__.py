"""Everything that sees pixels. This module is the engine's one door.

``Engine`` comes when it is first asked for: a worker is behind the door too, and has no use for
what runs workers.
"""

from typing import TYPE_CHECKING, Any

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
from engine.settings import EngineSettings
from engine.taxa import TaxonTable

if TYPE_CHECKING:
    from engine.service import Engine

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


def __getattr__(name: str) -> Any:
    if name != "Engine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engine.service import Engine

    return Engine
