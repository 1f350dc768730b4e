"""The values that cross the engine's door, and the errors it may raise.

Everything here is frozen and made of plain Python values, so a result can be
kept, compared, logged as JSON or sent between processes without surprises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

SPECIES_RANKS = frozenset({"species", "hybrid", "subspecies", "infraspecies", "variety", "form"})
"""The ranks at which an answer is a species, or something within one."""


class Group(StrEnum):
    """What a member says is in the photo. ``auto`` lets the pixels decide."""

    AUTO = "auto"
    BIRD = "bird"
    INSECT = "insect"
    PLANT = "plant"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks, so that one member's or server's flood does not starve the others.

    ``server`` is None in a direct message, where each member counts as a server of their own.
    """

    member: int
    server: int | None = None


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One higher taxon of a lineage: ``("family", "Paridae")``."""

    rank: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxon:
    """A named group of organisms, as one row of the taxon table or an ancestor of one.

    ``lineage`` runs from kingdom down to the parent and excludes the taxon itself.
    ``gbif_key`` is the integer key of the GBIF backbone, which is stable; ``col_key``
    is the Catalogue of Life key, which is renumbered now and then. Either may be
    missing. Identity is ``gbif_key`` *and* ``scientific_name``.
    """

    scientific_name: str
    rank: str
    lineage: tuple[Ancestor, ...] = ()
    vernacular_name: str | None = None
    gbif_key: int | None = None
    col_key: str | None = None

    def __hash__(self) -> int:
        # A photo's answer is sorted through dicts of hundreds of taxa, and to hash a whole
        # lineage each time took longer than to decode the photo. A string keeps its hash.
        return hash(self.scientific_name)

    def ancestor(self, rank: str) -> str | None:
        """Name the ancestor at ``rank``, or None where the lineage has none."""
        return next((a.name for a in self.lineage if a.rank == rank), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMatch:
    """A taxon that a search found, and which of its names was hit, as it is written."""

    taxon: Taxon
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePhoto:
    """A labelled photo of the index that was near enough to decide, and whose it is."""

    source: str
    licence: str
    attribution: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A species the photo may show.

    ``probability`` lies in (0, 1]; over one identification they sum to at most 1, and the rest is
    for what the models do not know. ``model`` names what says so; ``references`` are the nearest
    photos where the index had a say.
    """

    taxon: Taxon
    probability: float
    model: str
    references: tuple[ReferencePhoto, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The deepest taxon the evidence is sure of, and how probable it is.

    Of a higher taxon that is the sum over the species below it, those that the models do not know
    included.
    """

    taxon: Taxon
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One network as it stands on this machine.

    ``problem`` is None where the network can answer; otherwise one sentence for people
    that says why not and what to do. ``runtime`` is ``"openvino f32"`` or ``"tensorflow"``.
    """

    name: str
    title: str
    group: Group
    version: str
    classes: int
    runtime: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What the engine makes of one or several photos of one individual.

    ``candidates`` are sorted, likeliest first. ``group`` is the group that answered,
    never ``auto``. ``known`` is False where the photo lies outside what the models know;
    ``known_score`` is how likely it is that they know it, if every second photo were of something
    else. ``trust``, in (0, 1], is how likely the photo shows a species that they know, as photos
    go; a classifier that answers alone is trusted. It is in the candidates' probabilities already.
    ``timings_ms`` maps a stage (``queue``, ``decode``, ``classify``, ``total``) to
    milliseconds. ``preview`` is a small JPEG of the first photo without its metadata,
    when one was asked for. ``photos`` is how many it rests on. ``notes`` are
    sentences a person should see, such as "First frame of an animation.".
    """

    candidates: tuple[Candidate, ...]
    verdict: Verdict | None
    group: Group
    known: bool
    known_score: float
    models: tuple[ModelInfo, ...]
    timings_ms: dict[str, float] = field(hash=False)
    trust: float = 1.0
    preview: bytes | None = field(default=None, repr=False)
    photos: int = 1
    notes: tuple[str, ...] = ()

    @property
    def if_known(self) -> dict[Taxon, float]:
        """The candidates' probabilities, were it certain that the models know the species."""
        return {c.taxon: min(1.0, c.probability / self.trust) for c in self.candidates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What came of a photo that the index was to learn.

    ``new`` is False where the index had it already. ``photos`` is how many it has of the taxon
    now, None where a part of it is away that may have more. ``preview`` is a small JPEG of the
    photo without its metadata, when one was asked for.
    """

    new: bool
    photos: int | None = None
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """A position in degrees, north and east positive."""

    latitude: float
    longitude: float


class EngineError(Exception):
    """Any failure of the engine. ``str(error)`` is one sentence that people may see."""


class OperatorError(EngineError):
    """What only whoever runs the engine can mend: ``str`` says what, and names folders.

    ``public`` is the sentence for everybody else.
    """

    public = "I can't do this just now. Whoever runs me finds the reason in my log."

    def __init__(self, reason: str, public: str | None = None) -> None:
        super().__init__(reason)
        if public is not None:
            self.public = public


class PhotoRejected(EngineError):
    """The bytes are not a photo that can be identified; ``reason`` says why and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineBusy(EngineError):
    """Too many photos are waiting, in all or of the one who asks.

    ``retry_after`` is in seconds.
    """

    def __init__(
        self, retry_after: float, reason: str = "I'm looking at too many photos just now."
    ) -> None:
        super().__init__(f"{reason} Please try again in {math.ceil(retry_after)} s.")
        self.retry_after = retry_after


class EngineTimeout(EngineError):
    """The answer did not come before the request's deadline."""


class EngineFailed(EngineError):
    """No worker could answer: two died on this request, or none can be started; see ``str``."""


class NetworkLost(EngineError):
    """A network that was let go is not there any more as it was: a fresh worker is needed."""


class IndexLost(EngineError):
    """The index is not there any more as it was, or is there now: a fresh worker is needed."""


class ModelUnavailable(EngineError):
    """No network on this machine answers for ``group``."""

    def __init__(self, group: Group, reason: str) -> None:
        super().__init__(reason)
        self.group = group
        self.reason = reason
