"""The small model that ships: it answers where nothing else does, and it can be taught."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Ancestor, Engine, EngineSettings, Group, ReferencePhoto, Taxon, TaxonTable
from engine.batch import Batch
from engine.decode import decode
from engine.generic import GenericClassifier
from engine.index.folder import MANIFEST
from engine.index.manifest import read_manifest, write_manifest
from engine.index.segment_builder import IndexWriteFailed
from engine.index.species_index import SpeciesIndex, verify_index
from engine.network import Networks
from engine.networks.samples import bundled_photos
from engine.starter import FOLDER, INDEX, STARTER, check_may_grow, starter_index
from tests.hub_modules import HubModules
from tools.sources import open_source

MOST_BYTES = 15_000_000
FLOWER = next(path for path in bundled_photos() if "flower" in path.name)
DAHLIA = Taxon(
    scientific_name="Dahlia pinnata", rank="species", lineage=(Ancestor("kingdom", "Plantae"),)
)
CREDIT = ReferencePhoto(source="member", licence="CC0-1.0", attribution="a member", url=None)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_ships_is_whole_and_small() -> None:
    index = verify_index(FOLDER / INDEX)
    assert len(index) > 3_000
    assert sum(len(content) for content in files(FOLDER).values()) <= MOST_BYTES


def test_what_ships_is_called_what_people_call_it() -> None:
    taxa = {taxon.scientific_name: taxon for taxon in SpeciesIndex.open(FOLDER / INDEX).taxa}
    assert taxa["Antrostomus carolinensis"].vernacular_name == "Chuck-will's-widow"
    assert sum(taxon.vernacular_name is None for taxon in taxa.values()) <= 23


def test_what_ships_names_its_species_as_an_export_would(shared: Path) -> None:
    photos = open_source(
        "folder", path=shared / "photos", split="train", taxa=TaxonTable.load()
    ).photos(())
    exported = tuple(dict.fromkeys(photo.taxon for photo in photos))
    assert SpeciesIndex.open(FOLDER / INDEX).taxa == exported


async def test_a_machine_without_models_answers_with_the_starter(tmp_path: Path) -> None:
    async with Engine(EngineSettings(home=tmp_path, threads=1)) as engine:
        answer = await engine.identify([FLOWER.read_bytes()], Group.AUTO)
    (model,) = answer.models
    assert model.name == STARTER
    assert model.title.startswith("Starter model of ")
    assert answer.candidates[0].model == STARTER


async def test_it_steps_back_where_there_is_another_network(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=hub_modules.no_plants, threads=1)
    async with Engine(settings) as engine:
        assert STARTER not in {model.name for model in engine.models() if model.problem is None}


async def test_it_learns_a_species_and_names_it_at_once(tmp_path: Path) -> None:
    before = files(FOLDER)
    async with Engine(EngineSettings(home=tmp_path, threads=1)) as engine:
        assert (await engine.learn(FLOWER.read_bytes(), DAHLIA, CREDIT)).new
        answer = await engine.identify([FLOWER.read_bytes()], Group.PLANT)
    assert answer.candidates[0].taxon == DAHLIA
    assert files(FOLDER) == before, "what ships is never written to"
    async with Engine(EngineSettings(home=tmp_path, threads=1)) as engine:
        again = await engine.identify([FLOWER.read_bytes()], Group.PLANT)
    assert again.candidates[0].taxon == DAHLIA


def test_the_copy_is_made_once_and_whole(tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path)
    place = starter_index(settings)
    assert files(place) == files(FOLDER / INDEX)
    assert starter_index(settings) == place
    assert [path.name for path in place.parent.iterdir()] == [place.name]


async def test_a_new_version_takes_over_what_the_one_before_was_taught(tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, threads=1)
    async with Engine(settings) as engine:
        assert (await engine.learn(FLOWER.read_bytes(), DAHLIA, CREDIT, identity="flower")).new
    earlier = starter_index(settings).rename(tmp_path / STARTER / "000001-of-an-earlier-version")
    place = starter_index(settings)
    assert DAHLIA in SpeciesIndex.open(place).taxa
    assert len(verify_index(place)) == len(verify_index(FOLDER / INDEX)) + 1
    assert (earlier / MANIFEST).exists(), "nothing is deleted"
    async with Engine(settings) as engine:
        assert await engine.forget("flower")
    place.rename(tmp_path / STARTER / "000002-of-this-version")
    assert DAHLIA not in SpeciesIndex.open(starter_index(settings)).taxa, "it does not come back"


async def test_a_species_that_it_has_without_a_key_stays_one(tmp_path: Path) -> None:
    """151 of its species are in no label set: GBIF knows more of them than it does."""
    named_alike = replace(DAHLIA, scientific_name="Antrostomus carolinensis", col_key="66BLW")
    widow = replace(named_alike, lineage=(Ancestor("kingdom", "Animalia"),), gbif_key=1)
    async with Engine(EngineSettings(home=tmp_path, threads=1)) as engine:
        learnt = await engine.learn(FLOWER.read_bytes(), widow, CREDIT)
        other = await engine.learn(FLOWER.read_bytes(), named_alike, CREDIT)
    assert learnt.photos is not None
    assert learnt.photos > 1
    assert other.photos == 1, "in another kingdom it is another species"


def test_what_another_network_was_taught_is_said_to_be_lost_to_this_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = EngineSettings(home=tmp_path)
    earlier = starter_index(settings).rename(tmp_path / STARTER / "000001-of-another-network")
    manifest = read_manifest(earlier)
    write_manifest(earlier, replace(manifest, embedder="starter@0000/f32"))
    place = starter_index(settings)
    assert files(place) == files(FOLDER / INDEX)
    assert str(earlier) in caplog.text
    assert "teach it again" in caplog.text


def test_where_home_cannot_be_written_it_answers_from_where_it_ships(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("in the way")
    settings = EngineSettings(home=tmp_path / "home")
    assert starter_index(settings) == FOLDER / INDEX
    assert "cannot be taught" in caplog.text
    with pytest.raises(IndexWriteFailed, match="let Fieldmark write to its home"):
        check_may_grow(FOLDER / INDEX)


def test_real_photos_that_it_never_saw_find_their_species(shared: Path, tmp_path: Path) -> None:
    """A sample, so that a broken network is noticed; `fieldmark eval` has the figures."""
    settings = EngineSettings(home=tmp_path, threads=2)
    starter = GenericClassifier.open(starter_index(settings), settings, Networks(settings))
    with (shared / "photos" / "MANIFEST.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["split"] == "test" and row["species_in_train"] == "yes"
        ]
    sample = [row for row in rows if row["group"] == "birds"][::12]
    right = sum(
        next(iter(answer_of(starter, shared / "photos" / row["path"]))) == row["scientific_name"]
        for row in sample
    )
    assert right / len(sample) > 0.5


def answer_of(starter: GenericClassifier, path: Path) -> list[str]:
    answer = starter.classify(Batch([decode(path.read_bytes())]), Group.GENERIC)
    return [taxon.scientific_name for taxon in answer.probabilities]
