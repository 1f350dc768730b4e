"""Everything that sees pixels. This module is the engine's one door.

What runs workers, and what they do without, comes when it is first asked for: a worker is behind
the door too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    Learnt,
    ModelInfo,
    ModelUnavailable,
    NameMatch,
    PhotoRejected,
    ReferencePhoto,
    Requester,
    Taxon,
    Verdict,
)
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from engine.catalog import load_catalog
    from engine.place import weigh_identification
    from engine.rollup import CERTAINTY
    from engine.service import Engine
    from engine.taxonomy.taxa import TaxonTable
    from engine.workers.admission import Ticket

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
    "Learnt",
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
    "load_catalog",
    "weigh_identification",
]

_LIES_IN = {
    "CERTAINTY": "engine.rollup",
    "Engine": "engine.service",
    "TaxonTable": "engine.taxonomy.taxa",
    "Ticket": "engine.workers.admission",
    "load_catalog": "engine.catalog",
    "weigh_identification": "engine.place",
}


def __getattr__(name: str) -> Any:
    if name not in _LIES_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LIES_IN[name]), name)
