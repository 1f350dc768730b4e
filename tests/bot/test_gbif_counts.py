"""How often GBIF holds a taxon, in a country or at all: few questions, and the right ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bot.gbif.cache import GbifCache
from bot.gbif.client import BACKBONE, COL_XR, GbifClient, GbifUnavailable
from engine import Ancestor, Taxon, TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared

ROBIN = Taxon(scientific_name="Erithacus rubecula", rank="species", gbif_key=2492462)
TIT = Taxon(scientific_name="Parus major", rank="species", gbif_key=9705453)
SYNONYM = Taxon(
    scientific_name="Parus caeruleus",
    rank="species",
    lineage=(Ancestor("kingdom", "Animalia"),),
    gbif_key=2487882,
)
KEYLESS = Taxon(scientific_name="Nobody knows", rank="species")
RENUMBERED = Taxon(scientific_name="Cyanistes caeruleus", rank="species", col_key="OLD")

COUNTS = {
    (BACKBONE, "2492462", "NO"): 1_000_000,
    (BACKBONE, "9705453", "AQ"): 0,
    (COL_XR, "BLUE", "NO"): 500,
    (BACKBONE, "2492462", "EUROPE"): 4_000_000,
}


def blue_tit(**more: object) -> dict[str, object]:
    accepted = {"key": "BLUE", "name": "Cyanistes caeruleus", "rank": "SPECIES"}
    return {
        "usage": accepted | {"canonicalName": "Cyanistes caeruleus"},
        "classification": [{"key": "N", "name": "Animalia", "rank": "KINGDOM"}],
        "diagnostics": {"matchType": "EXACT"},
        "synonym": False,
    } | more


MATCHES = {
    "Parus caeruleus": blue_tit(
        usage={"key": "PC", "name": "Parus caeruleus", "rank": "SPECIES", "status": "SYNONYM"},
        acceptedUsage={"key": "BLUE", "name": "Cyanistes caeruleus", "rank": "SPECIES"},
        synonym=True,
    ),
    "Cyanistes caeruleus": blue_tit(),
}
NOTHING = {"diagnostics": {"matchType": "NONE"}, "synonym": False}


def world(request: web.Request) -> Prepared:
    """Answer as a GBIF that holds ``COUNTS`` and knows ``MATCHES``."""
    asked = request.query
    if request.path == "/v2/species/match":
        return Prepared(json.dumps(MATCHES.get(asked["scientificName"], NOTHING)).encode())
    (place,) = [asked[name] for name in ("country", "continent") if name in asked]
    counts = {
        key: COUNTS.get((asked["checklistKey"], key, place), 0) for key in asked.getall("taxonKey")
    }
    answer: dict[str, object] = {"count": sum(counts.values()), "results": []}
    if asked.get("facet") == "speciesKey":
        listed = [{"name": key, "count": count} for key, count in counts.items() if count]
        answer["facets"] = [{"field": "SPECIES_KEY", "counts": listed}]
    return Prepared(json.dumps(answer).encode())


@pytest.fixture
def gbif(gbif: FakeGbif) -> FakeGbif:
    gbif.route = world
    return gbif


@pytest.fixture
async def client(gbif: FakeGbif, tmp_path: Path) -> AsyncIterator[GbifClient]:
    cache = GbifCache(tmp_path / "gbif.sqlite")
    client = GbifClient(
        TaxonTable.load(), deadline_s=30, base_url=gbif.url, cache=cache, backoff_s=0
    )
    yield client
    client.close()
    await cache.close()


async def test_an_integer_key_is_counted_in_the_backbone(
    client: GbifClient, gbif: FakeGbif
) -> None:
    assert await client.recorded_in([ROBIN], "no") == {ROBIN: 1_000_000}
    assert gbif.queries == [
        {
            "taxonKey": "2492462",
            "checklistKey": BACKBONE,
            "country": "NO",
            "limit": "0",
            "offset": "0",
        }
    ]


async def test_a_continent_is_asked_for_as_one_and_kept_apart(
    client: GbifClient, gbif: FakeGbif
) -> None:
    assert await client.recorded_in([ROBIN], "NO") == {ROBIN: 1_000_000}
    assert await client.recorded_in([ROBIN, TIT], "EUROPE") == {ROBIN: 4_000_000, TIT: 0}
    assert await client.recorded_in([ROBIN], "EUROPE") == {ROBIN: 4_000_000}
    places = [(query.get("country"), query.get("continent")) for query in gbif.queries]
    assert places == [("NO", None), (None, "EUROPE"), (None, None)]


async def test_none_is_nought_and_what_cannot_be_resolved_is_left_out(client: GbifClient) -> None:
    assert await client.recorded_in([TIT, KEYLESS], "AQ") == {TIT: 0}


async def test_a_nought_under_a_synonyms_key_is_looked_for_under_the_accepted_name(
    client: GbifClient,
) -> None:
    assert await client.recorded_in([SYNONYM], "NO") == {SYNONYM: 500}


async def test_a_col_key_is_todays(client: GbifClient, gbif: FakeGbif) -> None:
    assert await client.recorded_in([RENUMBERED], "NO") == {RENUMBERED: 500}
    assert [query.get("taxonKey") for query in gbif.queries] == [None, "BLUE"]


async def test_counts_are_kept_by_taxon_and_country(client: GbifClient, gbif: FakeGbif) -> None:
    expected = {SYNONYM: 500, ROBIN: 1_000_000}
    assert await client.recorded_in([ROBIN, ROBIN, SYNONYM], "NO") == expected
    asked = len(gbif.queries)
    assert asked == 3
    assert await client.recorded_in([SYNONYM, ROBIN], "NO") == expected
    assert len(gbif.queries) == asked
    assert await client.recorded_in([ROBIN], "SE") == {ROBIN: 0}


async def test_twenty_species_are_counted_with_one_question(
    client: GbifClient, gbif: FakeGbif, monkeypatch: pytest.MonkeyPatch
) -> None:
    species = [replace(ROBIN, gbif_key=number) for number in range(1, 21)]
    for taxon in species:
        monkeypatch.setitem(COUNTS, (BACKBONE, str(taxon.gbif_key), "NO"), taxon.gbif_key)
    counts = await client.recorded_in(species, "NO")
    assert counts == {taxon: taxon.gbif_key for taxon in species}
    assert len(gbif.queries) == 1


async def test_a_genus_is_counted_by_itself(
    client: GbifClient, gbif: FakeGbif, monkeypatch: pytest.MonkeyPatch
) -> None:
    genus = Taxon(scientific_name="Erithacus", rank="genus", gbif_key=2492460)
    monkeypatch.setitem(COUNTS, (BACKBONE, "2492460", "NO"), 1_000_001)
    assert await client.recorded_in([ROBIN, genus], "NO") == {ROBIN: 1_000_000, genus: 1_000_001}
    assert "facet" not in gbif.queries[0]


@pytest.mark.parametrize(
    "facets",
    [
        [],
        [{"field": "SPECIES_KEY", "counts": []}],
        [{"field": "SPECIES_KEY", "counts": [{"name": "77", "count": 1_000_000}]}],
        [{"field": "TAXON_KEY", "counts": [{"name": "9705453", "count": 3}]}],
    ],
    ids=["none", "empty", "another species", "another facet"],
)
async def test_where_the_list_leaves_a_doubt_each_is_asked_for_by_itself(
    client: GbifClient, gbif: FakeGbif, facets: list[object]
) -> None:
    doubtful = Prepared(json.dumps({"count": 1_000_000, "facets": facets}).encode())
    gbif.route = lambda r: doubtful if "facet" in r.query else world(r)
    assert await client.recorded_in([ROBIN, TIT], "NO") == {ROBIN: 1_000_000, TIT: 0}


async def test_where_many_cannot_be_asked_for_at_once_each_is(
    client: GbifClient, gbif: FakeGbif
) -> None:
    refused = Prepared(b"no such facet", status=400, content_type="text/plain")
    gbif.route = lambda r: refused if "facet" in r.query else world(r)
    assert await client.recorded_in([ROBIN, TIT], "NO") == {ROBIN: 1_000_000, TIT: 0}


async def test_a_count_that_does_not_come_is_an_error(client: GbifClient, gbif: FakeGbif) -> None:
    down = Prepared(b"", status=500)
    gbif.route = lambda r: down if "9705453" in r.query.getall("taxonKey", []) else world(r)
    with pytest.raises(GbifUnavailable):
        await client.recorded_in([ROBIN, TIT], "NO")


async def test_old_counts_are_served_in_time_when_gbif_is_silent(
    gbif: FakeGbif, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COUNTS, (BACKBONE, "2492462", "SE"), 7)
    genus = Taxon(scientific_name="Erithacus", rank="genus", gbif_key=2492460)
    monkeypatch.setitem(COUNTS, (BACKBONE, "2492460", "SE"), 8)
    today = 1_700_000_000.0
    cache = GbifCache(tmp_path / "old.sqlite", now=lambda: today)
    # Long enough that a busy machine's share of it is small.
    deadline_s = 6
    client = GbifClient(TaxonTable.load(), deadline_s=deadline_s, base_url=gbif.url, cache=cache)
    taxa = [ROBIN, SYNONYM, genus]
    fresh = await client.recorded_in(taxa, "SE")
    today += 100 * 86400
    gbif.route = None
    try:
        # Who weighs by place waits that much of the client's own time.
        async with asyncio.timeout(deadline_s * 0.75):
            old = await client.recorded_in(taxa, "SE")
    finally:
        client.close()
        await cache.close()
    assert old == fresh == {ROBIN: 7, SYNONYM: 0, genus: 8}


async def test_a_taxon_whose_name_of_today_does_not_come_is_left_out(
    client: GbifClient, gbif: FakeGbif, caplog: pytest.LogCaptureFixture
) -> None:
    busy = Prepared(b"", status=503)
    gbif.route = lambda r: busy if r.query.get("scientificName") == "Parus major" else world(r)
    counts = await client.recorded_in([ROBIN, TIT, SYNONYM], "NO")
    assert counts == {ROBIN: 1_000_000, SYNONYM: 500}
    assert "Parus major is left out of a place's taxa" in caplog.text
    with pytest.raises(GbifUnavailable):
        await client.recorded_in([TIT], "NO")


async def test_nobody_asked_for_is_nobody(client: GbifClient, gbif: FakeGbif) -> None:
    assert await client.recorded_in([], "NO") == {}
    assert gbif.paths == []
