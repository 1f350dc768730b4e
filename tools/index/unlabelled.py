"""Photos of which nobody said what they show, for the fit of a new index's projection.

Their features are kept beside the spool, some hundred photos to a file, so that a long build can
go on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import typer
from numpy.typing import NDArray

from engine import PhotoRejected
from engine.batch import Batch
from engine.decode import decode
from engine.one_step import write_in_one_step
from engine.photo_files import photo_files
from tools.sources import SourceError

SHARD_PHOTOS = 256

Features = NDArray[np.float32]

UnlabelledOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of more photos, of anything alive, whatever they show: they tell how photos "
        "differ, which makes species that the index lacks easier to tell.",
        exists=True,
        file_okay=False,
    ),
]


class EmbedsPhotos(Protocol):
    """What makes feature vectors, whoever it is."""

    @property
    def width(self) -> int:
        """How many features a photo has."""
        ...

    def embed(self, batch: Batch) -> Features:
        """Return ``(n, width)`` features."""
        ...


def are_useful(features: Features) -> NDArray[np.bool_]:
    """Tell of each of ``(n, width)`` features whether a network has found anything, ``(n,)``."""
    return np.asarray(np.isfinite(features).all(axis=1) & (features != 0).any(axis=1), bool)


def list_unlabelled(folder: Path) -> list[Path]:
    """Return every photo in ``folder`` and below it, in the order of their paths.

    Raises:
        SourceError: there is none.
    """
    found = photo_files(folder)
    if not found:
        raise SourceError(f"There are no photos in {folder}: check --unlabelled.")
    return found


def embed_unlabelled(
    photos: Sequence[Path],
    embedder: EmbedsPhotos,
    kept: Path | None,
    advance: Callable[[int, int], None],
) -> Features:
    """Return the ``(n, width)`` features of ``photos``, without those that cannot be decoded.

    ``kept`` is a folder for features on the way, and for those of an earlier run that was stopped.
    ``advance`` is told how many photos are done, and of how many.

    Raises:
        SourceError: a photo cannot be read.
    """
    parts = [np.empty((0, embedder.width), np.float32)]
    for start in range(0, len(photos), SHARD_PHOTOS):
        path = None if kept is None else kept / f"{start:06d}.npy"
        part = None if path is None else _read(path, embedder.width)
        if part is None:
            part = _embed(photos[start : start + SHARD_PHOTOS], embedder)
            if path is not None:
                content = BytesIO()
                np.save(content, part, allow_pickle=False)
                write_in_one_step(path, (content.getbuffer(),))
        parts.append(part)
        advance(min(start + SHARD_PHOTOS, len(photos)), len(photos))
    return np.concatenate(parts)


def _embed(photos: Sequence[Path], embedder: EmbedsPhotos) -> Features:
    rows = [np.empty((0, embedder.width), np.float32)]
    for path in photos:
        try:
            rows.append(embedder.embed(Batch([decode(path.read_bytes())])))
        except PhotoRejected:
            continue  # which of them, matters to nobody: they lend no name to anything
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    features = np.concatenate(rows, dtype=np.float32, casting="same_kind")
    return features[are_useful(features)]


def _read(path: Path, width: int) -> Features | None:
    """Return what an earlier run kept; None where it kept nothing of use."""
    try:
        features: Features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = features.ndim == 2 and features.shape[1] == width and features.dtype == np.float32
    return features if whole else None
