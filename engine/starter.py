"""The starter: a small network and its index that ship with the engine.

It names a few hundred species on a machine that has no other model, through the same code
as any embedder and index. How it was made and what it is worth: docs/models.md.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from engine.index_folder import MANIFEST, SEGMENTS
from engine.settings import EngineSettings

STARTER = "starter"
"""Its name in the catalog."""
MODEL = "model"
INDEX = "index"
FOLDER = Path(__file__).with_name("data") / "starter"
"""Where it ships: the Hub module and the index, a folder each."""

log = logging.getLogger(__name__)


def starter_index(settings: EngineSettings) -> Path:
    """Return the folder of the starter's index: a copy under ``home`` that may grow.

    Where ``home`` cannot be written, the index that ships answers and cannot be taught.
    """
    shipped = FOLDER / INDEX
    place = settings.home / STARTER / _mark(shipped)
    if (place / MANIFEST).exists():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _copy_whole(shipped, place)
    except OSError as error:
        log.warning(
            "The starter's index cannot be copied to %s (%s), so it cannot be taught new species.",
            place, error.strerror or error,
        )  # fmt: skip
        return shipped
    return place


def _mark(shipped: Path) -> str:
    """Name the index that ships, to tell it from another version's."""
    segments = sorted(path.name for path in (shipped / SEGMENTS).iterdir())
    return segments[0] if segments else "empty"


def _copy_whole(shipped: Path, place: Path) -> None:
    """Copy a folder so that nobody sees half of it; workers may do so at the same time."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
    try:
        shutil.copytree(shipped, draft / INDEX)
        try:
            (draft / INDEX).rename(place)
        except OSError:
            if not (place / MANIFEST).exists():  # else another worker was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
