"""The starter: a small network and its index that ship with the engine.

It names a few hundred species on a machine that has no other model, through the same code
as any embedder and index. How it was made and what it is worth: docs/models.md.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from engine.contracts import EngineError
from engine.index.adopt import adopt
from engine.index.folder import MANIFEST, SEGMENTS
from engine.index.lock import PATIENCE_S
from engine.index.manifest import read_manifest
from engine.index.segment_builder import IndexWriteFailed
from engine.index.writer import IndexWriter
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

    A new version's copy takes over what members taught the copy of an earlier one. Where ``home``
    cannot be written, the index that ships answers and cannot be taught.
    """
    shipped = FOLDER / INDEX
    place = settings.home / STARTER / _mark(shipped)
    try:
        if (place / MANIFEST).exists():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        _copy_whole(shipped, place)
    except OSError as error:
        log.warning(
            "The starter's index cannot be copied to %s (%s), so it cannot be taught new species.",
            place, error.strerror or error,
        )  # fmt: skip
        return shipped
    return place


def check_may_grow(index: Path) -> None:
    """Refuse to change the index that ships, which answers where it could not be copied.

    Raises:
        IndexWriteFailed: ``index`` is that one.
    """
    if index == FOLDER / INDEX:
        raise IndexWriteFailed(
            "The starter's index could not be copied to Fieldmark's home, so it cannot be taught: "
            "let Fieldmark write to its home and start it again."
        )


def forget_in_earlier_copies(index: Path, identity: str) -> None:
    """Where ``index`` is a copy of the starter's, forget a photo in those of earlier versions.

    The next version takes over what any of them was taught.
    """
    if index.parent.name != STARTER or index.name != _mark(FOLDER / INDEX):
        return
    for copy in _copies_beside(index):
        try:
            IndexWriter(copy, wait_s=PATIENCE_S).forget(identity)
        except EngineError as error:
            log.warning("A photo was not forgotten in %s as well: %s", copy, error)


def _copies_beside(place: Path) -> list[Path]:
    """Return the copies of other versions, the oldest first."""
    manifests = sorted(place.parent.glob(f"[!.]*/{MANIFEST}"))
    return [manifest.parent for manifest in manifests if manifest.parent != place]


def _mark(shipped: Path) -> str:
    """Name the index that ships, to tell it from another version's."""
    segments = sorted(path.name for path in (shipped / SEGMENTS).iterdir())
    return segments[0] if segments else "empty"


def _copy_whole(shipped: Path, place: Path) -> None:
    """Copy a folder so that nobody sees half of it; workers may do so at the same time."""
    earlier = _copies_beside(place)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
    try:
        shutil.copytree(shipped, draft / INDEX)
        for copy in earlier:
            _take_over(draft / INDEX, copy)
        try:
            (draft / INDEX).rename(place)
        except OSError:
            if not (place / MANIFEST).exists():  # else another worker was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_over(index: Path, earlier: Path) -> None:
    """Add what only the copy of an ``earlier`` version was taught, as far as it still fits."""
    try:
        if all(segment.id == earlier.name for segment in read_manifest(earlier).segments):
            return  # it is as it shipped
        taught = adopt(index, earlier)
    except EngineError as error:
        log.warning(
            "A new starter answers. What the earlier one was taught stays in %s and is no longer "
            "used, so teach it again: %s",
            earlier, error,
        )  # fmt: skip
    else:
        log.info("Took over %d photos that the starter in %s was taught.", taught, earlier)
