"""What GBIF is asked: each question with its checklist, its call, and how long an answer keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.gbif.facts import BACKBONE, COL_XR, TaxonKey
from bot.gbif.transport import API, TILES, Service, get_json, get_picture
from bot.options.countries import is_continent

_DAY_S = 24 * 3600.0
_TOP_COUNTRIES = 5
_MAX_VERNACULARS = 500
_BASEMAP_STYLE = "gbif-classic"
_DENSITY_STYLE = "classic.point"
_RANKS = frozenset(
    {"kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to ask; ``checklist`` and ``key`` are what its answer is kept under.

    ``call`` does the asking in a thread, ``fresh_s`` is how long an answer is not asked for
    again.
    """

    service: Service
    checklist: str
    key: str
    call: Callable[..., Any]
    fresh_s: float


def match(**parameters: str | None) -> Question:
    """Ask which taxon a name, or a Catalogue of Life key (``usageKey``), stands for."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return Question(
        service=Service.NAMES,
        checklist=COL_XR,
        key=_key("match", given),
        call=partial(_name_backbone, {**given, "checklistKey": COL_XR}),
        fresh_s=7 * _DAY_S,
    )


def rank_asked(rank: str | None) -> str | None:
    """Spell ``rank`` as GBIF does, leaving out those that the two do not mean alike."""
    return rank.upper() if rank is not None and rank in _RANKS else None


def occurrences(key: TaxonKey) -> Question:
    """Ask how many occurrences there are, and in which countries most."""
    facet = {"facet": "country", "country_facetLimit": str(_TOP_COUNTRIES)}
    return _occurrence_search(key, facet, fresh_s=_DAY_S)


def occurrences_in(key: TaxonKey, place: str) -> Question:
    """Ask how many occurrences there are in one country or continent."""
    return _occurrence_search(key, _within(place), fresh_s=30 * _DAY_S)


def species_in(keys: Sequence[TaxonKey], place: str) -> Question:
    """Ask how many occurrences of each of several species there are in one country or continent.

    The keys are of one checklist.
    """
    (checklist,) = {key.checklist for key in keys}
    facet = {"facet": "speciesKey", "speciesKey_facetLimit": str(len(keys) * 2)}
    asked = {**_within(place), **facet}
    listed = [key.key for key in keys]
    return Question(
        service=Service.OCCURRENCES,
        checklist=checklist,
        key=_key("species", {**asked, "taxonKey": ",".join(listed)}),
        call=partial(
            _search, {**asked, "taxonKey": listed, "checklistKey": checklist, "limit": "0"}
        ),
        fresh_s=0.0,
    )


def vernacular_names(backbone_key: int) -> Question:
    """Ask for a taxon's names in all languages."""
    return _usage(backbone_key, "vernacularNames", {"limit": str(_MAX_VERNACULARS)})


def iucn(backbone_key: int) -> Question:
    """Ask how threatened a taxon is."""
    return _usage(backbone_key, "iucnRedListCategory", {})


def basemap(half: int) -> Question:
    """Ask for the map under the occurrences: 0 is the west of the world, 1 the east."""
    call = partial(get_picture, f"{TILES}/4326/omt/0/{half}/0@1x.png", {"style": _BASEMAP_STYLE})
    return Question(
        service=Service.BASEMAP,
        checklist="",
        key=_key("basemap", {"half": str(half), "style": _BASEMAP_STYLE}),
        call=call,
        fresh_s=90 * _DAY_S,
    )


def density(key: TaxonKey, half: int) -> Question:
    """Ask for the occurrences as dots on nothing, of one half of the world."""
    parameters = {"srs": "EPSG:4326", "style": _DENSITY_STYLE, **key.parameters}
    url = f"{API}/v2/map/occurrence/density/0/{half}/0@1x.png"
    return Question(
        service=Service.MAPS,
        checklist=key.checklist,
        key=_key("density", {"half": str(half), "style": _DENSITY_STYLE, "taxonKey": key.key}),
        call=partial(get_picture, url, parameters),
        fresh_s=7 * _DAY_S,
    )


def _within(place: str) -> dict[str, str]:
    return {"continent" if is_continent(place) else "country": place}


def _occurrence_search(key: TaxonKey, parameters: Mapping[str, str], *, fresh_s: float) -> Question:
    asked = {**key.parameters, **parameters, "limit": "0"}
    return Question(
        service=Service.OCCURRENCES,
        checklist=key.checklist,
        key=_key("occurrences", {**parameters, "taxonKey": key.key}),
        call=partial(_search, asked),
        fresh_s=fresh_s,
    )


def _usage(backbone_key: int, part: str, parameters: Mapping[str, str]) -> Question:
    """Ask for a part of ``v1/species``, which knows the backbone alone and takes no checklist."""
    return Question(
        service=Service.USAGES,
        checklist=BACKBONE,
        key=_key(part, {**parameters, "taxonKey": str(backbone_key)}),
        call=partial(get_json, f"/v1/species/{backbone_key}/{part}", parameters),
        fresh_s=30 * _DAY_S,
    )


def _key(name: str, asked: Mapping[str, str]) -> str:
    return json.dumps([name, asked], sort_keys=True, ensure_ascii=False)


def _name_backbone(parameters: Mapping[str, str], **options: Any) -> Any:
    from pygbif.species import name_backbone

    return name_backbone(**parameters, **options)


def _search(parameters: Mapping[str, str | list[str]], **options: Any) -> Any:
    from pygbif.occurrences import search

    return search(**parameters, **options)
