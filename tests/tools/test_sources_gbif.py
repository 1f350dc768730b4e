"""GBIF's occurrences: what is asked, which photos are taken, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import Retry

from engine import TaxonTable
from tests.photo_server import Fault, PhotoServer, Query, jpeg, serving
from tools.sources import Source, SourceError, SourcePhoto, open_source
from tools.sources.gbif_records import Occurrence

SEARCH = "/v1/occurrence/search"
MATCH = "/v2/species/match"
BACKBONE = "d7dddbf4-2cf0-4f39-9b2a-bb099caae36c"
COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
BY = "http://creativecommons.org/licenses/by/4.0/"


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with serving() as server:
        yield server


def medium(server: PhotoServer, number: int, **changes: str | None) -> dict[str, Any]:
    """Serve a photo, and describe it as GBIF does."""
    server.files[f"/media/{number}.jpg"] = jpeg(number)
    described = {
        "type": "StillImage",
        "format": "image/jpeg",
        "identifier": f"{server.url}/media/{number}.jpg",
        "license": BY,
        "creator": f"Person {number}",
        "rightsHolder": f"Person {number}",
        **changes,
    }
    return {name: value for name, value in described.items() if value is not None}


def occurrence(key: int, *media: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "key": key,
        "license": "http://creativecommons.org/licenses/by/4.0/legalcode",
        "scientificName": "Parus major Linnaeus, 1758",
        "kingdom": "Animalia",
        "class": "Aves",
        "family": "Paridae",
        "species": "Parus major",
        "speciesKey": 9705453,
        "recordedBy": f"observer {key}",
        "media": list(media),
        **changes,
    }


def page(results: list[dict[str, Any]], *, end: bool = True) -> bytes:
    head = {"offset": 0, "limit": 300, "endOfRecords": end, "count": len(results)}
    return json.dumps({**head, "results": results, "facets": []}).encode()


def pages(results: list[dict[str, Any]]) -> Callable[[Query], bytes]:
    """Answer as the search does, by offset and limit."""

    def answer(query: Query) -> bytes:
        start, limit = int(query["offset"][0]), int(query["limit"][0])
        return page(results[start : start + limit], end=start + limit >= len(results))

    return answer


def gbif(server: PhotoServer, work: Path, taxa: TaxonTable, **options: Any) -> Source:
    defaults = {"api": server.url, "patience": Retry(total=2, backoff_factor=0)}
    if "taxon" not in options:
        defaults["species"] = ["Parus major"]
    return open_source("gbif", taxa=taxa, work=work, **{**defaults, **options})


def asked(server: PhotoServer, path: str) -> list[Query]:
    return [query for at, query in zip(server.paths, server.queries, strict=True) if at == path]


def by_number(photos: list[SourcePhoto]) -> list[int]:
    return sorted(int(photo.identity.rpartition("/")[2].removesuffix(".jpg")) for photo in photos)


def test_photos_come_with_species_licence_author_and_page(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    server.files[SEARCH] = page([occurrence(7, medium(server, 1, rightsHolder="A museum"))])
    source = gbif(server, tmp_path, taxa, country="de", contact="me@example.org")
    (photo,) = source.photos(set())
    assert (photo.data, photo.taxon) == (jpeg(1), *taxa.named("Parus major"))
    assert (photo.licence, photo.attribution) == ("CC BY 4.0", "Person 1, A museum")
    assert photo.url == "https://www.gbif.org/occurrence/7"
    (query,) = asked(server, SEARCH)
    assert query == {
        "mediaType": ["StillImage"],
        "license": ["CC0_1_0", "CC_BY_4_0"],
        "occurrenceStatus": ["PRESENT"],
        "basisOfRecord": ["HUMAN_OBSERVATION", "MACHINE_OBSERVATION"],
        "country": ["DE"],
        "taxonKey": [str(photo.taxon.gbif_key)],
        "checklistKey": [BACKBONE],
        "limit": ["300"],
        "offset": ["0"],
    }
    assert server.agents == {"Fieldmark (me@example.org)"}


def test_the_licence_of_the_photo_counts_not_the_records(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    licences = [
        "CC0",
        "http://creativecommons.org/licenses/by-nc/4.0/",
        None,
        "(c) me",
        "http://creativecommons.org/licenses/by-sa/4.0/",
    ]
    records = [occurrence(n, medium(server, n, license=text)) for n, text in enumerate(licences)]
    records.append(occurrence(90, medium(server, 90, type="Sound")))
    records.append(occurrence(91, medium(server, 91, identifier="urn:catalog:1")))
    records.append(
        occurrence(
            92,
            medium(server, 92, license="CC BY-ND 4.0"),
            medium(server, 93),
            medium(server, 94),
        )
    )
    records.append({"key": "not a number"})
    server.files[SEARCH] = page(records)
    source = gbif(server, tmp_path, taxa)
    assert by_number(list(source.photos(set()))) == [0, 93]
    assert source.skipped == {
        "under CC BY-NC": 1,
        "under CC BY-SA": 1,
        "under CC BY-ND": 1,
        "no licence of its own": 1,
        "under a licence that is not understood": 1,
        "not a photo": 1,
        "without a web address": 1,
        "in a record that is not understood": 1,
    }


def test_a_photo_without_an_author_is_credited_to_what_is_known(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    def anonymous(number: int) -> dict[str, Any]:
        return medium(server, number, creator=None, rightsHolder=None)

    server.files[SEARCH] = page(
        [
            occurrence(1, anonymous(1), rightsHolder="Holder"),
            occurrence(2, anonymous(2)),
            occurrence(3, anonymous(3), recordedBy=None, datasetName="Atlas"),
            occurrence(4, anonymous(4), recordedBy=None),
        ]
    )
    photos = gbif(server, tmp_path, taxa).photos(set())
    authors = {photo.url: photo.attribution for photo in photos}
    assert [authors[f"https://www.gbif.org/occurrence/{n}"] for n in (1, 2, 3, 4)] == [
        "Holder",
        "observer 2",
        "Atlas",
        "GBIF occurrence 4",
    ]


def test_pages_are_read_until_there_is_enough_to_choose_from(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.sources.gbif._PAGE", 30)
    records = [
        occurrence(n, medium(server, n), recordedBy="one" if n < 64 else str(n)) for n in range(65)
    ]
    server.files[SEARCH] = pages(records)
    source = gbif(server, tmp_path / "few", taxa, per_species=3)
    assert len(list(source.photos(set()))) == 3
    assert len(asked(server, SEARCH)) == 1
    server.paths.clear()
    server.queries.clear()
    source = gbif(server, tmp_path / "many", taxa, per_species=20)
    photos = list(source.photos(set()))
    assert [query["offset"] for query in asked(server, SEARCH)] == [["0"], ["30"], ["60"]]
    assert len(photos) == 20
    assert 64 in by_number(photos)
    again = gbif(server, tmp_path / "again", taxa, per_species=20)
    assert list(again.photos(set())) == photos


def test_a_recorded_answer_is_understood(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, shared: Path
) -> None:
    recorded = shared / "gbif" / "recordings" / "rgbif__occ_search__0.json"
    text = recorded.read_text(encoding="utf-8")
    real = Occurrence.model_validate(json.loads(text)["results"][1])
    assert real.media[0].address() == (
        "inat-photo:461771600",
        "https://inaturalist-open-data.s3.amazonaws.com/photos/461771600/medium.jpg",
    )
    assert real.names(BACKBONE)["species"] == real.names(COL_XR)["species"]
    here = text.replace("https://inaturalist-open-data.s3.amazonaws.com", server.url)
    results = json.loads(here)["results"]
    server.files[SEARCH] = facets(["3118771"], {"3118771": results})
    server.files["/photos/461771600/original.jpg"] = jpeg(5)
    source = gbif(server, tmp_path, taxa, taxon="3118771")
    (photo,) = source.photos(set())
    assert (photo.scientific_name, photo.licence) == ("Encelia californica", "CC BY 4.0")
    assert (photo.attribution, photo.taxon.ancestor("family")) == ("Amanda Fisher", "Asteraceae")
    assert photo.url == "https://www.gbif.org/occurrence/5006758601"
    assert source.skipped == {"under CC BY-NC-ND": 4}


def test_a_name_without_a_key_is_matched_exactly(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, shared: Path
) -> None:
    match = shared / "gbif" / "techdocs" / "v2_match_COLXR_Carcharodon_carcharias.json"
    server.files[MATCH] = match.read_bytes()
    server.files[SEARCH] = page([occurrence(1, medium(server, 1))])
    species = ["Carcharodon carcharias"]
    (photo,) = gbif(server, tmp_path, taxa, species=species).photos(set())
    assert photo.scientific_name == "Carcharodon carcharias"
    (query,) = asked(server, MATCH)
    assert (query["scientificName"], query["checklistKey"]) == (species, [COL_XR])
    (query,) = asked(server, SEARCH)
    assert (query["taxonKey"], query["checklistKey"]) == (["5WZLF"], [COL_XR])
    # The same answer to another name is no match.
    other = gbif(server, tmp_path, taxa, species=["Carcharodon hastalis"])
    assert not list(other.photos(set()))
    assert other.notes == ["GBIF knows no Carcharodon hastalis."]


def facets(keys: list[str], results: dict[str, list[dict[str, Any]]]) -> Callable[[Query], bytes]:
    """Answer with the species of a taxon, or with the occurrences of one of them."""

    def answer(query: Query) -> bytes:
        if "facet" not in query:
            return page(results[query["taxonKey"][0]])
        start, limit = int(query["facetOffset"][0]), int(query["facetLimit"][0])
        counts = [{"name": key, "count": 5} for key in keys[start : start + limit]]
        body = json.loads(page([], end=False))
        return json.dumps({**body, "facets": [{"field": "SPECIES_KEY", "counts": counts}]}).encode()

    return answer


def test_all_species_of_a_taxon_are_found(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    novel = {"species": "Novus avis", "genus": "Novus", "phylum": "Chordata", "order": "Novales"}
    results = {
        "11": [occurrence(1, medium(server, 1)), occurrence(2, medium(server, 2))],
        "12": [occurrence(3, medium(server, 3), **novel)],
        "13": [occurrence(4, medium(server, 4), species=None)],
    }
    server.files[SEARCH] = facets(["11", "12", "13"], results)
    source = gbif(server, tmp_path, taxa, taxon="5242", per_species=1)
    photos = {photo.scientific_name: photo.taxon for photo in source.photos(set())}
    assert photos.keys() == {"Parus major", "Novus avis"}
    assert photos["Parus major"] == taxa.named("Parus major")[0]
    novus = photos["Novus avis"]
    assert (novus.gbif_key, [a.name for a in novus.lineage]) == (
        12,
        ["Animalia", "Chordata", "Aves", "Novales", "Paridae", "Novus"],
    )
    assert source.skipped == {"in a record that names no species": 1}
    assert source.notes == ["GBIF has no photo of 13 that may be used."]


def test_an_interrupted_run_asks_for_nothing_twice(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    keys = ["11", "12", "13"]
    results = {
        key: [occurrence(n, medium(server, 10 * at + n)) for n in range(10)]
        for at, key in enumerate(keys)
    }
    whole = facets(keys, results)

    def failing(query: Query) -> bytes:
        return b"<html>" if query["taxonKey"] == ["13"] else whole(query)

    server.files[SEARCH] = failing
    with pytest.raises(SourceError, match=r"^GBIF does not answer, .* is not JSON: run it again"):
        list(gbif(server, tmp_path, taxa, taxon="5242").photos(set()))
    assert not [path for path in server.paths if path != SEARCH]
    server.files[SEARCH] = whole
    server.queries.clear()
    server.paths.clear()
    photos = gbif(server, tmp_path, taxa, taxon="5242").photos(set())
    done = {photo.identity for photo, _ in zip(photos, range(15), strict=False)}
    assert isinstance(photos, Generator)
    photos.close()
    assert [query["taxonKey"] for query in asked(server, SEARCH)] == [["13"]]
    server.paths.clear()
    last = gbif(server, tmp_path, taxa, taxon="5242")
    rest = {photo.identity for photo in last.photos(done)}
    assert len(done) == len(rest) == 15
    assert len(done | rest) == last.total == last.seen == 30
    assert SEARCH not in server.paths
    assert not {identity.partition(":")[2][len(server.url) :] for identity in done} & {
        *server.paths
    }


def test_a_damaged_plan_ends_it_with_one_sentence(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    server.files[SEARCH] = page([occurrence(n, medium(server, n)) for n in range(20)])
    source = gbif(server, tmp_path, taxa)
    assert len(list(source.photos(set()))) == 20
    (path,) = tmp_path.glob("gbif-*.sqlite")
    whole = path.read_bytes()
    for damaged in (b"not SQLite", whole[:4096] + b"x" * (len(whole) - 4096)):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match="remove the file to choose anew"):
            list(source.photos(set()))


def test_a_photo_that_cannot_be_had_is_counted_and_the_rest_comes(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    host = server.url.removeprefix("http://")
    unreachable = medium(server, 9, identifier="http://127.0.0.1:1/a.jpg")
    server.files[SEARCH] = page(
        [occurrence(n, medium(server, n)) for n in range(6)] + [occurrence(9, unreachable)]
    )
    server.files["/media/0.jpg"] = b"<html>Sign in</html>"
    server.faults["/media/1.jpg"].extend([Fault(500)] * 9)
    server.faults["/media/2.jpg"].append(Fault(429, {"Retry-After": "0"}))
    server.faults["/media/3.jpg"].append(Fault(cut_after=10))
    del server.files["/media/4.jpg"]
    source = gbif(server, tmp_path, taxa)
    assert by_number(list(source.photos(set()))) == [2, 3, 5]
    assert source.skipped == {
        "not a photo but a web page": 1,
        f"{host} answered 500 Internal Server Error": 1,
        f"{host} answered 404 Not Found": 1,
        "127.0.0.1:1 could not be reached": 1,
    }
    # What failed in passing is asked for again, what is gone is not.
    server.faults.clear()
    server.paths.clear()
    again = gbif(server, tmp_path, taxa)
    done = {photo.identity for photo in source.photos(set())}
    list(again.photos(done - {f"gbif:{server.url}/media/1.jpg"}))
    assert "/media/1.jpg" in server.paths
    assert "/media/4.jpg" not in server.paths


def test_a_refused_species_is_noted_and_the_others_come(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    server.files[SEARCH] = page([occurrence(1, medium(server, 1))])
    server.faults[SEARCH].append(Fault(400))
    source = gbif(server, tmp_path, taxa, species=["Corvus corax", "Parus major"])
    assert [photo.scientific_name for photo in source.photos(set())] == ["Parus major"]
    assert source.notes == [
        f"GBIF refused to search for Corvus corax ({server.url[7:]} answered 400 Bad Request)."
    ]


def test_a_dead_gbif_ends_it_with_one_sentence(tmp_path: Path, taxa: TaxonTable) -> None:
    with serving() as server:
        source = gbif(server, tmp_path, taxa)
    with pytest.raises(SourceError, match=r"^GBIF does not answer, .* could not be reached: run"):
        list(source.photos(set()))


def test_a_strange_answer_ends_it_with_one_sentence(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    for body in (b"[]", b'{"results": 3, "endOfRecords": true}', b"null"):
        server.files[SEARCH] = body
        with pytest.raises(SourceError, match="something that is no occurrence search"):
            list(gbif(server, tmp_path, taxa).photos(set()))
    server.files[MATCH] = b"{}"
    with pytest.raises(SourceError, match="something that is no name match"):
        list(gbif(server, tmp_path, taxa, taxon="Paridae").photos(set()))
    server.files[MATCH] = json.dumps(
        {"diagnostics": {"matchType": "NONE", "note": "Multiple equal matches"}}
    ).encode()
    with pytest.raises(SourceError, match="GBIF knows several taxa called Morus: give the key"):
        list(gbif(server, tmp_path, taxa, taxon="Morus").photos(set()))
    server.files[SEARCH] = facets([], {})
    with pytest.raises(SourceError, match="GBIF has no photos of 5242 that may be used"):
        list(gbif(server, tmp_path, taxa, taxon="5242").photos(set()))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"species": None}, "Name either a taxon or a list of species"),
        ({"species": ["Parus major"], "taxon": "Paridae"}, "Name either a taxon or a list"),
        ({"country": "Germany"}, "'Germany' is not a country: give two letters"),
        ({"per_species": 0}, "ask for at least one"),
        ({"species": ["Paridae"]}, "'Paridae' is not the scientific name of a species"),
    ],
)
def test_wrong_wishes_are_refused_with_one_sentence(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, options: Any, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        gbif(server, tmp_path, taxa, **options)
