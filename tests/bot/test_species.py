"""From what a member typed to one species: the local table first, then what GBIF says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import Refusal
from bot.gbif.client import GbifClient
from bot.taxon.lookup import Lookup
from bot.taxon.species import SpeciesFinder
from engine import Taxon, TaxonTable
from tests.bot.fake_gbif import FakeGbif, Prepared

Json = dict[str, Any]

HIGHER = {
    "KINGDOM": "Plantae",
    "PHYLUM": "Tracheophyta",
    "CLASS": "Magnoliopsida",
    "ORDER": "Asterales",
    "FAMILY": "Asteraceae",
    "GENUS": "Dahlia",
}


@pytest.fixture
def finder(taxa: TaxonTable, gbif: FakeGbif) -> SpeciesFinder:
    client = GbifClient(taxa, deadline_s=30, base_url=gbif.url, backoff_s=0)
    return SpeciesFinder(Lookup(taxa, client), client)


def usage(name: str, key: str, rank: str = "SPECIES", status: str = "ACCEPTED") -> Json:
    return {"key": key, "name": name, "canonicalName": name, "rank": rank, "status": status}


def answer(
    used: Json | None,
    *,
    accepted: Json | None = None,
    match: str = "EXACT",
    higher: Json = HIGHER,
    **more: Any,
) -> Prepared:
    last = accepted or used
    classification = [{"key": rank, "name": name, "rank": rank} for rank, name in higher.items()]
    if last is not None:
        classification.append({field: last[field] for field in ("key", "name", "rank")})
    body: Json = {"classification": classification, "diagnostics": {"matchType": match} | more}
    if used is not None:
        body["usage"] = used
    if accepted is not None:
        body |= {"acceptedUsage": accepted, "synonym": True}
    return Prepared(json.dumps(body).encode())


async def refused(finder: SpeciesFinder, name: str) -> str:
    with pytest.raises(Refusal) as refusal:
        await finder.find(name)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    return sentence


async def test_what_the_table_has_is_found_without_gbif(
    finder: SpeciesFinder, gbif: FakeGbif
) -> None:
    for name in ("Vanessa cardui", "painted lady", "Distelfalter"):
        species = await finder.find(name)
        assert (species.taxon.gbif_key, species.name) == (4299368, "Vanessa cardui")
        assert species.notes == ()
    assert gbif.paths == []


async def test_what_the_table_lacks_comes_from_gbif(finder: SpeciesFinder, gbif: FakeGbif) -> None:
    gbif.answers = [answer(usage("Dahlia pinnata", "6BQ2R"))]
    species = await finder.find("  Dahlia   pinnata ")
    assert (species.taxon.scientific_name, species.taxon.col_key) == ("Dahlia pinnata", "6BQ2R")
    assert [ancestor.name for ancestor in species.taxon.lineage] == list(HIGHER.values())
    assert (species.name, species.notes) == ("Dahlia pinnata", ())


async def test_a_synonym_is_its_accepted_species_and_says_so(
    finder: SpeciesFinder, gbif: FakeGbif, taxa: TaxonTable
) -> None:
    synonym = usage("Cynthia carduus", "SYN", status="SYNONYM")
    butterfly = {"KINGDOM": "Animalia", "PHYLUM": "Arthropoda", "FAMILY": "N", "GENUS": "Vanessa"}
    gbif.answers = [
        answer(synonym, accepted=usage("Vanessa cardui", "9385D"), higher=butterfly),
    ]
    species = await finder.find("Cynthia carduus")
    assert (species.taxon,) == taxa.named("Vanessa cardui"), "the table's own entry"
    assert species.name == "Cynthia carduus", "which finds it again"
    assert species.notes == (
        "Cynthia carduus is a synonym at GBIF; its accepted name is Vanessa cardui.",
    )


async def test_a_fish_has_no_class_at_gbif(finder: SpeciesFinder, gbif: FakeGbif) -> None:
    higher = {"KINGDOM": "Animalia", "PHYLUM": "Chordata", "FAMILY": "Xidae", "GENUS": "Xus"}
    gbif.answers = [answer(usage("Xus xus", "X"), higher=higher)]
    assert (await finder.find("Xus xus")).taxon.ancestor("class") is None


NAME = "Dahlia imaginaria"
REFUSED = [
    (answer(None, match="NONE"), "Neither I nor GBIF know a species “Dahlia imaginaria”"),
    (
        answer(usage("Dahlia", "D", "GENUS"), match="HIGHERRANK"),
        "Neither I nor GBIF know a species “Dahlia imaginaria”",
    ),
    (answer(usage(NAME, "D", "SECTION")), "is a section, not a species: name one species of it."),
    (
        answer(usage("Dahlia imperialis", "D"), match="VARIANT"),
        "GBIF has no “Dahlia imaginaria”; if you mean “Dahlia imperialis”, give me that name.",
    ),
    (
        answer(None, match="NONE", note="Multiple equal matches"),
        "is the name of several taxa at GBIF: add its author",
    ),
    (answer(usage(NAME, "D", status="DOUBTFUL")), "GBIF is not sure which species"),
    (
        answer(usage(NAME, "S", status="MISAPPLIED"), accepted=usage("Dahlia imperialis", "D")),
        "GBIF is not sure which species",
    ),
    (
        answer(usage(NAME, "D"), higher=HIGHER | {"FAMILY": ""}),
        "GBIF could not be reached",
    ),
    (
        answer(usage(NAME, "D"), higher={"KINGDOM": "Plantae", "GENUS": "Dahlia"}),
        "does not say of which kingdom, phylum, family and genus “Dahlia imaginaria” is",
    ),
    (Prepared(b"<html>"), "GBIF could not be reached: try again in a few minutes, or choose one"),
]


@pytest.mark.parametrize(("given", "says"), REFUSED, ids=[says[:40] for _, says in REFUSED])
async def test_what_gbif_is_not_sure_of_is_refused_in_a_sentence(
    finder: SpeciesFinder, gbif: FakeGbif, given: Prepared, says: str
) -> None:
    gbif.route = lambda _: given
    assert says in await refused(finder, NAME)


async def test_what_a_member_typed_is_shown_as_it_is(finder: SpeciesFinder, gbif: FakeGbif) -> None:
    gbif.route = lambda _: answer(None, match="NONE")
    sentence = await refused(finder, "[x](https://example.org) @everyone <@1> " + "y" * 60)
    for harmful in ("https://", "](", "@everyone", "<@1>"):
        assert harmful not in sentence
    assert len(sentence) < 300


async def test_without_gbif_a_name_with_its_author_is_found_too(
    taxa: TaxonTable, finder: SpeciesFinder, gbif: FakeGbif
) -> None:
    gbif.route = lambda _: Prepared(b"", status=503)
    for one in (SpeciesFinder(Lookup(taxa, None), None), finder):
        species = await one.find("Vanessa cardui (Linnaeus, 1758)")
        assert species.name == "Vanessa cardui"


async def test_a_word_is_taken_in_the_language_of_who_typed_it(finder: SpeciesFinder) -> None:
    assert (await finder.find("toro", locale="es-ES")).name == "Bos taurus"


@pytest.mark.parametrize("name", ["“Vanessa cardui”", "*painted lady*!", "painted_lady"])
async def test_quotation_marks_are_no_part_of_a_name(finder: SpeciesFinder, name: str) -> None:
    assert (await finder.find(name)).name == "Vanessa cardui"


@pytest.mark.parametrize("name", ["Vanessa", "Nymphalidae", "Aves", "snake", "Vanessa sp."])
async def test_a_higher_taxon_is_no_species(finder: SpeciesFinder, name: str) -> None:
    assert "name one species of it" in await refused(finder, name)


async def test_a_name_of_several_species_is_refused(
    finder: SpeciesFinder, taxa: TaxonTable
) -> None:
    several = next(
        name
        for taxon in taxa
        if (name := taxon.vernacular_name)
        and sum(other.rank == "species" for other in taxa.named(name)) > 1
    )
    assert "is the name of several species: choose one" in await refused(finder, several)


async def test_what_is_offered_is_found_as_that_species(finder: SpeciesFinder) -> None:
    for typed in ("pain", "morus", "vanessa c", "kohlm", "robin"):
        offered = await finder.suggest(typed)
        assert offered
        for _, name in offered[:5]:
            species = await finder.find(name)
            assert isinstance(species.taxon, Taxon)
            assert species.name == name
