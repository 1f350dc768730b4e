"""Photos in folders: names, manifests, attributions, and what is passed over."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from engine import TaxonTable
from tests.photo_server import jpeg
from tools.sources import SourceError, SourcePhoto, open_source
from tools.sources.english_names import CORRECTIONS
from tools.sources.names import choose_species, find_taxon, scientific_name_of


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


def put(root: Path, name: str, data: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def names(photos: list[SourcePhoto]) -> list[str]:
    return [photo.scientific_name for photo in photos]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Parus_major", "Parus major"),
        ("Parus major", "Parus major"),
        ("Limenitis_arthemis_astyanax", "Limenitis arthemis astyanax"),
        ("Malus_x_domestica", "Malus \N{MULTIPLICATION SIGN} domestica"),
        ("Malus \N{MULTIPLICATION SIGN}domestica", "Malus \N{MULTIPLICATION SIGN} domestica"),
        (
            "Larus_glaucescens_x_occidentalis",
            "Larus glaucescens \N{MULTIPLICATION SIGN} occidentalis",
        ),
        ("Polygonia_c-album", "Polygonia c-album"),
    ],
)
def test_folders_are_named_for_species(folder: str, name: str) -> None:
    assert scientific_name_of(folder) == name


@pytest.mark.parametrize(
    "folder", ["", "birds", "Parus", "train", "parus major", "Parus_sp.", "2021 trip", "Malus_x"]
)
def test_other_folders_are_not(folder: str) -> None:
    assert scientific_name_of(folder) is None


def test_photos_lie_in_folders_named_for_their_species(tmp_path: Path, taxa: TaxonTable) -> None:
    put(tmp_path, "Parus_major/b.jpg", jpeg(1))
    put(tmp_path, "Parus_major/a.PNG", jpeg(2))
    put(tmp_path, "birds/waders/Larus glaucescens x occidentalis/1.jpeg", jpeg(3))
    put(tmp_path, "Parus_novus/1.jpg", jpeg(4))
    put(tmp_path, "Parus_major/notes.txt", b"not looked at")
    put(tmp_path, ".cache/Parus_major/hidden.jpg", jpeg(5))
    source = open_source("folder", path=tmp_path, taxa=taxa)
    photos = list(source.photos(set()))
    great_tit, gull, novel = photos[0].taxon, photos[3].taxon, photos[2].taxon
    assert great_tit in taxa.labels("inat2021")
    assert gull in taxa.labels("birds")
    assert (novel.scientific_name, novel.rank, novel.lineage) == (
        "Parus novus",
        "species",
        (*great_tit.lineage,),
    )
    assert [photo.data for photo in photos] == [jpeg(2), jpeg(1), jpeg(4), jpeg(3)]
    assert (source.total, source.seen, source.skipped.total()) == (4, 4, 0)
    assert {(photo.licence, photo.source) for photo in photos} == {("not stated", "folder")}


def test_what_cannot_be_used_is_counted_with_its_reason(tmp_path: Path, taxa: TaxonTable) -> None:
    put(tmp_path, "Parus_major/a.jpg", jpeg(1))
    put(tmp_path, "Parus_major/copy.jpg", jpeg(1))
    put(tmp_path, "Parus_major/page.jpg", b"<html>gone</html>")
    put(tmp_path, "Parus_major/empty.jpg", b"")
    put(tmp_path, "unsorted/c.jpg", jpeg(2))
    put(tmp_path, "top.jpg", jpeg(3))
    (tmp_path / "Parus_major/dangling.jpg").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "Parus_major/huge.jpg").open("wb") as file:
        file.truncate((25 << 20) + 1)
    source = open_source("folder", path=tmp_path, taxa=taxa)
    assert names(list(source.photos(set()))) == ["Parus major"]
    assert source.skipped == {
        "the same photo under another name": 1,
        "not a photo but a web page": 1,
        "not a photo but an empty file": 1,
        "in a folder that is not named like a species (Parus major, without an author)": 2,
        "cannot be read: No such file or directory": 1,
        "larger than 25 MiB": 1,
    }
    assert source.seen == source.total == 8


def test_what_cannot_be_used_is_reported_with_an_example(tmp_path: Path, taxa: TaxonTable) -> None:
    put(tmp_path, "Parus_major/a.jpg", jpeg(1))
    put(tmp_path, "unsorted/b.jpg", jpeg(2))
    put(tmp_path, "unsorted/c.jpg", jpeg(3))
    source = open_source("folder", path=tmp_path, taxa=taxa)
    assert [photo.name for photo in source.photos(())] == ["Parus_major/a.jpg"]
    (said,) = source.report()
    assert said.startswith("Skipped 2: in a folder that is not named like a species (Parus major")
    assert said.endswith(", such as unsorted/b.jpg.")


def test_what_is_done_is_given_again_as_it_is_labelled_now(
    tmp_path: Path, taxa: TaxonTable
) -> None:
    put(tmp_path, "Parus_minor/0.jpg", jpeg(0))
    before = next(iter(open_source("folder", path=tmp_path, taxa=taxa).photos(())))
    (tmp_path / "Parus_minor").rename(tmp_path / "Parus_major")
    source = open_source("folder", path=tmp_path, taxa=taxa)
    (now,) = source.photos({before.identity})
    assert (now.identity, now.scientific_name) == (before.identity, "Parus major")
    assert (source.seen, source.skipped.total()) == (1, 0)


def test_attributions_lie_beside_the_photos(tmp_path: Path, taxa: TaxonTable) -> None:
    put(tmp_path, "Parus_major/a.jpg", jpeg(1))
    write_csv(
        tmp_path / "attribution.csv",
        [
            {
                "file": "Parus_major/a.jpg",
                "licence": "CC BY 4.0",
                "attribution": "Zoë Ng",
                "url": "https://example.org/1",
            },
            {"file": "Parus_major/b.jpg", "licence": "CC0", "attribution": "", "url": ""},
        ],
    )
    source = open_source("folder", path=tmp_path, taxa=taxa)
    (photo,) = source.photos(set())
    assert (photo.licence, photo.attribution, photo.url) == (
        "CC BY 4.0",
        "Zoë Ng",
        "https://example.org/1",
    )
    assert "Parus_major/b.jpg" in source.notes[0]


def manifest(path: str, name: str, **more: str) -> dict[str, str]:
    row = {"path": path, "split": "train", "group": "birds", "scientific_name": name}
    return {**row, "licence": "CC0", "source_repo": "a/b", "source_path": "c.jpg", **more}


def test_a_manifest_says_which_photo_is_which(tmp_path: Path, taxa: TaxonTable) -> None:
    for number in range(4):
        put(tmp_path, f"{number}.jpg", jpeg(number))
    rows = [
        manifest("0.jpg", "Parus major"),
        manifest("0.jpg", "Corvus corax"),
        manifest("1.jpg", "Carpodacus cassinii", label_set="bird", label_index="0"),
        manifest("2.jpg", "Nova avis"),
        manifest("4.jpg", "Parus major", split="test"),
        manifest("missing.jpg", "Parus major"),
        manifest("1.jpg/../../secret.jpg", "Parus major"),
        manifest("", ""),
        manifest("a.jpg", "Parus major Linnaeus, 1758"),
        manifest("3.jpg", "Parus major", label_set="bird", label_index="0"),
    ]
    fields: dict[str, str] = {"label_set": "", "label_index": ""}
    write_csv(tmp_path / "MANIFEST.csv", [{**fields, **row} for row in rows])
    source = open_source("folder", path=tmp_path, split="train", taxa=taxa)
    photos = list(source.photos(set()))
    assert names(photos) == ["Parus major", "Haemorhous cassinii", "Nova avis"]
    assert photos[2].taxon.ancestor("class") == "Aves"
    assert {(photo.licence, photo.attribution) for photo in photos} == {("CC0", "a/b: c.jpg")}
    assert source.skipped == {
        "cannot be read: No such file or directory": 1,
        "outside of the folder": 1,
        "no species is named": 1,
        "under a name that is not like a species (Parus major, without an author)": 1,
        "label and name disagree": 1,
    }
    assert source.examples["label and name disagree"] == "3.jpg"
    with pytest.raises(SourceError, match="it has: test, train"):
        open_source("folder", path=tmp_path, split="training", taxa=taxa)


@pytest.mark.parametrize("divided", [",", ", ", ";", "\t"])
def test_a_manifest_is_read_as_spreadsheets_divide_it(
    tmp_path: Path, taxa: TaxonTable, divided: str
) -> None:
    put(tmp_path, "a.jpg", jpeg(1))
    lines = (("path", "split", "scientific_name"), ("a.jpg", "train", "Parus major"))
    (tmp_path / "MANIFEST.csv").write_text("\r\n".join(divided.join(line) for line in lines))
    source = open_source("folder", path=tmp_path, split="train", taxa=taxa)
    assert names(list(source.photos(()))) == ["Parus major"]


def test_a_manifest_says_whose_a_photo_is(tmp_path: Path, taxa: TaxonTable) -> None:
    put(tmp_path, "a.jpg", jpeg(1))
    about = {"licence": "CC BY 4.0", "attribution": "Zoë Ng", "url": "https://example.org/1"}
    write_csv(tmp_path / "MANIFEST.csv", [manifest("a.jpg", "Parus major", **about)])
    (photo,) = open_source("folder", path=tmp_path, taxa=taxa).photos(())
    assert (photo.licence, photo.attribution, photo.url) == tuple(about.values())


def called(root: Path, taxa: TaxonTable, *rows: dict[str, str]) -> list[str | None]:
    """Return what the species of a manifest's rows are called in English."""
    for number, row in enumerate(rows):
        put(root, row["path"], jpeg(number))
    write_csv(root / "MANIFEST.csv", list(rows))
    photos = open_source("folder", path=root, taxa=taxa).photos(set())
    return [photo.taxon.vernacular_name for photo in photos]


def test_a_manifest_names_in_english_what_the_table_lacks(tmp_path: Path, taxa: TaxonTable) -> None:
    names = called(
        tmp_path,
        taxa,
        manifest("0.jpg", "Parus major", common_name="Tit of ours"),
        manifest("1.jpg", "Nova avis", common_name=" newly  found bird"),
        manifest("2.jpg", "Parus_novus", common_name="Parus novus"),
        manifest("3.jpg", "Parus novissimus", common_name=""),
    )
    assert names == ["Great Tit", "Newly Found Bird", None, None]


def test_a_manifest_places_what_the_table_lacks(tmp_path: Path, taxa: TaxonTable) -> None:
    crab = {"kingdom": "Animalia", "class": "Malacostraca", "family": "Novidae", "gbif_key": "7"}
    nothing = dict.fromkeys(crab, "")
    rows = [
        manifest("0.jpg", "Novus cancer", **nothing, group="other"),
        manifest("1.jpg", "Novus cancer", **crab, group="other", split="test"),
        manifest("2.jpg", "Parus major", **nothing),
        manifest("3.jpg", "Nova avis", **{**nothing, "gbif_key": "seven", "family": " Avidae "}),
    ]
    for number, row in enumerate(rows):
        put(tmp_path, row["path"], jpeg(number))
    write_csv(tmp_path / "MANIFEST.csv", rows)
    photos = list(open_source("folder", path=tmp_path, split="train", taxa=taxa).photos(set()))
    novus, tit, avis = (photo.taxon for photo in photos)
    assert [(a.rank, a.name) for a in novus.lineage] == [
        ("kingdom", "Animalia"),
        ("class", "Malacostraca"),
        ("family", "Novidae"),
        ("genus", "Novus"),
    ]
    assert novus.gbif_key == 7
    assert tit == taxa.named("Parus major")[0]
    assert (avis.ancestor("family"), avis.ancestor("class")) == ("Avidae", "Aves")
    assert avis.gbif_key is None


def test_a_species_has_one_english_name_in_all_splits(tmp_path: Path, taxa: TaxonTable) -> None:
    names = called(
        tmp_path,
        taxa,
        manifest("0.jpg", "Nova avis", common_name=""),
        manifest("1.jpg", "Nova avis", common_name="First Bird", split="test"),
        manifest("2.jpg", "Nova avis", common_name="Second Bird"),
    )
    assert names == ["First Bird"] * 3
    train = open_source("folder", path=tmp_path, split="train", taxa=taxa).photos(set())
    assert {photo.taxon.vernacular_name for photo in train} == {"First Bird"}


def test_what_collections_are_known_to_have_mangled_is_corrected(
    tmp_path: Path, taxa: TaxonTable
) -> None:
    names = called(
        tmp_path,
        taxa,
        manifest("0.jpg", "Ammodramus henslowii", common_name="Henslow Sparrow"),
        manifest("1.jpg", "Nectandra salicina", common_name="Quizarrá"),
        manifest("2.jpg", "Lupulella adusta", common_name="jackal of the evening"),
    )
    assert names == ["Henslow's Sparrow", None, "Jackal of the Evening"]


def test_the_corrections_are_of_species_that_the_table_lacks(taxa: TaxonTable) -> None:
    with CORRECTIONS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) > 60
    for row in rows:
        assert find_taxon(taxa, row["scientific_name"], vernacular_name="X").vernacular_name == "X"
        assert row["written"] != row["english_name"]


def test_the_photos_of_the_research_collections_are_all_found(
    shared: Path, taxa: TaxonTable
) -> None:
    source = open_source("folder", path=shared / "photos", split="train", taxa=taxa)
    photos = list(source.photos(set()))
    assert len(photos) == source.total == 3065
    assert not source.skipped
    assert all(photo.taxon.lineage and photo.licence and photo.attribution for photo in photos)
    species = {photo.taxon for photo in photos}
    assert sum(taxon.vernacular_name is None for taxon in species) == 23


def test_an_unusable_folder_is_refused_with_one_sentence(tmp_path: Path, taxa: TaxonTable) -> None:
    def refusal(**options: object) -> str:
        with pytest.raises(SourceError) as caught:
            open_source("folder", taxa=taxa, **options)
        return str(caught.value)

    assert "is not a folder" in refusal(path=tmp_path / "nowhere")
    assert "holds no photos" in refusal(path=tmp_path)
    assert "so no split 'train'" in refusal(path=tmp_path, split="train")
    put(tmp_path, "Parus_major/a.jpg", jpeg(1))
    put(tmp_path, "attribution.csv", b"file,licence\n")
    assert "lacks the columns 'attribution', 'url': add them." in refusal(path=tmp_path)
    put(tmp_path, "attribution.csv", b"file,licence,attribution,url\n\xff\xfe,,,\n")
    assert "it is not in UTF-8" in refusal(path=tmp_path)
    put(tmp_path, "MANIFEST.csv", b"path,scientific_name\n")
    assert "lacks the column 'split': add it." in refusal(path=tmp_path)
    put(tmp_path, "MANIFEST.csv", b"path,split,scientific_name\n")
    assert "lists no photos" in refusal(path=tmp_path)
    with pytest.raises(SourceError, match="no source 'flickr': choose one of folder, inat2021"):
        open_source("flickr", taxa=taxa)
    with pytest.raises(SourceError, match=r"cannot be opened so: .*'depth'"):
        open_source("folder", taxa=taxa, path=tmp_path, depth=3)


def test_homonyms_are_told_apart_or_left_alone(taxa: TaxonTable) -> None:
    (tit,) = taxa.named("Parus major")
    assert find_taxon(taxa, "Parus major") == tit
    plant = find_taxon(taxa, "Parus major", ancestors={"kingdom": "Plantae"}, gbif_key=7)
    assert (plant.gbif_key, [a.name for a in plant.lineage]) == (7, ["Plantae", "Parus"])


def test_species_are_chosen_by_name_or_all(taxa: TaxonTable) -> None:
    assert choose_species(taxa, ["Parus_major", "Parus major"]) == list(taxa.named("Parus major"))
    everything = choose_species(taxa, None)
    assert len(everything) > 10_000
    assert set(taxa.labels("birds")) - {None} <= set(everything)
    with pytest.raises(SourceError, match="'Aves' is not the scientific name of a species"):
        choose_species(taxa, ["Aves"])
    with pytest.raises(SourceError, match="list of species is empty"):
        choose_species(taxa, [])
