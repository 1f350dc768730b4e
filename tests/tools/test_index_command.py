"""``fieldmark index``: built from folders, stopped and gone on with, grown, cut and checked."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from engine import Ancestor, Taxon, TaxonTable
from engine.batch import Batch
from engine.decode import Photo
from engine.index.species_index import SpeciesIndex
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter
from tests.engine.small_index import reference
from tests.tools.gbif_matches import match, serving
from tools.index.app import index_app
from tools.sources.placing import AskGbif

IDENTITY = "tiny@0123456789ab/24/f32"
COLOURS = {
    "Parus_major": (200, 200, 40),
    "Turdus_merula": (20, 20, 20),
    "Noctua_novella": (150, 90, 40),
}


class TinyEmbedder:
    """What an embedder is to the command: an identity, a width, and features of photos."""

    identity = IDENTITY
    width = 48

    def __init__(self) -> None:
        self.seen = 0
        self.stop_after: int | None = None

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(batch.photos)
        features = np.stack([photo.resized(4).ravel() for photo in batch.photos]) / 255
        return np.where(features.mean(axis=1, keepdims=True) > 0.98, np.float32("nan"), features)


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> TinyEmbedder:
    tiny = TinyEmbedder()

    def open_tiny(name: str, *_: object) -> TinyEmbedder:
        assert name == "tiny"
        return tiny

    monkeypatch.setattr("tools.index.app.open_embedder", open_tiny)
    # An index is opened by the name in its manifest, in the module of ``open_embedder`` itself.
    monkeypatch.setattr("engine.embedder.open_embedder", open_tiny)
    return tiny


def write_photos(root: Path, name: str, count: int, seed: int = 0, suffix: str = "png") -> None:
    rng = np.random.default_rng([seed, *map(ord, name)])
    (root / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = rng.normal(COLOURS[name], 25, (40, 40, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / name / f"{seed}-{number}.{suffix}")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("Parus_major", "Turdus_merula"):
        write_photos(root, name, 24)
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(index_app, [str(argument) for argument in arguments])


def build(index: Path, photos: Path, *options: str) -> Result:
    return run("build", index, "--from", "folder", photos, "--embedder", "tiny",
               "--projection", "pca", "--dims", "8", *options)  # fmt: skip


@pytest.fixture
def built(tmp_path: Path, photos: Path, embedder: TinyEmbedder) -> Path:
    result = build(tmp_path / "index", photos)
    assert result.exit_code == 0, result.output
    return tmp_path / "index"


def names(index: SpeciesIndex) -> dict[str, int]:
    return {
        taxon.scientific_name: int(count)
        for taxon, count in zip(index.taxa, index.photos_of_taxon, strict=True)
    }


def test_build_makes_an_index_that_finds_the_species(
    built: Path, tmp_path: Path, embedder: TinyEmbedder
) -> None:
    index = SpeciesIndex.open(built, embedder=IDENTITY)
    assert names(index) == {"Parus major": 24, "Turdus merula": 24}
    assert index.taxa[0].ancestor("family") == "Paridae"
    write_photos(tmp_path / "queries", "Turdus_merula", 1, seed=1)
    pixels = np.asarray(Image.open(tmp_path / "queries/Turdus_merula/1-0.png"))
    vectors = index.projection.apply(embedder.embed(Batch([Photo.of(pixels)])))
    found = index.search(vectors, 5)
    assert {index.taxa[taxon].scientific_name for taxon in found.taxa[0]} == {"Turdus merula"}
    assert index.references(found.rows[0])[0].source == "folder"
    assert not (built / "work").exists()


def test_build_fits_the_vote_to_the_photos(built: Path) -> None:
    fitted = SpeciesIndex.open(built).vote_settings
    assert fitted.known_threshold != VoteSettings().known_threshold
    assert json.loads(run("info", built, "--json").stdout)["vote"] == asdict(fitted)


def test_an_index_of_two_photos_has_the_vote_that_others_have(
    tmp_path: Path, embedder: TinyEmbedder
) -> None:
    write_photos(tmp_path / "two", "Parus_major", 2)
    result = build(tmp_path / "index", tmp_path / "two")
    assert result.exit_code == 0, result.output
    assert "default numbers" in result.stderr
    assert SpeciesIndex.open(tmp_path / "index").vote_settings == VoteSettings()


def test_a_manifests_english_name_outlives_addition_and_compaction(
    built: Path, tmp_path: Path, embedder: TinyEmbedder
) -> None:
    more = tmp_path / "more"
    write_photos(more, "Noctua_novella", 2)
    with (more / "MANIFEST.csv").open("w", encoding="utf-8") as file:
        file.write("path,split,scientific_name,common_name\n")
        for number in range(2):
            file.write(f"Noctua_novella/0-{number}.png,train,Noctua novella,little new owl\n")
    called = {"Great Tit", "Eurasian Blackbird", "Little New Owl"}
    for change in (("add", built, "--from", "folder", more), ("compact", built)):
        result = run(*change)
        assert result.exit_code == 0, result.output
        assert {taxon.vernacular_name for taxon in SpeciesIndex.open(built).taxa} == called


def test_build_says_what_it_did(tmp_path: Path, photos: Path, embedder: TinyEmbedder) -> None:
    result = build(tmp_path / "index", photos)
    assert result.stdout == (
        f"48 photos added, 0 were there already; {tmp_path / 'index'} holds 48 photos of 2 taxa.\n"
    )


def test_a_stopped_build_goes_on_where_it_was(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    embedder.stop_after = 32
    stopped = build(tmp_path / "index", photos)
    assert stopped.exit_code == 130
    assert "The same command goes on from here." in stopped.stderr
    assert not (tmp_path / "index" / "manifest.json").exists()
    embedder.stop_after = None
    finished = build(tmp_path / "index", photos)
    assert finished.exit_code == 0, finished.output
    assert embedder.seen == 48
    assert names(SpeciesIndex.open(tmp_path / "index")) == {"Parus major": 24, "Turdus merula": 24}


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    folder = tmp_path / "unlabelled"
    for seed in (1, 2):
        write_photos(folder / "deep", "Noctua_novella", 5, seed=seed)
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def test_photos_without_a_label_have_their_say_in_the_projection_and_are_not_in_the_index(
    built: Path, tmp_path: Path, photos: Path, unlabelled: Path, embedder: TinyEmbedder
) -> None:
    other = tmp_path / "other"
    result = build(other, photos, "--unlabelled", str(unlabelled))
    assert result.exit_code == 0, result.output
    assert "8 dimensions, fitted with 10 photos without a label." in result.stderr
    index = SpeciesIndex.open(other)
    assert names(index) == {"Parus major": 24, "Turdus merula": 24}
    assert not np.allclose(index.projection.matrix, SpeciesIndex.open(built).projection.matrix)
    assert not (other / "work").exists()


def test_a_build_stopped_after_photos_without_a_label_keeps_their_features(
    tmp_path: Path,
    photos: Path,
    unlabelled: Path,
    embedder: TinyEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tools.index.unlabelled.SHARD_PHOTOS", 4)
    embedder.stop_after = 48 + 5
    assert build(tmp_path / "index", photos, "--unlabelled", str(unlabelled)).exit_code == 130
    kept = sorted((tmp_path / "index" / "work" / "unlabelled").iterdir())
    assert [len(np.load(path)) for path in kept] == [3]
    kept[0].with_name("000004.npy").write_bytes(b"cut off")
    embedder.stop_after = None
    refused = build(tmp_path / "index", photos)
    assert "holds the beginning of another build" in refused.stderr
    finished = build(tmp_path / "index", photos, "--unlabelled", str(unlabelled))
    assert finished.exit_code == 0, finished.output
    assert "fitted with 10 photos without a label" in finished.stderr
    assert embedder.seen == 48 + 10 + 2  # two were embedded when it was stopped


def test_a_folder_without_any_photos_beside_is_told_before_any_is_embedded(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    (tmp_path / "empty").mkdir()
    result = build(tmp_path / "index", photos, "--unlabelled", str(tmp_path / "empty"))
    assert result.exit_code == 1
    assert "There are no photos in" in result.stderr
    assert embedder.seen == 0


def test_a_build_that_died_after_its_last_photo_is_finished(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("engine.index.change.write_segment", die)
        assert build(tmp_path / "index", photos).exit_code == 130
    assert "There is no index in" in run("info", tmp_path / "index").stderr
    assert build(tmp_path / "index", photos).exit_code == 0
    assert embedder.seen == 48
    assert len(SpeciesIndex.open(tmp_path / "index")) == 48


def test_a_build_that_died_when_its_photos_were_in_the_index_says_so(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("tools.index.spool.Spool.discard", die)
        assert build(tmp_path / "index", photos).exit_code == 130
    again = build(tmp_path / "index", photos)
    assert "0 photos added, 48 were there already; " in again.stdout
    assert embedder.seen == 48


def test_a_mistyped_folder_is_not_in_the_way_of_the_right_one(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    index = tmp_path / "index"
    assert "is not a folder" in build(index, tmp_path / "fotos").stderr
    assert build(index, photos).exit_code == 0
    write_photos(tmp_path / "more", "Noctua_novella", 3)
    assert run("add", index, "--from", "folder", tmp_path / "moor").exit_code == 1
    assert "There is an index in" in build(index, photos).stderr
    assert run("add", index, "--from", "folder", tmp_path / "more").exit_code == 0
    assert names(SpeciesIndex.open(index))["Noctua novella"] == 3


def test_a_folder_renamed_while_a_build_is_stopped_has_its_new_name(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    embedder.stop_after = 32
    assert build(tmp_path / "index", photos).exit_code == 130
    (photos / "Parus_major").rename(photos / "Parus_minor")
    embedder.stop_after = None
    assert build(tmp_path / "index", photos).exit_code == 0
    assert embedder.seen == 48
    assert names(SpeciesIndex.open(tmp_path / "index")) == {"Parus minor": 24, "Turdus merula": 24}


def test_photos_that_the_index_holds_under_another_name_are_told(
    built: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    same = run("add", built, "--from", "folder", photos)
    assert "0 photos added, 48 were there already;" in same.stdout
    assert "another name" not in same.stderr
    (photos / "Parus_major").rename(photos / "Parus_minor")
    renamed = run("add", built, "--from", "folder", photos)
    assert "24 photos are in the index under another name" in renamed.stderr
    assert "as Parus major: take" in renamed.stderr
    assert run("remove", built, "Parus major").exit_code == 0
    again = run("add", built, "--from", "folder", photos)
    assert "24 photos added, 24 were there already;" in again.stdout
    assert names(SpeciesIndex.open(built)) == {"Parus minor": 24, "Turdus merula": 24}


def test_photos_that_come_twice_were_not_there_already(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    for path in (photos / "Parus_major").glob("*.png"):
        Image.open(path).save(path.with_suffix(".bmp"))
    result = build(tmp_path / "index", photos)
    assert "48 photos added, 0 were there already, 24 came twice; " in result.stdout


def test_a_full_disk_is_told_in_a_sentence(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise OSError("40 requested and 4 written")  # as numpy does

    monkeypatch.setattr("tools.index.growth.fit_index", fill)
    result = build(tmp_path / "index", photos)
    assert result.exit_code == 1
    assert f"{tmp_path / 'index'} cannot be used: 40 requested and 4 written." in result.stderr


@pytest.mark.parametrize("counts", [{"Parus_major": 5}, {"Parus_major": 1, "Turdus_merula": 1}])
def test_what_is_too_little_for_an_lda_is_not_embedded_again_for_a_pca(
    tmp_path: Path, counts: dict[str, int], embedder: TinyEmbedder
) -> None:
    for name, count in counts.items():
        write_photos(tmp_path / "few", name, count)
    words = (
        "build",
        tmp_path / "index",
        "--from",
        "folder",
        tmp_path / "few",
        "--embedder",
        "tiny",
    )
    refused = run(*words)
    assert refused.exit_code == 1
    assert "also with --projection pca, and embeds no photo again." in refused.stderr
    seen = embedder.seen
    assert run(*words, "--projection", "pca").exit_code == 0
    assert embedder.seen == seen == sum(counts.values())


def test_an_unfinished_build_refuses_another(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    embedder.stop_after = 16
    build(tmp_path / "index", photos)
    write_photos(tmp_path / "others", "Noctua_novella", 3)
    refused = build(tmp_path / "index", tmp_path / "others")
    assert refused.exit_code == 1
    assert "holds the beginning of another build" in refused.stderr


def test_a_damaged_photo_may_have_a_name_that_is_no_text(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    whole = (photos / "Parus_major" / "0-0.png").read_bytes()
    (photos / "Parus_major" / os.fsdecode(b"m\xe9sange.png")).write_bytes(whole[: len(whole) // 2])
    result = build(tmp_path / "index", photos)
    assert result.exit_code == 0, result.output
    assert "sange.png (Parus major): This photo is damaged or cut off." in result.stderr


def test_undecodable_photos_and_unknown_names_are_listed(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    whole = (photos / "Parus_major" / "0-0.png").read_bytes()
    (photos / "Parus_major" / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (40, 40), "white").save(photos / "Parus_major" / "white.png")
    write_photos(photos, "Noctua_novella", 3)
    result = build(tmp_path / "index", photos)
    assert result.exit_code == 0, result.output
    assert (
        "Skipped Parus_major/cut.png (Parus major): This photo is damaged or cut off.\n"
        "Skipped Parus_major/white.png (Parus major): The network gives no features for it.\n"
    ) in result.stderr
    assert "Not in the taxon table, so known by name alone: Noctua novella." in result.stderr
    assert names(SpeciesIndex.open(tmp_path / "index"))["Noctua novella"] == 3


def test_gbif_places_what_the_table_lacks_where_asked(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(photos, "Noctua_novella", 3)
    with serving() as gbif:
        gbif.answers = {"Noctua novella": [match("7", "Noctua novella", family="Noctuidae")]}
        monkeypatch.setattr("tools.index.source.AskGbif", partial(AskGbif, api=gbif.url))
        result = build(tmp_path / "index", photos, "--ask-gbif", "--contact", "me@example.org")
        assert result.exit_code == 0, result.output
        assert gbif.names_asked() == ["Noctua novella"]
        assert "me@example.org" in gbif.agents[0]
    assert "GBIF placed 1 of 1 species" in result.stderr
    assert "known by name alone" not in result.stderr
    (moth,) = (t for t in SpeciesIndex.open(tmp_path / "index").taxa if t.gbif_key == 7)
    assert (moth.scientific_name, moth.ancestor("family")) == ("Noctua novella", "Noctuidae")


def test_a_species_is_removed_with_what_was_added_before_it_was_placed(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    index, bare = tmp_path / "index", Taxon(scientific_name="Novus cancer", rank="species")
    assert build(index, photos).exit_code == 0
    animal, plant = (
        replace(bare, lineage=(Ancestor("kingdom", kingdom),))
        for kingdom in ("Animalia", "Plantae")
    )
    for number, taxon in enumerate((bare, animal)):
        vector = np.eye(8, dtype=np.float32)[[number]]
        IndexWriter(index).add(vector, [reference(taxon)])
    assert run("remove", index, "Novus cancer").exit_code == 0
    assert set(names(SpeciesIndex.open(index))) == {"Parus major", "Turdus merula"}
    for number, taxon in enumerate((bare, animal, plant)):
        vector = np.eye(8, dtype=np.float32)[[number]]
        IndexWriter(index).add(vector, [reference(taxon)])
    refused = run("remove", index, "Novus cancer")
    assert refused.exit_code == 2
    assert "--kingdom (Animalia, Plantae)" in refused.stderr


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("gbif", "--taxon", "Aves", "--ask-gbif"), "--ask-gbif"),
        (("gbif", "photos", "--taxon", "Aves"), "PLACE"),
        (("inat-open-data", "--country", "AT"), "--country"),
        (("folder", "photos", "--per-species", "2"), "--per-species"),
        (("inat2021", "photos", "--split", "train"), "--split"),
    ],
)
def test_what_a_source_would_not_heed_is_refused(
    tmp_path: Path, embedder: TinyEmbedder, words: tuple[str, ...], option: str
) -> None:
    result = run("build", tmp_path / "index", "--embedder", "tiny", "--from", *words)
    assert result.exit_code == 2
    assert f"--from {words[0]} takes no {option}: leave it out." in result.stderr


def test_a_folder_without_usable_photos_makes_no_index(
    tmp_path: Path, embedder: TinyEmbedder
) -> None:
    (tmp_path / "photos" / "Parus_major").mkdir(parents=True)
    (tmp_path / "photos" / "Parus_major" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    result = build(tmp_path / "index", tmp_path / "photos")
    assert result.exit_code == 1
    assert "Not one photo could be used" in result.stderr
    assert not (tmp_path / "index" / "manifest.json").exists()


def test_photos_may_come_from_inaturalist_2021(tmp_path: Path, embedder: TinyEmbedder) -> None:
    labels = TaxonTable.load().labels("inat2021")
    (number,) = (n for n, t in enumerate(labels) if t and t.scientific_name == "Turdus merula")
    category = f"{number:05d}_Animalia_Chordata_Aves_Passeriformes_Turdidae_Turdus_merula"
    write_photos(tmp_path, "Turdus_merula", 3, suffix="jpg")
    (tmp_path / "train_mini").mkdir()
    (tmp_path / "Turdus_merula").rename(tmp_path / "train_mini" / category)
    result = run("build", tmp_path / "index", "--from", "inat2021", tmp_path / "train_mini",
                 "--embedder", "tiny", "--projection", "pca", "--dims", "2")  # fmt: skip
    assert result.exit_code == 0, result.output
    index = SpeciesIndex.open(tmp_path / "index")
    assert names(index) == {"Turdus merula": 3}
    assert index.references([0])[0].source != "folder"


def test_build_does_not_touch_an_index_that_is_there(built: Path, photos: Path) -> None:
    again = build(built, photos)
    assert again.exit_code == 1
    assert "fieldmark index add" in again.stderr


def test_an_unknown_factory_is_refused_before_any_photo(
    tmp_path: Path, photos: Path, embedder: TinyEmbedder
) -> None:
    refused = build(tmp_path / "index", photos, "--factory", "Fast")
    assert refused.exit_code == 1
    assert "no index 'Fast'" in refused.stderr
    assert embedder.seen == 0


def test_add_takes_only_what_is_new(built: Path, photos: Path, embedder: TinyEmbedder) -> None:
    write_photos(photos, "Noctua_novella", 5)
    running = SpeciesIndex.open(built, embedder=IDENTITY)
    added = run("add", built, "--from", "folder", photos)
    assert added.exit_code == 0, added.output
    assert added.stdout.startswith("5 photos added")
    assert embedder.seen == 53
    assert names(running.refreshed())["Noctua novella"] == 5
    nothing = run("add", built, "--from", "folder", photos)
    assert nothing.stdout.startswith("0 photos added")
    assert embedder.seen == 53


def test_remove_compact_and_verify(built: Path) -> None:
    assert run("remove", built, "Turdus merula").exit_code == 0
    record = json.loads(run("info", built, "--json").stdout)
    assert (record["photos"], record["removed"], record["taxa"]) == (24, 24, 1)
    assert run("compact", built).stdout == f"{built} holds 24 photos in one segment.\n"
    divided = run("compact", built, "--segments", "4").stdout
    assert divided == f"{built} holds 24 photos in 4 segments of one size.\n"
    record = json.loads(run("info", built, "--json").stdout)
    assert (record["photos"], record["removed"], record["embedder"]) == (24, 0, IDENTITY)
    assert (record["projection"], record["dims"], record["factory"]) == ("pca", 8, "auto")
    assert "24 photos of 1 taxa" in run("verify", built).stdout
    missing = run("remove", built, "Turdus merula")
    assert missing.exit_code == 1
    assert "no photos of Turdus merula" in missing.stderr


def test_verify_names_a_damaged_file(built: Path) -> None:
    (path,) = built.glob("segments/*/references.sqlite")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = run("verify", built)
    assert result.exit_code == 1
    assert "references.sqlite is not as it was written" in result.stderr


def test_info_for_people_names_the_embedder(built: Path) -> None:
    shown = run("info", built)
    assert shown.exit_code == 0
    assert IDENTITY in shown.stdout
    assert "Traceback" not in shown.output


@pytest.mark.parametrize("command", ["add", "info", "compact", "verify"])
def test_a_folder_without_an_index_is_told_in_a_sentence(
    tmp_path: Path, command: str, photos: Path
) -> None:
    more = ["--from", "folder", photos] if command == "add" else []
    result = run(command, tmp_path / "nowhere", *more)
    assert result.exit_code == 1
    assert "fieldmark index build" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "folder"], "Say which folder"),
        (["--from", "gbif"], "Say which species"),
    ],
)
def test_a_source_that_is_not_said_is_asked_for(
    tmp_path: Path, embedder: TinyEmbedder, options: list[str], sentence: str
) -> None:
    result = run("build", tmp_path / "index", *options, "--embedder", "tiny")
    assert result.exit_code == 2
    assert sentence in result.stderr
