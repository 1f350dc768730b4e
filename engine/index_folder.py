"""What the files in the folder of an index are called.

Apart from ``engine.index_manifest``, which says what is in them and takes pydantic to check it: a
worker that starts only glances at one.
"""

from __future__ import annotations

MANIFEST = "manifest.json"
PROJECTION = "projection.npz"
SEGMENTS = "segments"
VECTORS = "vectors.faiss"
SUMS = "sums.npy"
ROW_TAXA = "taxa.npy"
TAXA = "taxa.json"
REFERENCES = "references.sqlite"
SEGMENT_FILES = (VECTORS, SUMS, ROW_TAXA, TAXA, REFERENCES)
