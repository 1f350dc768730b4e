"""What the files in the folder of an index are called, and how to tell that it changed.

Apart from ``engine.index.manifest``, which says what is in them and takes pydantic to check it: a
worker that starts only glances at one.
"""

from __future__ import annotations

from pathlib import Path

MANIFEST = "manifest.json"
PROJECTION = "projection.npz"
SEGMENTS = "segments"
VECTORS = "vectors.faiss"
SUMS = "sums.npy"
ROW_TAXA = "taxa.npy"
TAXA = "taxa.json"
REFERENCES = "references.sqlite"
SEGMENT_FILES = (VECTORS, SUMS, ROW_TAXA, TAXA, REFERENCES)
NO_INDEX = "There is no index yet: whoever runs me can make one with `fieldmark index build`."
"""What people are told where there is no manifest."""


def may_be_index(folder: Path) -> bool:
    """Tell whether there is an index in ``folder``, or one that may not be looked at."""
    try:
        return (folder / MANIFEST).exists()
    except OSError:
        return True  # and whoever opens it says why


def manifest_stamp(folder: Path) -> tuple[int, ...]:
    """Return what changes when the manifest in ``folder`` does; nothing where there is none."""
    try:
        status = (folder / MANIFEST).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
