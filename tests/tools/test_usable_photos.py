"""One photo that cannot be used ends no measurement: it is named, and left out."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
from PIL import Image

from engine import PhotoRejected
from engine.embedder import Embedder
from tools.manifest import LabelledPhoto
from tools.study.material import embed_labelled
from tools.usable_photos import PhotoFile, decode_usable, usable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "c"):
        Image.new("RGB", (64, 64), "green").save(tmp_path / f"{name}.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_what_cannot_be_read_or_decoded_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [PhotoFile(path=folder / f"{name}.png") for name in "abcd"]
    given = [(photo.path.stem, decoded.image.size) for photo, decoded in decode_usable(files)]
    assert given == [("a", (64, 64)), ("c", (64, 64))]
    assert capsys.readouterr().err.splitlines() == [
        f"Left out {folder / 'b.png'}: This photo is damaged or cut off.",
        f"Left out {folder / 'd.png'}: It cannot be read: No such file or directory.",
    ]


def test_nothing_but_such_photos_is_an_error(folder: Path) -> None:
    for files in ([PhotoFile(path=folder / "b.png")], []):
        with pytest.raises(PhotoRejected, match="Not one of the photos can be used"):
            usable(files)


def test_features_and_labels_are_of_the_others(folder: Path) -> None:
    embedder = create_autospec(Embedder, instance=True)
    embedder.embed.side_effect = lambda batch: np.ones((len(batch.photos), 2), np.float32)
    labelled = [
        LabelledPhoto(
            path=folder / f"{name}.png",
            group=name,
            scientific_name=species,
            label_set=None,
            taxon=None,
        )
        for name, species in zip("abc", ("Turdus merula", "Bubo bubo", "Parus major"), strict=True)
    ]
    embedded = embed_labelled(labelled, embedder)
    assert embedded.features.shape == (2, 2)
    assert embedded.labels.tolist() == [1, 0]
    assert embedded.groups.tolist() == ["a", "c"]
