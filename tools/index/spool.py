"""Features on their way into an index, kept on the disk so that a long build can go on.

A work folder holds ``job.json``, which says what is being done, and shards: some hundred
photos each, ``NNNNNN.npy`` with their features and ``NNNNNN.json`` with who and whose they
are. The JSON is swapped in last, so a shard is there whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from engine import Taxon
from engine.index.manifest import swap_in, sync_file
from engine.index.projection import Projection
from engine.index.segment import Reference, TaxonKey, taxon_key
from engine.one_step import write_in_one_step

SHARD_PHOTOS = 256
_JOB = "job.json"


class SpoolError(Exception):
    """A work folder cannot be gone on with; ``str`` is one sentence: why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A photo that could not be decoded, and why."""

    identity: str
    name: str
    reason: str


@dataclass(slots=True, kw_only=True)
class _Row:
    """A photo in a shard; ``taxon`` is a position in the shard's own list."""

    taxon: int
    source: str
    licence: str
    attribution: str
    url: str | None
    identity: str


@dataclass(slots=True, kw_only=True)
class _Shard:
    taxa: list[Taxon] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


_SHARD = TypeAdapter(_Shard)


class Spool:
    """Photos that were embedded, in the order in which they came.

    ``done`` are the identities of all that was seen, used or not.
    """

    def __init__(self, folder: Path, job: Mapping[str, Any], width: int) -> None:
        """Begin in ``folder``, or go on where the same ``job`` left off.

        Raises:
            SpoolError: another job left photos there, or a file is damaged.
        """
        self.folder = folder
        self.rows = 0
        self.rejected: list[Rejected] = []
        self.done: set[str] = set()
        self._relabelled: dict[str, Reference] = {}
        self._width = width
        self._shards = 0
        self._begin_shard()
        self._claim(dict(job))
        for number in self._numbers():
            shard = self._read(number)
            self._count(shard)
            self._shards = number

    def put(self, features: NDArray[np.float32], references: list[Reference]) -> None:
        """Take the ``(n, width)`` features of photos, each with its reference and identity."""
        for reference in references:
            taxon = self._taxon_of.setdefault(reference.taxon, len(self._taxon_of))
            if taxon == len(self._shard.taxa):
                self._shard.taxa.append(reference.taxon)
            self._shard.rows.append(
                _Row(
                    taxon=taxon,
                    source=reference.source,
                    licence=reference.licence,
                    attribution=reference.attribution,
                    url=reference.url,
                    identity=reference.identity or "",
                )
            )
        self._features.append(features)
        if len(self._shard.rows) >= SHARD_PHOTOS:
            self.flush()

    def relabel(self, reference: Reference) -> None:
        """Take what a photo that is in a shard is called now, and whose it is."""
        self._relabelled[reference.identity or ""] = reference

    def reject(self, rejected: Rejected) -> None:
        """Note a photo that could not be used, so that it is not tried again."""
        self._shard.rejected.append(rejected)

    def flush(self) -> None:
        """Write what was taken since the last shard.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        if not self._shard.rows and not self._shard.rejected:
            return
        number = self._shards + 1
        features = np.concatenate([np.empty((0, self._width), np.float32), *self._features])
        # np.save itself does not say why a disk takes no more.
        content = BytesIO()
        np.save(content, features, allow_pickle=False)
        write_in_one_step(self._features_of(number), (content.getbuffer(),))
        sync_file(self._features_of(number))
        swap_in(self._record_of(number), json.dumps(asdict(self._shard)))
        self._shards = number
        self._count(self._shard)
        self._begin_shard()

    def features(self) -> Iterator[NDArray[np.float32]]:
        """Return the features shard by shard, ``(n, width)`` each.

        Raises:
            SpoolError: a file is damaged.
        """
        for number in self._numbers():
            path = self._features_of(number)
            try:
                features: NDArray[np.float32] = np.load(path, allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise _damaged(path) from error
            if features.shape != (len(self._read(number).rows), self._width):
                raise _damaged(path)
            yield features

    def projected(self, projection: Projection) -> NDArray[np.float32]:
        """Return the ``(rows, dims)`` vectors that ``projection`` makes of all features.

        Raises:
            SpoolError: a file is damaged.
        """
        vectors = np.empty((self.rows, projection.dims), np.float32)
        end = 0
        for features in self.features():
            vectors[end : end + len(features)] = projection.apply(features)
            end += len(features)
        return vectors

    def references(self) -> list[Reference]:
        """Return the references of all photos, in the order of their features.

        Raises:
            SpoolError: a file is damaged.
        """
        taxa: dict[TaxonKey, Taxon] = {}
        references: list[Reference] = []
        for number in self._numbers():
            shard = self._read(number)
            for row in shard.rows:
                written = _reference(row, shard.taxa[row.taxon])
                reference = self._relabelled.get(row.identity, written)
                taxon = taxa.setdefault(taxon_key(reference.taxon), reference.taxon)
                references.append(replace(reference, taxon=taxon))
        return references

    def discard(self) -> None:
        """Remove the work folder: what it held is in the index."""
        shutil.rmtree(self.folder)

    def _claim(self, job: dict[str, Any]) -> None:
        path = self.folder / _JOB
        try:
            left = json.loads(path.read_bytes()) if path.exists() else None
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        if left not in (None, job) and is_begun(self.folder):
            raise SpoolError(
                f"{self.folder} holds the beginning of another build or addition "
                f"({describe(left)}): finish that first with the same command, "
                "or remove the folder."
            )
        if left != job:
            swap_in(path, json.dumps(job))

    def _begin_shard(self) -> None:
        self._shard = _Shard()
        self._features: list[NDArray[np.float32]] = []
        self._taxon_of: dict[Taxon, int] = {}

    def _count(self, shard: _Shard) -> None:
        self.rows += len(shard.rows)
        self.rejected += shard.rejected
        self.done.update(row.identity for row in shard.rows)
        self.done.update(rejected.identity for rejected in shard.rejected)

    def _read(self, number: int) -> _Shard:
        path = self._record_of(number)
        try:
            return _SHARD.validate_python(json.loads(path.read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            raise _damaged(path) from error

    def _numbers(self) -> list[int]:
        return _numbers_in(self.folder)

    def _features_of(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npy"

    def _record_of(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


def is_begun(folder: Path) -> bool:
    """Tell whether a work folder holds photos that need not be embedded again."""
    return bool(_numbers_in(folder))


def describe(job: object) -> str:
    """Return a job in a few words; of a list, how long it is."""
    if not isinstance(job, dict):
        return "unknown"
    brief = {key: f"{len(v):,}" if isinstance(v, list) else v for key, v in job.items()}
    return ", ".join(f"{key} {value}" for key, value in brief.items() if value not in (None, ""))


def _reference(row: _Row, taxon: Taxon) -> Reference:
    return Reference(
        taxon=taxon,
        source=row.source,
        licence=row.licence,
        attribution=row.attribution,
        url=row.url,
        identity=row.identity,
    )


def _numbers_in(folder: Path) -> list[int]:
    names = (path.stem for path in folder.glob("*.json"))
    return sorted(int(name) for name in names if name.isdigit())


def _damaged(path: Path) -> SpoolError:
    return SpoolError(f"{path} is damaged: remove {path.parent} and begin again.")
