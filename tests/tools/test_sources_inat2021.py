"""The iNaturalist 2021 competition's layout: category folders, annotations, the archive."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from random import Random

import pytest

from engine import TaxonTable
from tests.photo_server import jpeg
from tools.sources import SourceError, SourcePhoto, open_source

WORM = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
TIT = "04351_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major"
FILES = {
    f"{WORM}/aaaa-1.jpg": jpeg(1),
    f"{WORM}/aaaa-2.jpg": jpeg(2),
    f"{TIT}/bbbb-1.jpg": jpeg(3),
}


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture(scope="module")
def files(taxa: TaxonTable) -> dict[str, bytes]:
    """Return the photos by path, with the real number of each category."""
    names = [taxon and taxon.scientific_name for taxon in taxa.labels("inat2021")]
    number = f"{names.index('Parus major'):05d}"
    return {path.replace("04351", number): data for path, data in FILES.items()}


def unpack(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / "train_mini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"train_mini/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def annotate(path: Path, files: list[str]) -> Path:
    """Write annotations as the competition does, NaN included."""
    document = {
        "info": {"year": 2021},
        "images": [
            {
                "id": number,
                "width": 32,
                "height": 32,
                "file_name": f"train_mini/{name}",
                "license": number % 3,
                "rights_holder": f"Ünal {number}",
                "date": "2015-07-09",
                "latitude": float("nan"),
                "longitude": 8.5,
                "location_uncertainty": None,
            }
            for number, name in enumerate(files)
        ],
        "categories": [{"id": 0, "name": "Lumbricus terrestris", "image_dir_name": WORM}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 0}],
        "licenses": [
            {"id": 0, "name": "Attribution", "url": "http://creativecommons.org/licenses/by/4.0/"},
            {"id": 1, "name": "CC BY-NC", "url": ""},
            {"id": 2, "name": "Kept by its author", "url": None},
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def credited(photos: list[SourcePhoto]) -> list[tuple[str, str, str]]:
    return [(photo.scientific_name, photo.licence, photo.attribution) for photo in photos]


CREDITED = [
    ("Lumbricus terrestris", "CC BY 4.0", "Ünal 0"),
    ("Lumbricus terrestris", "CC BY-NC", "Ünal 1"),
    ("Parus major", "Kept by its author", "Ünal 2"),
]


def test_an_unpacked_folder_is_read_by_category(
    tmp_path: Path, taxa: TaxonTable, files: dict[str, bytes]
) -> None:
    annotations = annotate(tmp_path / "train_mini.json", list(files))
    root = unpack(tmp_path, files)
    source = open_source("inat2021", path=root, annotations=annotations, taxa=taxa)
    photos = list(source.photos(set()))
    assert credited(photos) == CREDITED
    assert photos[0].taxon is taxa.labels("inat2021")[0]
    assert photos[0].url == "https://www.inaturalist.org/taxa/81545"
    assert (source.seen, source.total) == (3, 3)
    # Without the annotations, and from one level further down.
    bare = open_source("inat2021", path=root / "train_mini", taxa=taxa)
    assert [photo.data for photo in bare.photos(set())] == list(files.values())


def test_the_archive_is_read_as_it_is(
    tmp_path: Path, taxa: TaxonTable, files: dict[str, bytes]
) -> None:
    annotations = annotate(tmp_path / "train_mini.json", list(files))
    path = pack(tmp_path / "train_mini.tar.gz", files)
    source = open_source("inat2021", path=path, annotations=annotations, taxa=taxa)
    photos = list(source.photos(set()))
    assert credited(photos) == CREDITED
    assert [photo.data for photo in photos] == list(files.values())
    rest = source.photos({photo.identity for photo in photos[:2]})
    assert credited(list(rest)) == CREDITED[2:]
    assert (source.seen, source.total) == (3, 3)


def test_both_forms_know_a_photo_by_the_same_identity(
    tmp_path: Path, taxa: TaxonTable, files: dict[str, bytes]
) -> None:
    folder = open_source("inat2021", path=unpack(tmp_path, files), taxa=taxa)
    archive = open_source("inat2021", path=pack(tmp_path / "a.tgz", files), taxa=taxa)
    done = {photo.identity for photo in folder.photos(set())}
    assert not list(archive.photos(done))


def test_what_cannot_be_used_is_counted_with_its_reason(
    tmp_path: Path, taxa: TaxonTable, files: dict[str, bytes]
) -> None:
    odd = {
        f"{WORM}/aaaa-1.jpg": jpeg(1),
        f"{WORM}/page.jpg": b"<html>",
        f"{WORM}/unlisted.jpg": jpeg(5),
        f"{WORM}/readme.txt": b"no photo",
        "00000_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major/d.jpg": jpeg(6),
        "99999_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major/e.jpg": jpeg(7),
    }
    listed = [name for name in odd if "unlisted" not in name]
    annotations = annotate(tmp_path / "a.json", listed)
    source = open_source(
        "inat2021", path=pack(tmp_path / "a.tar.gz", odd), annotations=annotations, taxa=taxa
    )
    assert len(list(source.photos(set()))) == 1
    assert source.skipped == {
        "not a photo but a web page": 1,
        "not in the annotations": 1,
        "in a category whose number and name disagree": 1,
        "in a folder that is no category of iNaturalist 2021": 1,
    }
    assert source.examples["not a photo but a web page"] == f"{WORM}/page.jpg"


def test_a_damaged_archive_gives_what_came_before_the_damage(
    tmp_path: Path, taxa: TaxonTable
) -> None:
    files = {f"{WORM}/{n}.jpg": jpeg(n) + Random(n).randbytes(9000) for n in range(9)}
    path = pack(tmp_path / "cut.tar.gz", files)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    given: list[SourcePhoto] = []
    with pytest.raises(SourceError, match=r"is cut short or no tar.gz"):
        given.extend(open_source("inat2021", path=path, taxa=taxa).photos(set()))
    assert [photo.data for photo in given] == list(files.values())[: len(given)]
    assert given
    path.write_bytes(b"no archive at all")
    with pytest.raises(SourceError, match=r"is cut short or no tar.gz"):
        given.extend(open_source("inat2021", path=path, taxa=taxa).photos(set()))


def test_what_is_something_else_is_refused_with_one_sentence(
    tmp_path: Path, taxa: TaxonTable, files: dict[str, bytes]
) -> None:
    def refusal(path: Path, annotations: Path | None = None) -> str:
        with pytest.raises(SourceError) as caught:
            open_source("inat2021", path=path, annotations=annotations, taxa=taxa)
        return str(caught.value)

    assert "is not there" in refusal(tmp_path / "nowhere")
    assert "has no folders like 00000_Animalia" in refusal(tmp_path)
    unpack(tmp_path, files)
    other = tmp_path / "other.json"
    assert "is not the annotations" in refusal(tmp_path, other)
    for text in ("[]", '{"images": [], "categories": []}', '{"images": [1], "licenses": []}', "{"):
        other.write_text(text)
        assert "is not the annotations" in refusal(tmp_path, other)
