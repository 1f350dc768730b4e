"""An index's manifest: the one file that says which others count.

Every change to an index writes new files first and then swaps ``manifest.json`` in one
step, so that a crash at any point leaves the old index whole; what no manifest names is
an orphan, which the next writer clears away.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from engine.contracts import OperatorError
from engine.index.folder import MANIFEST, NO_INDEX, SEGMENT_FILES, SEGMENTS
from engine.precision import Precision, precisions_of

FORMAT = "fieldmark-index"
VERSION = 1

_SEGMENT_NAME = r"^[0-9]{6,12}-[0-9a-f]{8}$"
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Count = Annotated[int, Field(ge=0)]


class IndexRefused(OperatorError):
    """A folder holds no index that can be used here; ``str`` says why and what to do."""

    public = "My index cannot be used: whoever runs me finds the reason in my log."


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class FileRecord:
    """What a file was when it was written: its size in bytes and its SHA-256 in hex."""

    size: _Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class SegmentRecord:
    """One segment: ``removed`` are positions in its own list of taxa that no longer count."""

    id: Annotated[str, Field(pattern=_SEGMENT_NAME)]
    rows: Annotated[int, Field(ge=1)]
    taxa: Annotated[int, Field(ge=1)]
    factory: str
    files: Mapping[str, FileRecord]
    removed: tuple[_Count, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class IndexManifest:
    """All that an index is made of.

    ``generation`` grows by one with each change. ``embedder`` names what made the features
    and ``dims`` is the width of the vectors after the projection. ``factory`` is FAISS's
    factory string for new segments, or ``auto``. ``vote`` holds the vote's fitted numbers.
    """

    format: Literal["fieldmark-index"] = "fieldmark-index"
    version: Literal[1] = 1
    generation: Annotated[int, Field(ge=1)]
    embedder: Annotated[str, Field(min_length=1)]
    dims: Annotated[int, Field(ge=1, le=65536)]
    metric: Literal["inner-product"] = "inner-product"
    factory: Annotated[str, Field(min_length=1)]
    vote: Mapping[str, Any] = field(hash=False)
    projection: FileRecord
    segments: tuple[SegmentRecord, ...] = ()

    @property
    def embedder_name(self) -> str:
        """What the catalog calls the embedder: each part of its identity up to the ``@``."""
        return "+".join(part.partition("@")[0] for part in self.embedder.split("+"))

    @property
    def precisions(self) -> dict[str, Precision]:
        """At which precision each network computed that made the index, by name."""
        return precisions_of(self.embedder)


_ADAPTER = TypeAdapter(IndexManifest)


def segment_folder(folder: Path, record: SegmentRecord) -> Path:
    """Return where the segment of the index in ``folder`` lies."""
    return folder / SEGMENTS / record.id


def is_segment(name: str) -> bool:
    """Tell whether a segment's folder may be called so, and not something that is not ours."""
    return re.fullmatch(_SEGMENT_NAME, name) is not None


def read_manifest(folder: Path) -> IndexManifest:
    """Read the manifest of the index in ``folder``.

    Raises:
        IndexRefused: there is none, it is damaged, or it is of another format or version.
    """
    path = folder / MANIFEST
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexRefused(
            f"There is no index in {folder}: build one with `fieldmark index build`.", NO_INDEX
        ) from error
    except OSError as error:
        raise IndexRefused(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise IndexRefused(_damaged(path)) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise IndexRefused(
            f"{path} is not the manifest of a Fieldmark index: give the folder of one."
        )
    if record.get("version") != VERSION:
        raise IndexRefused(
            f"The index in {folder} is of format version {record.get('version')}, this Fieldmark "
            f"reads version {VERSION}: build it again with `fieldmark index build`."
        )
    if record.pop("checksum", None) != _checksum(record):
        raise IndexRefused(_damaged(path))
    try:
        manifest = _ADAPTER.validate_python(record)
    except ValidationError as error:
        raise IndexRefused(_damaged(path)) from error
    if any(set(segment.files) != set(SEGMENT_FILES) for segment in manifest.segments):
        raise IndexRefused(_damaged(path))
    return manifest


def write_manifest(folder: Path, manifest: IndexManifest) -> None:
    """Swap in ``manifest`` in one step: a crash leaves the old one or the new one."""
    record = _ADAPTER.dump_python(manifest, mode="json")
    record["checksum"] = _checksum(record)
    swap_in(folder / MANIFEST, json.dumps(record, indent=1) + "\n")


def discard_draft(folder: Path) -> None:
    """Remove a manifest that a killed writer left half-written."""
    _draft(folder / MANIFEST).unlink(missing_ok=True)


def swap_in(path: Path, text: str) -> None:
    """Make ``text`` the content of ``path`` in one step that outlives a loss of power."""
    draft = _draft(path)
    draft.write_text(text, encoding="utf-8")
    sync_file(draft)
    draft.replace(path)
    sync_folder(path.parent)


def record_file(path: Path) -> FileRecord:
    """Hash the file at ``path``."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(size=path.stat().st_size, sha256=digest)


def check_size(path: Path, record: FileRecord) -> None:
    """Refuse a file that is missing or is not as long as it was when it was written.

    Raises:
        IndexRefused: it is.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise IndexRefused(
            f"{path} cannot be read ({error.strerror or error}): "
            "restore the index from a copy, or build it again."
        ) from error
    if size != record.size:
        raise IndexRefused(
            f"{path} has {size:,} bytes, not {record.size:,}: it is cut off or another file; "
            "restore the index from a copy, or build it again."
        )


def check_content(path: Path, record: FileRecord) -> None:
    """Refuse a file whose content is not what was written.

    Raises:
        IndexRefused: it is not.
    """
    check_size(path, record)
    if record_file(path).sha256 != record.sha256:
        raise IndexRefused(
            f"{path} is not as it was written (another SHA-256): "
            "restore the index from a copy, or build it again."
        )


def sync_file(path: Path) -> None:
    """Wait until the content of ``path`` is on the disk itself."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _checksum(record: Mapping[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _damaged(path: Path) -> str:
    return f"{path} is damaged: restore the index from a copy, or build it again."
