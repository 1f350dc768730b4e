"""A folder of photos: one folder per species, or a ``MANIFEST.csv`` that says what is what."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine import Taxon, TaxonTable
from engine.photo_files import photo_files
from tools.sources.english_names import english_names
from tools.sources.manifest_csv import MANIFEST, label_of, of_split, read_csv, read_manifest_rows
from tools.sources.names import find_taxon, scientific_name_of
from tools.sources.placing import AskGbif, place
from tools.sources.source import (
    MAX_PHOTO_BYTES,
    PhotoSkipped,
    Source,
    SourceError,
    SourcePhoto,
    check_photo,
)

ATTRIBUTIONS = "attribution.csv"
NOT_STATED = "not stated"

_LIKE_A_SPECIES = "like a species (Parus major, without an author)"

_MANIFEST_COLUMNS = ("path", "split", "scientific_name")
_ATTRIBUTION_COLUMNS = ("file", "licence", "attribution", "url")
_INSIDE = {
    "birds": {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves"},
    "insects": {"kingdom": "Animalia", "phylum": "Arthropoda", "class": "Insecta"},
    "plants": {"kingdom": "Plantae"},
}
"""What a manifest's group says of a species that the taxon table does not have."""

_PLACING = ("kingdom", "phylum", "class", "order", "family")
"""Columns of a manifest that say where a species belongs that the taxon table does not have."""

_KEY = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A file with what is written about it; ``reason`` says why it cannot be used.

    ``name`` is its path from the folder.
    """

    path: Path
    name: str
    taxon: Taxon | None = None
    licence: str = NOT_STATED
    attribution: str = ""
    url: str | None = None
    reason: str = ""


class FolderSource(Source):
    """Photos in a folder, each file once, told apart by their content.

    Without a manifest, the folder that a photo lies in is named for its species, with
    underscores or spaces (``Genus_species``, ``Genus_species_subspecies``,
    ``Genus_x_species``), at any depth; ``attribution.csv`` at the top may say more of a
    file, named by its path from there. With a manifest, ``split`` chooses among its rows, and of
    what the taxon table lacks its columns ``common_name``, ``kingdom`` to ``family`` and
    ``gbif_key``, those that it has, say the English name, the lineage and the key; ``licence``,
    ``attribution`` and ``url`` say of each file what ``attribution.csv`` does. With
    ``asking`` GBIF is asked for the latter two where nothing says them.
    """

    def __init__(
        self,
        path: Path,
        *,
        taxa: TaxonTable,
        split: str | None = None,
        asking: AskGbif | None = None,
    ) -> None:
        """Look the folder through.

        Raises:
            SourceError: it is not there, holds no photos, a list in it cannot be read, or GBIF
                does not answer.
        """
        super().__init__()
        self._taxa = taxa
        if not path.is_dir():
            raise SourceError(f"{path} is not a folder: name one that holds photos.")
        if (path / MANIFEST).is_file():
            self._files = _read_manifest(path, split, taxa)
        elif split is not None:
            raise SourceError(
                f"{path} has no {MANIFEST}, and so no split {split!r}: add one, or name no split."
            )
        else:
            self._files = self._walk(path)
        if not self._files:
            raise SourceError(f"{path} holds no photos: put them into folders like Parus_major.")
        if asking is not None:
            placed = place((one.taxon for one in self._files if one.taxon), taxa, asking)
            self._files = [
                replace(one, taxon=placed.found.get(one.taxon, one.taxon)) if one.taxon else one
                for one in self._files
            ]
            self.notes.append(str(placed))
        self.total = len(self._files)

    def photos(self, done: Container[str]) -> Iterator[SourcePhoto]:  # noqa: ARG002 -- all are read
        """Give the photos in the order of their paths, or of the manifest, also those done."""
        self.seen = 0
        given: set[str] = set()
        for listed in self._files:
            try:
                photo = _read(listed)
            except PhotoSkipped as error:
                self._skip(str(error), listed.name)
            else:
                if photo.identity in given:
                    self._skip("the same photo under another name", listed.name)
                else:
                    given.add(photo.identity)
                    yield photo
            self.seen += 1

    def _walk(self, root: Path) -> list[_Listed]:
        sidecar = _read_attributions(root)
        taxon_of: dict[str, Taxon | None] = {}
        files = []
        for path in photo_files(root):
            folder, name = path.parent.name, path.relative_to(root).as_posix()
            if folder not in taxon_of:
                taxon_of[folder] = self._taxon_of_folder(folder)
            taxon = taxon_of[folder] if path.parent != root else None
            about = sidecar.pop(name, {})
            files.append(
                _Listed(
                    path=path,
                    name=name,
                    taxon=taxon,
                    licence=about.get("licence") or NOT_STATED,
                    attribution=about.get("attribution") or "",
                    url=about.get("url") or None,
                    reason="" if taxon else f"in a folder that is not named {_LIKE_A_SPECIES}",
                )
            )
        if sidecar:
            self.notes.append(
                f"{root / ATTRIBUTIONS} speaks of files that are not here, "
                f"such as {next(iter(sidecar))}: {len(sidecar)} in all."
            )
        return files

    def _taxon_of_folder(self, name: str) -> Taxon | None:
        scientific_name = scientific_name_of(name)
        return find_taxon(self._taxa, scientific_name) if scientific_name else None


def _read(listed: _Listed) -> SourcePhoto:
    if listed.reason or listed.taxon is None:
        raise PhotoSkipped(listed.reason)
    try:
        if listed.path.stat().st_size > MAX_PHOTO_BYTES:
            raise PhotoSkipped(f"larger than {MAX_PHOTO_BYTES >> 20} MiB")
        data = listed.path.read_bytes()
    except OSError as error:
        raise PhotoSkipped(f"cannot be read: {error.strerror}") from error
    return SourcePhoto(
        data=check_photo(data),
        taxon=listed.taxon,
        name=listed.name,
        source="folder",
        licence=listed.licence,
        attribution=listed.attribution,
        url=listed.url,
        identity=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _read_manifest(root: Path, split: str | None, taxa: TaxonTable) -> list[_Listed]:
    rows = read_manifest_rows(root, _MANIFEST_COLUMNS)
    # Of all splits, so that a species is one taxon in each of them.
    called, placed = english_names(rows), _placed(rows)
    return [_listed(root, row, taxa, called, placed) for row in of_split(root, rows, split)]


def _placed(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return what is said of where each species belongs, and its key; the first word counts."""
    placed: dict[str, dict[str, str]] = {}
    for row in rows:
        about = placed.setdefault(row["scientific_name"], {})
        for column in (*_PLACING, "gbif_key"):
            if said := row.get(column, "").strip():
                about.setdefault(column, said)
        for rank, name in _INSIDE.get(row.get("group", ""), {}).items():
            about.setdefault(rank, name)
    return placed


def _listed(
    root: Path,
    row: dict[str, str],
    taxa: TaxonTable,
    called: Mapping[str, str],
    placed: Mapping[str, Mapping[str, str]],
) -> _Listed:
    path = Path(os.path.normpath(root / row["path"]))
    if not path.is_relative_to(os.path.normpath(root)):
        return _Listed(path=path, name=row["path"], reason="outside of the folder")
    name = scientific_name_of(row["scientific_name"])
    if name is None:
        named = f"under a name that is not {_LIKE_A_SPECIES}"
        reason = named if row["scientific_name"].strip() else "no species is named"
        return _Listed(path=path, name=row["path"], reason=reason)
    try:
        label = label_of(row, taxa)
    except PhotoSkipped as error:
        return _Listed(path=path, name=row["path"], reason=str(error))
    about = placed[row["scientific_name"]]
    key = about.get("gbif_key", "")
    return _Listed(
        path=path,
        name=row["path"],
        taxon=label
        or find_taxon(
            taxa,
            name,
            ancestors={rank: about[rank] for rank in _PLACING if rank in about},
            vernacular_name=called.get(name),
            gbif_key=int(key) if _KEY.fullmatch(key) else None,
        ),
        licence=row.get("licence") or NOT_STATED,
        attribution=row.get("attribution")
        or ": ".join(filter(None, (row.get("source_repo"), row.get("source_path")))),
        url=row.get("url") or None,
    )


def _read_attributions(root: Path) -> dict[str, dict[str, str]]:
    path = root / ATTRIBUTIONS
    if not path.is_file():
        return {}
    return {row["file"]: row for row in read_csv(path, _ATTRIBUTION_COLUMNS)}
