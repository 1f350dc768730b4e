"""Which English name leads: rules, names by hand, and what the shipped table makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import TaxonTable
from tests.tools.test_taxon_table import write_facts
from tools.label_facts import LabelsError, read_facts
from tools.taxa.english_leads import EnglishLeads, read_english_leads

BY_HAND = "scientific_name\twritten\tenglish_name\nBos taurus\tAurochs\tDomestic Cattle\n"


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture
def leads(tmp_path: Path) -> EnglishLeads:
    by_hand = tmp_path / "leads.tsv"
    by_hand.write_text(BY_HAND, encoding="utf-8")
    return EnglishLeads.read(write_facts(tmp_path, []), by_hand)


@pytest.mark.parametrize(
    ("species", "class_", "written", "lead"),
    [
        ("Giraffa camelopardalis", "Mammalia", "Nubian Giraffe", "Giraffe"),
        ("Giraffa camelopardalis", "Mammalia", "Camelopard", "Camelopard"),
        ("Bison bison", "Mammalia", "American Bison", "American Bison"),
        ("Bison bison", "Mammalia", "Athabascan American Bison", "American Bison"),
        ("Passer domesticus", "Aves", "House Sparrow", "House Sparrow"),
        ("Bos taurus", "Mammalia", "Aurochs", "Domestic Cattle"),
        ("Bos taurus", "Mammalia", "Cattle", "Cattle"),
    ],
)
def test_a_name_of_the_catalogue_leads_where_the_written_one_ends_with_it(
    leads: EnglishLeads, species: str, class_: str, written: str, lead: str
) -> None:
    assert leads.lead(species, class_, written) == lead


@pytest.mark.parametrize("text", ["", "scientific_name\twritten\tenglish_name\nBos taurus\tOx\t\n"])
def test_a_file_that_names_nothing_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "leads.tsv"
    with pytest.raises(LabelsError, match="Cannot read"):
        read_english_leads(path)
    path.write_text(text or "species\nBos taurus\n", encoding="utf-8")
    with pytest.raises(LabelsError):
        read_english_leads(path)


@pytest.mark.parametrize(
    ("species", "lead", "also"),
    [
        ("Panthera leo", "Lion", "South African Cape Lion"),
        ("Procyon lotor", "Raccoon", "Tres Marias Raccoon"),
        ("Giraffa camelopardalis", "Giraffe", "Nubian Giraffe"),
        ("Cervus elaphus", "Red Deer", "Yarkand Deer"),
        ("Ursus arctos", "Brown Bear", "Kodiak Bear"),
        ("Bos taurus", "Domestic Cattle", "Aurochs"),
        ("Ovis aries", "Domestic Sheep", "Urial"),
        ("Dama dama", "Fallow Deer", "Mesopotamian Fallow Deer"),
        ("Thamnophis sirtalis", "Common Garter Snake", "Blue-striped Garter Snake"),
        ("Oncorhynchus mykiss", "Rainbow Trout", "Eagle Lake Rainbow Trout"),
        ("Dromaius novaehollandiae", "Emu", "Kangaroo Island Emu"),
    ],
)
def test_well_known_species_bear_their_own_name_and_are_found_by_the_old_one(
    taxa: TaxonTable, species: str, lead: str, also: str
) -> None:
    (taxon,) = taxa.named(species)
    assert taxon.vernacular_name == lead
    assert taxa.vernacular_names(taxon, "en")[0] == lead
    assert taxon in taxa.named(also)


def test_names_that_are_right_lead_as_before(taxa: TaxonTable) -> None:
    leads = {taxon.scientific_name: taxon.vernacular_name for taxon in taxa}
    assert leads["Bison bison"] == "American Bison"
    assert leads["Phacochoerus africanus"] == "Common Warthog"
    assert leads["Crotalus ornatus"] == "Eastern Black-tailed Rattlesnake"
    assert leads["Parus major"] == "Great Tit"


def test_every_name_by_hand_takes_the_place_of_one_that_the_facts_have(
    taxa: TaxonTable, shared: Path
) -> None:
    written = {(r["scientific_name"], r["common_name_en"]) for r in read_facts(shared / "labels")}
    for (species, name), lead in read_english_leads().items():
        assert (species, name) in written
        assert [taxon.vernacular_name for taxon in taxa.named(species)] == [lead]
