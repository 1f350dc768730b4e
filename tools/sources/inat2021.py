"""The iNaturalist 2021 competition's photos, such as train_mini: unpacked, or as its tar.gz.

A photo lies in a folder named for its category,
``00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris``, whose
number is the label of the set ``inat2021``. The annotations, a JSON file in the format of
COCO with fields of its own, add the licence and the rights holder of each photo.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from engine import Taxon, TaxonTable
from tools.sources.folder import NOT_STATED
from tools.sources.licence import licence_of
from tools.sources.names import share_a_word
from tools.sources.source import (
    MAX_PHOTO_BYTES,
    PhotoSkipped,
    Source,
    SourceError,
    SourcePhoto,
    check_photo,
)

LABEL_SET = "inat2021"

_CATEGORY = re.compile(r"(?P<number>\d{5})(?:_[^_]+){5}_(?P<name>[^_]+_.+)")
_SUFFIXES = frozenset({".jpg", ".jpeg"})
_PAGE = "https://www.inaturalist.org/taxa/{}"
_DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error)

_Entry: TypeAlias = tuple[str, str, Callable[[], bytes]]
"""A photo's category folder and file name, and how to read it before the next one's turn."""


@dataclass(frozen=True, slots=True)
class _Credit:
    licence: str
    rights_holder: str


class Inat2021Source(Source):
    """Photos of the iNaturalist 2021 competition, from a folder or from the tar.gz itself.

    The archive is read from front to end and never unpacked; resuming passes over what is
    done. With ``annotations`` photos that these do not list are skipped.
    """

    def __init__(self, path: Path, *, taxa: TaxonTable, annotations: Path | None = None) -> None:
        """Read the annotations and look for the photos.

        Raises:
            SourceError: there are none at ``path``, or the annotations cannot be read.
        """
        super().__init__()
        self._path = path
        self._taxa = taxa
        self._credits = None if annotations is None else _read_annotations(annotations)
        self._folders: list[Path] = []
        if path.is_dir():
            self._folders = sorted(p for p in _folders(path) if _CATEGORY.fullmatch(p.name))
            if not self._folders:
                raise SourceError(
                    f"{path} has no folders like 00000_Animalia_..._terrestris: name the folder "
                    "that train_mini.tar.gz was unpacked to."
                )
            self.total = sum(len(_files(folder)) for folder in self._folders)
        elif not path.is_file():
            raise SourceError(f"{path} is not there: name train_mini.tar.gz or its folder.")
        elif self._credits is not None:
            self.total = len(self._credits)

    def photos(self, done: Container[str]) -> Iterator[SourcePhoto]:
        """Give the photos by category, or in the order of the archive."""
        self.seen = 0
        given: set[str] = set()
        for category, name, read in self._unpacked() if self._folders else self._packed():
            identity = f"{LABEL_SET}:{PurePosixPath(name).stem}"
            if identity in given:
                self._skip("the same photo again", f"{category}/{name}")
            elif identity not in done:
                given.add(identity)
                try:
                    yield self._photo(category, name, identity, read)
                except PhotoSkipped as error:
                    self._skip(str(error), f"{category}/{name}")
            self.seen += 1

    def _photo(
        self, category: str, name: str, identity: str, read: Callable[[], bytes]
    ) -> SourcePhoto:
        taxon = _taxon_of(category, self._taxa)
        credit: _Credit | None = _Credit(NOT_STATED, "")
        if self._credits is not None:
            credit = self._credits.get(f"{category}/{name}")
        if credit is None:
            raise PhotoSkipped("not in the annotations")
        number = self._taxa.inat_taxon_id(taxon)
        return SourcePhoto(
            data=check_photo(read()),
            taxon=taxon,
            name=f"{category}/{name}",
            source=LABEL_SET,
            licence=credit.licence,
            attribution=credit.rights_holder or "iNaturalist 2021 competition",
            url=None if number is None else _PAGE.format(number),
            identity=identity,
        )

    def _unpacked(self) -> Iterator[_Entry]:
        for folder in self._folders:
            for path in _files(folder):
                yield folder.name, path.name, partial(_read_file, path)

    def _packed(self) -> Iterator[_Entry]:
        try:
            with tarfile.open(self._path, "r|*") as archive:
                while (member := archive.next()) is not None:
                    # It would keep every member it ever met.
                    archive.members.clear()  # type: ignore[attr-defined]
                    path = PurePosixPath(member.name)
                    if member.isreg() and path.suffix.lower() in _SUFFIXES:
                        yield (
                            path.parent.name,
                            path.name,
                            partial(self._read_member, archive, member),
                        )
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _read_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        _check_size(member.size)
        try:
            file = archive.extractfile(member)
            return b"" if file is None else file.read()
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self._path} is cut short or no tar.gz ({error}): download it again; what "
            "came before the damage was used."
        )


def _folders(path: Path) -> Iterator[Path]:
    """Give the folders at ``path`` and one level below, where train_mini/ may lie."""
    for folder in (path, *(p for p in path.iterdir() if p.is_dir())):
        yield folder
        if not _CATEGORY.fullmatch(folder.name) and folder != path:
            yield from (p for p in folder.iterdir() if p.is_dir())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _taxon_of(category: str, taxa: TaxonTable) -> Taxon:
    """Return the taxon of a category by its number, if the name does not speak against it.

    A genus or an epithet may have changed since; both differing means another numbering.
    """
    match = _CATEGORY.fullmatch(category)
    labels = taxa.labels(LABEL_SET)
    taxon = None
    if match is not None and int(match["number"]) < len(labels):
        taxon = labels[int(match["number"])]
    if match is None or taxon is None:
        raise PhotoSkipped("in a folder that is no category of iNaturalist 2021")
    if not share_a_word(match["name"].replace("_", " "), taxon.scientific_name):
        raise PhotoSkipped("in a category whose number and name disagree")
    return taxon


def _read_file(path: Path) -> bytes:
    try:
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise PhotoSkipped(f"cannot be read: {error.strerror}") from error


def _check_size(size: int) -> None:
    if size > MAX_PHOTO_BYTES:
        raise PhotoSkipped(f"larger than {MAX_PHOTO_BYTES >> 20} MiB")


def _read_annotations(path: Path) -> dict[str, _Credit]:
    """Return who is to be credited for which photo, by ``category folder/file``."""
    try:
        with path.open(encoding="utf-8") as file:
            # train_mini.json lists half a million photos: keep of each what is used.
            document = json.load(file, object_hook=_compact)
        licences = {
            entry["id"]: _licence_text(entry.get("url"), entry.get("name"))
            for entry in document["licenses"]
        }
        return {
            "/".join(PurePosixPath(name).parts[-2:]): _Credit(
                licences.get(licence, NOT_STATED), str(holder or "")
            )
            for name, licence, holder in document["images"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} is not the annotations of iNaturalist 2021 ({error!r}): name train_mini.json, "
            "unpacked."
        ) from error


def _compact(entry: dict[str, Any]) -> Any:
    if "file_name" in entry:
        return entry["file_name"], entry.get("license"), entry.get("rights_holder")
    return entry


def _licence_text(url: str | None, name: str | None) -> str:
    """Return the licence as we write it, or as they do where it is not understood."""
    licence = licence_of(url) or licence_of(name)
    return str(licence) if licence is not None else name or url or NOT_STATED
