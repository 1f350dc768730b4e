"""GBIF is asked where species belong that the taxon table lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from urllib3.util import Retry

from engine import Ancestor, Taxon, TaxonTable
from tests.photo_server import jpeg
from tests.tools.gbif_matches import Matches, match, serving
from tools.sources import SourceError, open_source
from tools.sources.placing import AskGbif, place

TABLE = TaxonTable.load()
CRAB = Taxon(scientific_name="Novus cancer", rank="species", lineage=(Ancestor("genus", "Novus"),))
PLACED = replace(
    CRAB, lineage=(Ancestor("kingdom", "Animalia"), Ancestor("family", "Novidae")), gbif_key=7
)


@pytest.fixture
def gbif() -> Iterator[Matches]:
    with serving() as matches:
        yield matches


def asking(gbif: Matches) -> AskGbif:
    patience = Retry(total=1, backoff_factor=0)
    return AskGbif(contact="keeper@example.org", api=gbif.url, patience=patience)


def test_what_the_table_lacks_gets_its_lineage_and_key(gbif: Matches) -> None:
    (tit,) = TABLE.named("Parus major")
    gbif.answers = {"Novus cancer": [match("7", "Novus cancer", family="Novidae")]}
    placed = place([tit, CRAB, CRAB, replace(tit, gbif_key=None)], TABLE, asking(gbif))
    assert placed.found == {CRAB: PLACED}
    assert placed.left == ()
    assert gbif.names_asked() == ["Novus cancer"]
    assert "keeper@example.org" in gbif.agents[0]
    assert str(placed) == "GBIF placed 1 of 1 species that the taxon table lacks."


def test_who_has_lineage_and_key_is_not_asked_about(gbif: Matches) -> None:
    assert place([PLACED], TABLE, asking(gbif)).found == {}
    assert gbif.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        match("7", "Novus cancer", match_type="VARIANT"),
        match("7", "Novus", rank="GENUS", match_type="HIGHERRANK"),
        match("7", "Novus cancroides"),
        match("7", "Novus cancer", kingdom="Plantae"),
        match("5WZLF", "Novus cancer"),
        (400, {}),
    ],
)
def test_what_is_not_certain_stays_as_it_was(gbif: Matches, answer: object) -> None:
    gbif.answers = {"Novus cancer": [answer]}
    animal = replace(CRAB, lineage=(Ancestor("kingdom", "Animalia"), *CRAB.lineage))
    placed = place([animal], TABLE, asking(gbif))
    assert placed.left == (animal,)
    assert "0 of 1" in str(placed)
    assert "Novus cancer" in str(placed)


def test_a_gbif_that_is_away_ends_it_with_what_to_do(gbif: Matches) -> None:
    gbif.answers = {"Novus cancer": [(503, {})]}
    with pytest.raises(SourceError, match="without --ask-gbif"):
        place([CRAB], TABLE, asking(gbif))


def test_a_folder_is_placed_as_a_whole(gbif: Matches, tmp_path: Path) -> None:
    gbif.answers = {"Novus cancer": [match("7", "Novus cancer", family="Novidae")]}
    for number, name in enumerate(["Novus_cancer", "Novus_cancer", "Novus_ignotus", "Parus_major"]):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{number}.jpg").write_bytes(jpeg(number))
    source = open_source("folder", path=tmp_path, taxa=TABLE, asking=asking(gbif))
    taxa = [photo.taxon for photo in source.photos(set())]
    assert taxa[:2] == [PLACED, PLACED]
    assert [taxon.gbif_key for taxon in taxa[2:]] == [None, TABLE.named("Parus major")[0].gbif_key]
    (note,) = source.notes
    assert note.startswith("GBIF placed 1 of 2 species that the taxon table lacks.")
    assert note.endswith("It has not exactly one of the name: Novus ignotus.")
