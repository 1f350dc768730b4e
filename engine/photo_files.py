"""The photos in a folder, for whoever is given one."""

from __future__ import annotations

import os
from pathlib import Path

_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2"),
    }
)
"""How the names of files end that ``engine.decode`` may read."""


def photo_files(folder: Path) -> list[Path]:
    """Return every file in ``folder`` and below it that is named like a photo, in order of path.

    What is hidden, as by the systems of phones and cameras, is left out, and links to folders
    are not followed, which may lead in a circle.
    """
    found: list[Path] = []
    for here, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += (Path(here, name) for name in names if _is_photo(name))
    return sorted(found)


def _is_photo(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES
