"""Photos read and decoded one after another: those that cannot be are named, and left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import typer

from engine import PhotoRejected
from engine.decode import Photo, decode


class PhotoBytes(Protocol):
    """A photo that is yet to be decoded, such as ``PhotoFile`` or ``tools.sources.SourcePhoto``."""

    @property
    def name(self) -> str:
        """What people find it by."""
        ...

    @property
    def data(self) -> bytes:
        """The file's content."""
        ...


_Photo = TypeVar("_Photo", bound=PhotoBytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFile:
    """A photo on the disk."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def data(self) -> bytes:
        """The file's content, which is read anew each time.

        Raises:
            OSError: it cannot be read.
        """
        return self.path.read_bytes()


class LeftOut:
    """Names on standard error what is left out; ``photos`` is how many those were."""

    def __init__(self) -> None:
        self.photos = 0

    def tell(self, name: str, reason: str) -> None:
        """Leave out the photo of that name."""
        self.photos += 1
        typer.echo(f"Left out {name}: {reason.rstrip('.')}.", err=True)


def decode_usable(photos: Iterable[_Photo]) -> Iterator[tuple[_Photo, Photo]]:
    """Give each photo with its pixels; one that cannot be read or decoded is left out.

    Raises:
        PhotoRejected: that is so of all, or there are none.
    """
    left_out, given = LeftOut(), False
    for photo in photos:
        try:
            decoded = decode(photo.data)
        except PhotoRejected as error:
            left_out.tell(photo.name, rejection(error))
        except OSError as error:
            left_out.tell(photo.name, f"It cannot be read: {error.strerror or error}")
        else:
            given = True
            yield photo, decoded
    if not given:
        raise PhotoRejected("Not one of the photos can be used.")


def usable(photos: Iterable[_Photo]) -> list[_Photo]:
    """Return the photos that can be read and decoded; the others are left out.

    Raises:
        PhotoRejected: that is so of all, or there are none.
    """
    return [photo for photo, _ in decode_usable(photos)]


def rejection(error: PhotoRejected) -> str:
    """Return why a photo is rejected, without what a member who posted it is to do."""
    return error.reason.partition(" Please ")[0]
