"""The GBIF client against a GBIF on loopback: real recorded answers, odd ones, none."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.gbif.answer import Match
from bot.gbif.client import (
    COL_XR,
    GbifBusy,
    GbifClient,
    GbifNonsense,
    GbifNotFound,
    GbifRefused,
    GbifUnavailable,
)
from engine import Ancestor, Taxon, TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared


@pytest.fixture
def client(taxa: TaxonTable, gbif: FakeGbif) -> Iterator[GbifClient]:
    client = GbifClient(
        taxa,
        contact="https://example.org/fieldmark",
        deadline_s=30,
        base_url=gbif.url,
        backoff_s=0,
    )
    yield client
    client.close()


@pytest.fixture
def recorded(shared: Path) -> Callable[[str], Prepared]:
    return lambda name: Prepared((shared / "gbif" / name).read_bytes())


def written(**answer: Any) -> Prepared:
    """Prepare an answer of v2/species/match written by hand in the shape of the recordings."""
    return Prepared(json.dumps(answer).encode())


def usage(key: str, name: str, rank: str, **more: str) -> dict[str, str]:
    return {"key": key, "name": name, "canonicalName": name, "rank": rank, **more}


def lineage(**ranks: str) -> list[dict[str, str]]:
    return [
        {"key": f"K{name}", "name": name, "rank": rank.rstrip("_").upper()}
        for rank, name in ranks.items()
    ]


def one_taxon(taxa: TaxonTable, name: str) -> Taxon:
    (taxon,) = taxa.named(name)
    return taxon


NOTHING = written(diagnostics={"matchType": "NONE", "confidence": 100}, synonym=False)
SEVERAL = written(
    diagnostics={"matchType": "NONE", "note": "Multiple equal matches for Morus"}, synonym=False
)


async def test_an_exact_match_is_read_whole(
    client: GbifClient, gbif: FakeGbif, recorded: Callable[[str], Prepared]
) -> None:
    gbif.answers = [recorded("techdocs/v2_match_COLXR_Carcharodon_carcharias.json")]
    info = await client.look_up("Carcharodon carcharias")
    assert (info.match, info.source, info.iucn) == (Match.EXACT, "gbif", "VU")
    assert (info.status, info.authorship) == ("ACCEPTED", "(Linnaeus, 1758)")
    assert info.taxon is not None
    assert (info.taxon.col_key, info.taxon.gbif_key) == ("5WZLF", None)
    assert info.taxon.lineage == (
        Ancestor("kingdom", "Animalia"),
        Ancestor("phylum", "Chordata"),
        Ancestor("class", "Elasmobranchii"),
        Ancestor("order", "Lamniformes"),
        Ancestor("family", "Lamnidae"),
        Ancestor("genus", "Carcharodon"),
    )
    assert info.url == "https://www.gbif.org/taxon/5WZLF"


async def test_the_request_names_the_checklist_and_us(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    gbif.answers = [NOTHING]
    await client.look_up_taxon(one_taxon(taxa, "Puma concolor"))
    assert gbif.paths == ["/v2/species/match"]
    assert gbif.queries == [
        {
            "scientificName": "Puma concolor",
            "taxonRank": "SPECIES",
            "kingdom": "Animalia",
            "checklistKey": COL_XR,
        }
    ]
    assert gbif.agents[0].startswith("Fieldmark (https://example.org/fieldmark) ")
    assert "pygbif/" in gbif.agents[0]


async def test_a_known_taxon_keeps_its_integer_key_and_english_name(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    gbif.answers = [
        written(
            usage=usage("4QHKG", "Puma concolor", "SPECIES", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia", class_="Mammalia", family="Felidae"),
            diagnostics={"matchType": "EXACT"},
        )
    ]
    info = await client.look_up_taxon(one_taxon(taxa, "Puma concolor"))
    assert info.taxon is not None
    assert (info.taxon.gbif_key, info.taxon.col_key) == (2435099, "4QHKG")
    assert info.taxon.vernacular_name == one_taxon(taxa, "Puma concolor").vernacular_name
    assert info.taxon.ancestor("class") == "Mammalia"


async def test_an_integer_key_is_the_backbones(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable, recorded: Callable[[str], Prepared]
) -> None:
    gbif.answers = [recorded("recordings/rgbif__occ_search_elevation__0.json")]
    info = await client.look_up("puma concolor")
    assert info.taxon is not None
    assert (info.taxon.gbif_key, info.taxon.col_key, info.iucn) == (2435099, None, "LC")
    assert info.url == "https://www.gbif.org/species/2435099"


async def test_a_synonym_names_what_is_accepted(
    client: GbifClient, gbif: FakeGbif, recorded: Callable[[str], Prepared]
) -> None:
    gbif.answers = [recorded("recordings/rgbif__name_backbone_acceptedUsageKey__0.json")]
    info = await client.look_up("Anastrophyllum minutum")
    assert (info.match, info.status) == (Match.EXACT, "SYNONYM")
    assert info.taxon is not None
    assert info.accepted is not None
    assert info.taxon.scientific_name == "Anastrophyllum minutum"
    assert info.accepted.scientific_name == "Sphenolobus minutus"
    assert info.accepted.gbif_key == 2689422
    assert info.accepted_authorship == "(Schreb. ex Cranz) Berggr."
    assert "Sphenolobus minutus" not in [a.name for a in info.accepted.lineage]


async def test_a_class_called_higher_rank_was_found_all_the_same(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable, recorded: Callable[[str], Prepared]
) -> None:
    gbif.answers = [recorded("recordings/rgbif__name_backbone__7.json")]
    info = await client.look_up_taxon(one_taxon(taxa, "Aves"))
    assert (info.match, info.source) == (Match.EXACT, "gbif")
    assert info.taxon is not None
    assert (info.taxon.scientific_name, info.taxon.rank) == ("Aves", "class")
    assert (info.taxon.col_key, info.taxon.gbif_key) == ("V2", 212)
    assert info.url == "https://www.gbif.org/species/212"


async def test_the_genus_of_another_kingdom_is_not_the_species(
    client: GbifClient, gbif: FakeGbif, recorded: Callable[[str], Prepared]
) -> None:
    damselfly = Taxon(
        scientific_name="Calopteryx splendens",
        rank="species",
        lineage=(Ancestor("kingdom", "Animalia"), Ancestor("family", "Calopterygidae")),
        gbif_key=1427067,
    )
    shrub = recorded("recordings/rgbif__name_backbone__3.json")
    gbif.answers = [shrub, shrub]
    known = await client.look_up_taxon(damselfly)
    assert (known.source, known.taxon) == ("local", damselfly)
    free = await client.look_up("Calopteryx splendens", rank="genus")
    assert (free.match, free.taxon) == (Match.NONE, None)


async def test_an_unknown_species_of_a_known_genus_gives_the_genus_as_nearest(
    client: GbifClient, gbif: FakeGbif
) -> None:
    gbif.answers = [
        written(
            usage=usage("63L6", "Puma", "GENUS", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia", family="Felidae"),
            diagnostics={"matchType": "HIGHERRANK"},
        )
    ]
    info = await client.look_up("Puma imaginaria")
    assert info.match is Match.HIGHER_RANK
    assert info.taxon is not None
    assert (info.asked, info.taxon.scientific_name) == ("Puma imaginaria", "Puma")


@pytest.mark.parametrize("match_type", ["EXACT", "VARIANT", "HIGHERRANK"])
@pytest.mark.parametrize(
    ("found", "rank", "match"),
    [
        ("SPECIES", "subspecies", Match.HIGHER_RANK),
        ("SUBFAMILY", "genus", Match.HIGHER_RANK),
        ("SPECIES", "genus", Match.NONE),
        ("VARIETY", "subspecies", Match.NONE),
        ("SUBSPECIES", "species", Match.NONE),
    ],
)
async def test_what_is_of_another_rank_is_not_what_was_asked_for(
    client: GbifClient, gbif: FakeGbif, found: str, rank: str, match: Match, match_type: str
) -> None:
    gbif.answers = [
        written(
            usage=usage("ZZ", "Zzus aus", found, status="ACCEPTED"),
            classification=lineage(kingdom="Animalia"),
            diagnostics={"matchType": match_type},
        )
    ]
    info = await client.look_up("Zzus aus", rank=rank)
    assert info.match is match
    assert gbif.queries[0]["taxonRank"] == rank.upper()


async def test_a_synonym_of_another_rank_is_not_what_was_asked_for(
    client: GbifClient, gbif: FakeGbif
) -> None:
    gbif.answers = [
        written(
            usage=usage("ZZ", "Zzus aus", "SPECIES", status="SYNONYM"),
            acceptedUsage=usage("YY", "Yyus bus", "SPECIES"),
            synonym=True,
            diagnostics={"matchType": "EXACT"},
        )
    ]
    info = await client.look_up("Zzus aus", rank="subspecies")
    assert (info.match, info.taxon) == (Match.NONE, None)


async def test_a_subspecies_is_found_as_one(client: GbifClient, gbif: FakeGbif) -> None:
    gbif.answers = [
        written(
            usage=usage("ZZB", "Zzus aus bus", "SUBSPECIES", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia"),
            diagnostics={"matchType": "EXACT"},
        )
    ]
    info = await client.look_up("Zzus aus bus", rank="subspecies")
    assert (info.match, info.taxon and info.taxon.rank) == (Match.EXACT, "subspecies")


async def test_namesakes_of_another_rank_are_not_listed(client: GbifClient, gbif: FakeGbif) -> None:
    exact = {"matchType": "EXACT"}
    namesakes = [
        {"usage": usage(key, "Zzus", rank), "diagnostics": exact}
        for key, rank in (("Z1", "GENUS"), ("Z2", "SUBGENUS"), ("Z3", "GENUS"))
    ]
    note = "Multiple equal matches for Zzus"
    several = {"matchType": "NONE", "note": note, "alternatives": namesakes}
    gbif.answers = [written(diagnostics=several)] * 2
    info = await client.look_up("Zzus", rank="genus")
    assert [a.taxon and a.taxon.col_key for a in info.alternatives] == ["Z1", "Z3"]


@pytest.mark.parametrize(
    "recording",
    [
        "rgbif__name_backbone__2.json",
        "rgbif__name_backbone__4.json",
        "rgbif__name_backbone__6.json",
    ],
)
async def test_no_match_is_no_taxon(
    client: GbifClient, gbif: FakeGbif, recorded: Callable[[str], Prepared], recording: str
) -> None:
    gbif.answers = [recorded(f"recordings/{recording}")]
    info = await client.look_up("Calopteryx fakeus")
    assert (info.match, info.taxon, info.url) == (Match.NONE, None, None)


async def test_homonyms_are_told_apart_by_family(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    gannets = next(t for t in taxa.named("Morus") if t.ancestor("family") == "Sulidae")
    gbif.answers = [
        SEVERAL,
        written(
            usage=usage("5SBB", "Morus", "GENUS", authorship="Vieillot, 1816", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia", family="Sulidae"),
            diagnostics={"matchType": "EXACT"},
        ),
    ]
    info = await client.look_up_taxon(gannets)
    assert (info.source, info.authorship) == ("gbif", "Vieillot, 1816")
    assert [query.get("family") for query in gbif.queries] == [None, "Sulidae"]
    assert {query["kingdom"] for query in gbif.queries} == {"Animalia"}


async def test_homonyms_that_stay_equal_leave_the_local_taxon(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    gannets = next(t for t in taxa.named("Morus") if t.ancestor("family") == "Sulidae")
    gbif.answers = [SEVERAL, SEVERAL]
    info = await client.look_up_taxon(gannets)
    assert (info.source, info.taxon) == ("local", gannets)


async def test_a_name_of_several_taxa_is_ambiguous_and_lists_them(
    client: GbifClient, gbif: FakeGbif, recorded: Callable[[str], Prepared]
) -> None:
    gbif.answers = [
        recorded("recordings/rgbif__name_backbone_verbose_true__0.json"),
        recorded("recordings/rgbif__name_backbone_verbose_true__1.json"),
    ]
    info = await client.look_up("Calopteryx L.")
    assert (info.match, info.taxon) == (Match.AMBIGUOUS, None)
    assert [query.get("verbose") for query in gbif.queries] == [None, "true"]
    found = [(a.authorship, a.status, a.taxon and a.taxon.gbif_key) for a in info.alternatives]
    assert found[:2] == [
        ("Leach, 1815", "ACCEPTED", 1427007),
        ("A.C.Sm.", "SYNONYM", 3234109),
    ]
    assert {a.taxon and a.taxon.scientific_name for a in info.alternatives} == {"Calopteryx"}


async def test_a_name_stays_ambiguous_where_the_list_does_not_come(
    client: GbifClient, gbif: FakeGbif
) -> None:
    gbif.answers = [SEVERAL, Prepared(b"no", status=400, content_type="text/plain")]
    info = await client.look_up("Morus", rank="genus")
    assert (info.match, info.alternatives) == (Match.AMBIGUOUS, ())


async def test_another_spelling_is_a_variant(client: GbifClient, gbif: FakeGbif) -> None:
    # Written by hand: no fuzzy match of the v2 interface was recorded.
    gbif.answers = [
        written(
            usage=usage("4QHKG", "Puma concolor", "SPECIES", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia", genus="Puma"),
            diagnostics={"matchType": "VARIANT", "confidence": 92},
        )
    ]
    info = await client.look_up("Puma concollor")
    assert info.match is Match.VARIANT
    assert info.taxon is not None
    assert (info.taxon.scientific_name, info.taxon.gbif_key) == ("Puma concolor", 2435099)


async def test_a_taxon_that_gbif_spells_otherwise_stays_itself(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    # Written by hand, likewise.
    moth = one_taxon(taxa, "Korscheltellus lupulina")
    gbif.answers = [
        written(
            usage=usage("3RQ4Z", "Korscheltellus lupulinus", "SPECIES", status="ACCEPTED"),
            classification=lineage(kingdom="Animalia"),
            diagnostics={"matchType": "VARIANT"},
        )
    ]
    info = await client.look_up_taxon(moth)
    assert (info.taxon, info.source) == (moth, "local")
    assert info.local_because == "GBIF spells the nearest name Korscheltellus lupulinus"


async def test_hybrids_match_however_the_sign_is_written(
    client: GbifClient, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    gbif.answers = [
        written(
            usage=usage("7NHJZ", "Malus domestica", "SPECIES", status="ACCEPTED"),
            classification=lineage(kingdom="Plantae"),
            diagnostics={"matchType": "EXACT"},
        )
    ]
    info = await client.look_up_taxon(one_taxon(taxa, "Malus domestica"))
    assert (info.source, info.taxon and info.taxon.gbif_key) == ("gbif", 3001244)


async def test_an_english_name_is_looked_up_as_its_taxon(
    client: GbifClient, gbif: FakeGbif
) -> None:
    gbif.answers = [NOTHING]
    await client.look_up("Anna's hummingbird")
    assert gbif.queries[0]["scientificName"] == "Calypte anna"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Prepared(b"Invalid value", status=400, content_type="text/plain"), GbifRefused),
        (Prepared(b"{}", status=404), GbifNotFound),
        (Prepared(b'{"message": "slow down"}', status=429), GbifBusy),
        (Prepared(b"<h1>503</h1>", status=503, content_type="text/html"), GbifBusy),
        (Prepared(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), GbifNonsense),
        (Prepared(b"oops", status=500), GbifUnavailable),
        (Prepared(b"<h1>Welcome</h1>", content_type="text/html"), GbifNonsense),
        (Prepared(b""), GbifNonsense),
        (Prepared(b'{"usage": {"key": '), GbifNonsense),
        (Prepared(b"[]"), GbifNonsense),
        (Prepared(b"null"), GbifNonsense),
        (Prepared(b"\xff\xfe\x00"), GbifNonsense),
        (Prepared(b"1" * 5_000_000), GbifNonsense),
        (Prepared(b"no gzip", headers={"Content-Encoding": "gzip"}), GbifNonsense),
        (written(usage={"key": "4QHKG"}, diagnostics={"matchType": "EXACT"}), GbifNonsense),
        (
            written(usage=usage("", "Puma", "GENUS"), diagnostics={"matchType": "EXACT"}),
            GbifNonsense,
        ),
        (
            written(usage=usage("1", "Puma", "GENUS"), classification="none", diagnostics={}),
            GbifNonsense,
        ),
        (written(matchType="NONE", confidence=100), GbifNonsense),
    ],
    ids=lambda value: f"{value.status} {value.body[:20]!r}" if isinstance(value, Prepared) else "",
)
async def test_an_answer_that_is_none_is_an_error_of_its_own_kind(
    client: GbifClient, gbif: FakeGbif, answer: Prepared, kind: type[GbifUnavailable]
) -> None:
    gbif.route = lambda _: answer
    with pytest.raises(GbifUnavailable) as raised:
        await client.look_up("Puma concolor")
    assert type(raised.value) is kind


async def test_a_silent_gbif_is_given_up_at_the_deadline(taxa: TaxonTable, gbif: FakeGbif) -> None:
    client = GbifClient(taxa, deadline_s=0.05, base_url=gbif.url)
    with pytest.raises(GbifUnavailable, match="did not answer within"):
        await client.look_up("Puma concolor")
    client.close()


async def test_gbif_that_is_down_is_an_error_too(
    taxa: TaxonTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    client = GbifClient(taxa, deadline_s=30, base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(GbifUnavailable, match="could not be asked"):
        await client.look_up("Puma concolor")
    client.close()
