"""Photos on which two runtimes are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np

from engine.contracts import PhotoRejected
from engine.decode import Photo, decode
from engine.networks.hub import HubError
from engine.networks.runtime import Images
from engine.photo_files import photo_files

BATCH = 16

_BUNDLED = ("china.jpg", "flower.jpg")


class SamplesUnusable(HubError):
    """There are no photos to compare on; ``str`` is one sentence."""


@dataclass(frozen=True, slots=True)
class _View:
    """One photo of a file: all of it, or its left, middle or right square, mirrored or not."""

    path: Path
    square: float | None = None
    mirrored: bool = False

    def read(self, side: int) -> Images:
        try:
            pixels = decode(self.path.read_bytes()).pixels
        except OSError as error:
            raise SamplesUnusable(
                f"{self.path} cannot be read: {error.strerror or error}."
            ) from error
        except PhotoRejected as error:
            raise SamplesUnusable(f"{self.path} is no photo to compare on: {error}") from error
        if self.square is not None:
            height, width, _ = pixels.shape
            edge = min(height, width)
            top = int((height - edge) * self.square)
            left = int((width - edge) * self.square)
            pixels = pixels[top : top + edge, left : left + edge]
        if self.mirrored:
            pixels = pixels[:, ::-1]
        return Photo.of(pixels).resized(side)


@dataclass(frozen=True, slots=True)
class Samples:
    """Photos that are read, in batches, when they are wanted."""

    _views: tuple[_View, ...]

    def __len__(self) -> int:
        return len(self._views)

    def batches(self, side: int) -> Iterator[Images]:
        """Yield ``(n, side, side, 3)`` uint8, at most ``BATCH`` at a time.

        Raises:
            SamplesUnusable: a file is no photo.
        """
        for start in range(0, len(self._views), BATCH):
            views: Sequence[_View] = self._views[start : start + BATCH]
            yield np.stack([view.read(side) for view in views])


def bundled_photos() -> tuple[Path, ...]:
    """Return the two photos that come with scikit-learn, without importing it.

    Raises:
        SamplesUnusable: scikit-learn is not installed with its photos.
    """
    spec = find_spec("sklearn")
    for root in (spec and spec.submodule_search_locations) or ():
        paths = tuple(Path(root) / "datasets" / "images" / name for name in _BUNDLED)
        if all(path.is_file() for path in paths):
            return paths
    raise SamplesUnusable(
        "scikit-learn's sample photos are not installed: name a folder of photos with --photos."
    )


def bundled_samples() -> Samples:
    """Return 16 views of the two photos that come with scikit-learn.

    Raises:
        SamplesUnusable: scikit-learn is not installed with its photos.
    """
    views = product(bundled_photos(), (None, 0.0, 0.5, 1.0), (False, True))
    return Samples(tuple(_View(*view) for view in views))


def folder_samples(folder: Path) -> Samples:
    """Return every photo in ``folder`` and below it, in order of path.

    Raises:
        SamplesUnusable: the folder is missing or holds no photo.
    """
    paths = photo_files(folder)
    if not paths:
        raise SamplesUnusable(f"{folder} holds no photos: name a folder of JPEG or PNG files.")
    return Samples(tuple(_View(path) for path in paths))
