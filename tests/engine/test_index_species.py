"""What an index's species are called: by the table, and by what was said of them last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import Ancestor, Group, Taxon, TaxonTable
from engine.index.species import IndexSpecies

TABLE = TaxonTable.load()
CRAB = (
    Ancestor("kingdom", "Animalia"),
    Ancestor("class", "Malacostraca"),
    Ancestor("genus", "Novus"),
)
BARE = Taxon(scientific_name="Novus cancer", rank="species", lineage=CRAB[-1:])
PLACED = replace(BARE, lineage=CRAB)
KEYED = replace(PLACED, gbif_key=1)


def called(*taxa: Taxon) -> tuple[Taxon, ...]:
    return IndexSpecies.of(taxa, TABLE).taxa


def test_the_table_has_the_first_word() -> None:
    (tit,) = TABLE.named("Parus major")
    older = replace(tit, gbif_key=None, vernacular_name=None, lineage=())
    species = IndexSpecies.of((older, PLACED, tit), TABLE)
    assert species.taxa == (tit, PLACED, tit)
    assert species.held == {tit, PLACED}
    assert species.of_group(Group.AUTO) is None
    birds = species.of_group(Group.BIRD)
    assert birds is not None
    assert birds.tolist() == [True, False, True]


@pytest.mark.parametrize("taxa", [(BARE, PLACED, KEYED), (KEYED, BARE, PLACED)])
def test_what_more_was_said_of_a_species_counts_for_all_of_it(taxa: tuple[Taxon, ...]) -> None:
    assert called(*taxa) == (KEYED,) * 3
    assert called(*(taxon for taxon in taxa if taxon is not KEYED)) == (PLACED,) * 2


def test_homonyms_stay_apart_and_nothing_is_guessed() -> None:
    plant = replace(BARE, lineage=(Ancestor("kingdom", "Plantae"),))
    for taxa in ((PLACED, plant), (BARE, PLACED, plant), (KEYED, replace(KEYED, gbif_key=2))):
        assert called(*taxa) == taxa
