"""The species index in the engine: answers, mixes, filters by group, and grows while it runs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from engine import (
    Engine,
    EngineFailed,
    EngineSettings,
    EngineTimeout,
    Group,
    ModelUnavailable,
    PhotoRejected,
    Taxon,
)
from engine.batch import Batch
from engine.decode import decode
from engine.embedder import open_embedder
from engine.generic import find
from engine.index.lock import folder_locked
from engine.index.projection import fit_projection
from engine.index.species_index import Reference, SpeciesIndex
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter
from tests.engine.colour_index import CREDIT, LOOKS, NEW, make, picture, taxon
from tests.engine.small_index import references
from tests.hub_modules import HubModules, catalog_entry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def settings(hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    return make(tmp_path_factory.mktemp("generic"), hub_modules)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(settings: EngineSettings) -> AsyncIterator[Engine]:
    async with Engine(settings) as engine:
        yield engine


async def test_the_index_answers_for_generic(engine: Engine) -> None:
    answer = await engine.identify([picture(LOOKS["Vulpes vulpes"], 99)], Group.GENERIC)
    assert answer.group is Group.GENERIC
    assert answer.candidates[0].taxon == taxon("Vulpes vulpes")
    assert answer.candidates[0].references[0] == CREDIT
    assert answer.models[0].title == "Index of 4 species (Colours)"
    assert sum(answer.if_known.values()) <= 1 + 1e-9


async def test_what_may_be_unknown_is_taken_off_each_probability(engine: Engine) -> None:
    fox = await engine.identify([picture(LOOKS["Vulpes vulpes"], 98)], Group.GENERIC)
    odd = await engine.identify([picture(NEW[1], 98)], Group.GENERIC)
    assert odd.trust < fox.trust <= 1
    for answer in (fox, odd):
        total = sum(c.probability for c in answer.candidates)
        assert 0 < total <= answer.trust + 1e-9
        assert sum(answer.if_known.values()) == pytest.approx(total / answer.trust)


async def test_an_index_is_asked_at_the_precision_it_was_made_at(
    settings: EngineSettings, hub_modules: HubModules
) -> None:
    faster = replace(settings, precision="bf16", workers=1, models_dir=hub_modules.no_plants)
    async with Engine(faster) as engine:
        runtimes = {model.name: model.runtime for model in engine.models()}
        answer = await engine.identify([picture(LOOKS["Vulpes vulpes"], 99)], Group.GENERIC)
    assert (runtimes["birds"], runtimes["index"]) == ("openvino bf16", "openvino f32")
    assert answer.candidates[0].taxon == taxon("Vulpes vulpes")


async def test_what_is_found_says_how_much_there_was_to_see(tmp_path: Path) -> None:
    features = np.random.default_rng(0).uniform(size=(12, 8)).astype(np.float32)
    projection = fit_projection(features, np.arange(12) // 2, dims=3)
    IndexWriter.create(
        tmp_path / "index",
        projection.apply(features),
        references("a", [n // 2 for n in range(12)]),
        embedder="tiny",
        projection=projection,
        vote_settings=VoteSettings(),
        factory="Flat",
    )
    found = find(SpeciesIndex.open(tmp_path / "index"), features[:2])
    assert found.evidence.distinctness is not None
    np.testing.assert_array_equal(
        found.evidence.distinctness, projection.distinctness(features[:2])
    )
    assert set(found.evidence.rows[0].tolist()) == set(range(12)) | {-1}


async def test_auto_finds_the_group_by_lineage(engine: Engine) -> None:
    for name, group in (
        ("Erithacus rubecula", Group.BIRD),
        ("Apis mellifera", Group.INSECT),
        ("Abies alba", Group.PLANT),
        ("Vulpes vulpes", Group.GENERIC),
    ):
        answer = await engine.identify([picture(LOOKS[name], 77)], Group.AUTO)
        assert (answer.group, answer.candidates[0].taxon) == (group, taxon(name))


async def test_a_group_without_a_network_falls_to_the_index_and_says_so(engine: Engine) -> None:
    fox = picture(LOOKS["Vulpes vulpes"], 99)
    answer = await engine.identify([fox], Group.PLANT)
    assert [c.taxon for c in answer.candidates] == [taxon("Abies alba")]
    assert answer.notes == ("No plant model here: from the index.",)


async def test_a_photo_that_was_learnt_is_known_to_every_worker_at_once(engine: Engine) -> None:
    name, look = NEW
    for seed in range(3):
        learnt = await engine.learn(picture(look, seed), taxon(name), replace(CREDIT, url=None))
        assert (learnt.new, learnt.photos, learnt.preview) == (True, seed + 1, None)
    answers = await asyncio.gather(
        *(engine.identify([picture(look, 50 + i)], Group.GENERIC) for i in range(8))
    )
    assert {answer.candidates[0].taxon for answer in answers} == {taxon(name)}
    assert {answer.models[0].title for answer in answers} == {"Index of 5 species (Colours)"}


async def test_photos_from_before_and_after_a_species_got_its_name_are_of_one_species(
    engine: Engine,
) -> None:
    look = ("purple", "blue")
    nameless = Taxon(
        scientific_name="Novus nominandus", rank="species", lineage=taxon("Apis mellifera").lineage
    )
    named = replace(nameless, vernacular_name="Newly Named Bee")
    for seed, taught in enumerate([nameless, named, nameless]):
        photo = replace(CREDIT, url=f"https://example.org/{seed}")
        assert (await engine.learn(picture(look, seed), taught, photo)).photos == seed + 1
    answer = await engine.identify([picture(look, 50)], Group.GENERIC)
    assert answer.candidates[0].taxon == named
    assert {photo.url for photo in answer.candidates[0].references} == {
        f"https://example.org/{seed}" for seed in range(3)
    }


async def test_what_an_index_kept_under_an_older_entry_is_the_tables_species(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    fox = taxon("Vulpes vulpes")
    settings = make(tmp_path, hub_modules)
    embedder = open_embedder("colours", settings)
    older = replace(fox, gbif_key=None, col_key=None, vernacular_name="Fox", lineage=())
    photos = [decode(picture(LOOKS["Vulpes vulpes"], 60 + seed)) for seed in range(3)]
    url = "https://example.org/older"
    IndexWriter(tmp_path / "index").add(
        SpeciesIndex.open(tmp_path / "index").projection.apply(embedder.embed(Batch(photos))),
        [
            Reference(taxon=older, **asdict(replace(CREDIT, url=url)), identity=f"older {number}")
            for number in range(len(photos))
        ],
    )
    assert len(SpeciesIndex.open(tmp_path / "index").taxa) == len(LOOKS) + 1
    async with Engine(settings) as engine:
        for seed in range(60, 63):
            answer = await engine.identify([picture(LOOKS["Vulpes vulpes"], seed)], Group.GENERIC)
            named = [candidate.taxon for candidate in answer.candidates]
            assert named[0] == fox
            assert len({taxon.scientific_name for taxon in named}) == len(named)
            assert url in {photo.url for photo in answer.candidates[0].references}
            assert sum(answer.if_known.values()) <= 1 + 1e-9


async def test_the_same_photo_is_learnt_once(engine: Engine) -> None:
    photo = picture(LOOKS["Apis mellifera"], 1234)
    first = await engine.learn(photo, taxon("Apis mellifera"), CREDIT, identity="bee")
    again = await engine.learn(photo, taxon("Apis mellifera"), CREDIT, identity="the same bee")
    assert (first.new, again.new) == (True, False)
    assert first.photos == again.photos


async def test_a_lesson_that_is_given_again_is_answered_as_the_first_time(engine: Engine) -> None:
    """As it is where a worker dies between the change and its answer."""
    photo = picture(LOOKS["Apis mellifera"], 4321)
    lessons = [
        await engine.learn(photo, taxon("Apis mellifera"), CREDIT, identity="once", preview=True)
        for _ in range(2)
    ]
    assert lessons[0] == lessons[1]
    assert lessons[0].new
    assert Image.open(io.BytesIO(lessons[0].preview or b"")).size == (64, 64)


async def test_what_was_learnt_is_forgotten_by_every_worker_at_once(engine: Engine) -> None:
    look, bolete = ("navy", "lime"), replace(taxon("Apis mellifera"), scientific_name="Apis nova")
    for seed in range(2):
        assert (await engine.learn(picture(look, seed), bolete, CREDIT, identity=f"n{seed}")).new
    assert await engine.forget("n0")
    answer = await engine.identify([picture(look, 50)], Group.GENERIC)
    assert (answer.candidates[0].taxon, len(answer.candidates[0].references)) == (bolete, 1)
    assert await engine.forget("n1")
    answers = await asyncio.gather(
        *(engine.identify([picture(look, 50 + i)], Group.GENERIC) for i in range(8))
    )
    assert bolete not in {c.taxon for answer in answers for c in answer.candidates}
    assert not await engine.forget("n1")


async def test_a_lesson_while_another_process_is_at_the_index_says_so(
    engine: Engine, settings: EngineSettings
) -> None:
    with folder_locked(settings.index_folder), pytest.raises(EngineFailed, match="Another") as busy:
        await engine.learn(picture(NEW[1], 71), taxon("Apis mellifera"), CREDIT)
    assert str(settings.index_folder) not in str(busy.value)


async def test_a_lesson_that_was_given_up_is_not_learnt(settings: EngineSettings) -> None:
    hurried = replace(settings, workers=1, deadline_s=1.5)
    photo, bee = picture(LOOKS["Apis mellifera"], 72), taxon("Apis mellifera")
    async with Engine(hurried) as engine:
        with folder_locked(settings.index_folder), pytest.raises(EngineTimeout):
            await engine.learn(photo, bee, CREDIT, identity="late")
    assert not SpeciesIndex.open(settings.index_folder).holds("late")


async def test_what_is_no_photo_is_not_learnt(engine: Engine) -> None:
    with pytest.raises(PhotoRejected):
        await engine.learn(b"<html>", taxon("Apis mellifera"), CREDIT)


async def test_without_an_index_there_is_nothing_to_teach(tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, index=tmp_path / "no-index")
    async with Engine(settings) as engine:
        with pytest.raises(ModelUnavailable, match="fieldmark index build"):
            await engine.learn(picture(NEW[1], 0), taxon("Apis mellifera"), CREDIT)
        with pytest.raises(ModelUnavailable, match="fieldmark index build"):
            await engine.forget("anything")


async def test_an_index_that_another_network_made_is_reported(
    settings: EngineSettings, hub_modules: HubModules, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(catalog_entry(hub_modules.birds, features=965))
    async with Engine(replace(settings, catalog=catalog, home=tmp_path / "home")) as engine:
        problems = {m.name: m.problem or "" for m in engine.models()}
        with pytest.raises(ModelUnavailable):
            await engine.identify([picture(NEW[1], 0)], Group.GENERIC)
    assert "colours@" in problems["index"]
