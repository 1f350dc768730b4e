"""Every recorded answer of GBIF, replayed: a typed result or a typed error, whoever asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.client import (
    GbifBusy,
    GbifClient,
    GbifNotFound,
    GbifRefused,
    GbifUnavailable,
)
from bot.gbif.facts import Dated, Occurrences, WorldTiles
from bot.gbif.transport import API, TILES, GbifTransport, Service, get_json, get_picture
from engine import Taxon, TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared

_ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("FIELDMARK_SHARED", _ROOT / "../shared")) / "gbif/recordings"


@dataclass(frozen=True)
class Recording:
    """One line of the index; ``by_hand`` marks what was never recorded."""

    file: str
    uri: URL
    status: int
    ctype: str
    by_hand: bytes | None = None

    @property
    def body(self) -> bytes:
        return self.by_hand if self.by_hand is not None else (FOLDER / self.file).read_bytes()

    @property
    def prepared(self) -> Prepared:
        headers = {"Retry-After": "3600"} if self.status in (429, 503) else {}
        return Prepared(self.body, self.status, self.ctype, headers)

    @property
    def is_picture(self) -> bool:
        return self.ctype == "image/png"


MATCH_URI = URL(f"{API}/v2/species/match?scientificName=Puma+concollor")
BY_HAND = (
    Recording(
        "a VARIANT written by hand",
        MATCH_URI,
        200,
        "application/json",
        json.dumps(
            {
                "usage": {
                    "key": "4QHKG",
                    "name": "Puma concolor (Linnaeus, 1771)",
                    "canonicalName": "Puma concolor",
                    "authorship": "(Linnaeus, 1771)",
                    "rank": "SPECIES",
                    "status": "ACCEPTED",
                },
                "classification": [{"key": "N", "name": "Animalia", "rank": "KINGDOM"}],
                "diagnostics": {"matchType": "VARIANT", "confidence": 92},
                "synonym": False,
            }
        ).encode(),
    ),
    Recording("a 503 written by hand", MATCH_URI, 503, "text/html", b"<h1>Unavailable</h1>"),
)


def recordings() -> list[Any]:
    """Read the index at collection, or stand one skipped test in for all of it."""
    index = FOLDER / "INDEX.json"
    if not index.is_file():
        reason = f"needs the recordings of {FOLDER} (set FIELDMARK_SHARED)"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="recordings")]
    entries = [
        Recording(e["file"], URL(e["uri"]), e["status"], e["ctype"])
        for e in json.loads(index.read_text())
    ]
    return [pytest.param(entry, id=entry.file) for entry in entries]


ALL = [*recordings(), *(pytest.param(entry, id=entry.file) for entry in BY_HAND)]
ERRORS = {400: GbifRefused, 404: GbifNotFound, 429: GbifBusy, 503: GbifBusy}


def taxon_of(recording: Recording) -> Taxon:
    """Return a taxon with the key that the recorded question was about."""
    numbers = re.findall(r"/species/(\d+)", recording.uri.path) or ["2435098"]
    return Taxon(scientific_name="Puma", rank="genus", gbif_key=int(numbers[0]))


def fitting(client: GbifClient, recording: Recording) -> Callable[[], Awaitable[Any]] | None:
    """Return the client's call whose question the recording answers, if it has one."""
    path, query, taxon = recording.uri.path, recording.uri.query, taxon_of(recording)
    if "usageKey" in query:
        return partial(client.look_up_key, query["usageKey"])
    if path == "/v2/species/match":
        built = f"{query.get('genericName')} {query.get('specificEpithet')}"
        rank = query.get("taxonRank", "").lower() or None
        return partial(client.look_up, query.get("scientificName", built), rank=rank)
    if path == "/v1/occurrence/search":
        return partial(client.occurrences, taxon)
    if path.endswith("/vernacularNames"):
        return partial(client.vernacular_names, taxon)
    if path.endswith("/iucnRedListCategory"):
        return partial(client.iucn, taxon)
    return partial(client.world_tiles, taxon) if recording.is_picture else None


@pytest.mark.parametrize("recording", ALL)
async def test_any_answer_is_fetched_as_what_it_is_or_is_an_error_of_its_kind(
    gbif: FakeGbif, recording: Recording
) -> None:
    gbif.route = lambda _: recording.prepared
    transport = GbifTransport(contact="", deadline_s=30, base_url=gbif.url, backoff_s=0)
    host = TILES if recording.uri.host == URL(TILES).host else API
    if recording.is_picture:
        fetch = partial(get_picture, f"{host}{recording.uri.path}", dict(recording.uri.query))
    else:
        fetch = partial(get_json, recording.uri.path, dict(recording.uri.query))
    asked = transport.ask(Service.NAMES, fetch, within_s=30)
    if recording.status in ERRORS:
        with pytest.raises(GbifUnavailable) as raised:
            await asked
        assert type(raised.value) is ERRORS[recording.status]
    else:
        answer = await asked
        assert answer == (recording.body if recording.is_picture else json.loads(recording.body))
    assert gbif.paths[0] == recording.uri.path
    transport.close()


@pytest.mark.parametrize("recording", ALL)
async def test_the_answer_to_a_question_of_ours_is_understood(
    gbif: FakeGbif, taxa: TaxonTable, recording: Recording
) -> None:
    gbif.route = lambda _: recording.prepared
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url, backoff_s=0)
    call = fitting(client, recording)
    if call is None:
        # Nothing of ours asks this: handed to a call all the same, it must be refused.
        with pytest.raises(GbifUnavailable):
            await client.look_up("Puma concolor")
    elif recording.status in ERRORS:
        with pytest.raises(ERRORS[recording.status]):
            await call()
    else:
        answer = await call()
        assert isinstance(answer, TaxonInfo | Dated)
        if isinstance(answer, Dated):
            assert isinstance(answer.value, Occurrences | dict | str | WorldTiles)
    client.close()


@pytest.mark.parametrize("recording", ALL)
async def test_no_call_is_brought_down_by_the_answer_to_another(
    gbif: FakeGbif, taxa: TaxonTable, recording: Recording
) -> None:
    gbif.route = lambda _: recording.prepared
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url, backoff_s=0)
    taxon = taxa.named("Puma concolor")[0]
    outcomes: list[object] = []
    for call in (
        partial(client.look_up, "Puma concollor"),
        partial(client.look_up_taxon, taxon),
        partial(client.look_up_key, "4QHKG"),
        partial(client.occurrences, taxon),
        partial(client.recorded_in, [taxon], "BR"),
        partial(client.vernacular_names, taxon),
        partial(client.iucn, taxon),
        partial(client.world_tiles, taxon),
    ):
        try:
            outcomes.append(await call())
        except GbifUnavailable as error:
            outcomes.append(error)
    assert len(outcomes) == 8
    client.close()


@pytest.mark.parametrize("recording", BY_HAND[:1], ids=["a VARIANT written by hand"])
async def test_a_variant_is_told_from_a_match(
    gbif: FakeGbif, taxa: TaxonTable, recording: Recording
) -> None:
    gbif.route = lambda _: recording.prepared
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url, backoff_s=0)
    info = await client.look_up("Puma concollor")
    assert info.match is Match.VARIANT
    client.close()
