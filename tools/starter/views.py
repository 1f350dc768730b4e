"""Many views of each photo, and what the teachers make of each view.

A view is a crop: the first of a photo is all of it, the others are chosen at random. The
teachers see it at their own resolution, the student at ``SIDE`` pixels. Everything is kept
in flat files of a work folder, one row a view and the first views of all photos first, so
that an interrupted run goes on where it was and a longer one only adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.catalog import find_entry, load_catalog
from engine.decode import Photo, decode
from engine.index.projection import unit
from engine.network import open_module
from engine.networks.runtime import Network, choose_output
from engine.settings import EngineSettings
from tools.starter.material import Material

SIDE = 160
"""Pixels of a stored view's side: the transfer photos' short side."""
TEACHERS = ("birds", "insects", "imagenet_features")

_SEED = 20261124
_SMALLEST_AREA = 0.3
_WIDEST = 4 / 3
_BATCH = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Rows of ``photos * views``: row ``v * photos + p`` is view ``v`` of photo ``p``.

    ``pixels`` is ``(rows, SIDE, SIDE, 3)`` uint8. ``features`` is ``(rows, 3 * 1280)`` float16,
    the teachers' features, each brought to unit length. ``birds`` and ``insects`` are
    ``(rows, classes)`` float16, those teachers' probabilities.
    """

    photos: int
    pixels: NDArray[np.uint8]
    features: NDArray[np.float16]
    birds: NDArray[np.float16]
    insects: NDArray[np.float16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Teacher:
    network: Network
    side: int
    features: int
    classes: int | None


def make_views(
    work: Path, material: Material, views: int, settings: EngineSettings, progress: Progress
) -> Views:
    """Make what is missing of ``views`` views of each photo, and open them all.

    ``progress`` is told how many rows are done, and of how many.

    Raises:
        EngineError: a teacher is missing, or a photo cannot be read.
        ValueError: the folder holds views of other photos.
    """
    work.mkdir(parents=True, exist_ok=True)
    photos = len(material.paths)
    done = _rows_done(work, material)
    rows = max(done, views * photos)
    teachers = {name: _open_teacher(name, settings) for name in TEACHERS} if done < rows else {}
    arrays = {
        name: _open_rows(work / f"{name}.rows", rows, shape, dtype)
        for name, (shape, dtype) in _columns(settings).items()
    }
    while done < rows:
        batch = range(done, min(done + _BATCH, rows))
        for name, values in _look(material, batch, teachers).items():
            arrays[name][batch.start : batch.stop] = values
        done = batch.stop
        if done % (_BATCH * 50) < _BATCH or done == rows:
            for array in arrays.values():
                array.flush()
            _write_done(work, material, done)
            progress(done, rows)
    return Views(photos=photos, **arrays)


def view_of(pixels: NDArray[np.uint8], photo: int, view: int) -> Image.Image:
    """Return view number ``view`` of a photo, the same at every call."""
    image = Image.fromarray(pixels)
    if view == 0:
        return image
    rng = np.random.default_rng((_SEED, photo, view))
    area = rng.uniform(_SMALLEST_AREA, 1.0) * image.width * image.height
    aspect = np.exp(rng.uniform(-np.log(_WIDEST), np.log(_WIDEST))) * image.width / image.height
    width = int(min(image.width, round(np.sqrt(area * aspect))))
    height = int(min(image.height, round(np.sqrt(area / aspect))))
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _look(
    material: Material, rows: range, teachers: dict[str, _Teacher]
) -> dict[str, NDArray[Any]]:
    photos = len(material.paths)
    crops = [
        view_of(
            decode(material.paths[row % photos].read_bytes()).pixels, row % photos, row // photos
        )
        for row in rows
    ]
    shown = [Photo(image=crop) for crop in crops]
    answers = {
        name: teacher.network(np.stack([photo.resized(teacher.side) for photo in shown]))
        for name, teacher in teachers.items()
    }
    features = [
        unit(choose_output(answers[name], teacher.features)) for name, teacher in teachers.items()
    ]
    small = [crop.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for crop in crops]
    values = {"pixels": np.stack([np.asarray(image) for image in small])}
    values["features"] = np.hstack(features).astype(np.float16)
    for name, teacher in teachers.items():
        if teacher.classes is not None:
            values[name] = choose_output(answers[name], teacher.classes).astype(np.float16)
    return values


def _columns(settings: EngineSettings) -> dict[str, tuple[tuple[int, ...], Any]]:
    catalog = load_catalog(settings.catalog)
    entries = [find_entry(catalog, name) for name in TEACHERS]
    columns: dict[str, tuple[tuple[int, ...], Any]] = {
        "pixels": ((SIDE, SIDE, 3), np.uint8),
        "features": ((sum(entry.features or 0 for entry in entries),), np.float16),
    }
    for entry in entries:
        if entry.classes is not None:
            columns[entry.name] = ((entry.classes,), np.float16)
    return columns


def _open_teacher(name: str, settings: EngineSettings) -> _Teacher:
    entry = find_entry(load_catalog(settings.catalog), name)
    _, network = open_module(entry, settings)
    return _Teacher(
        network=network, side=entry.input_size, features=entry.features or 0, classes=entry.classes
    )


def _open_rows(
    path: Path, rows: int, shape: tuple[int, ...], dtype: Any
) -> np.memmap[Any, np.dtype[Any]]:
    """Open a flat file of rows, longer than before where need be; what was there stays."""
    size = rows * int(np.prod(shape)) * np.dtype(dtype).itemsize
    with path.open("ab") as file:
        if file.tell() < size:
            file.truncate(size)
    return np.memmap(path, dtype, "r+", shape=(rows, *shape))


def _rows_done(work: Path, material: Material) -> int:
    path = work / "views.json"
    if not path.exists():
        return 0
    record = json.loads(path.read_text())
    if record["material"] != material.fingerprint():
        raise ValueError(f"{work} holds views of other photos: choose an empty folder.")
    return int(record["rows"])


def _write_done(work: Path, material: Material, rows: int) -> None:
    record = {"material": material.fingerprint(), "rows": rows}
    part = work / "views.json.part"
    part.write_text(json.dumps(record))
    part.replace(work / "views.json")
