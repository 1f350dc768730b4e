"""What a file really is, by its first bytes: names and content types are not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

HEAD_BYTES = 512
"""How much of a file's start is looked at."""


@dataclass(frozen=True, slots=True)
class FileType:
    """A kind of file, named as in "That is ..."; ``photo`` where the engine may decode it."""

    name: str
    photo: bool = False


_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_Test = Callable[[bytes], bool]


def _starts(*prefixes: bytes) -> _Test:
    return lambda head: head.startswith(prefixes)


def _riff(kind: bytes) -> _Test:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


def _brand(brands: set[bytes]) -> _Test:
    """Look at the major brand of an ISO media file, then at the compatible ones."""

    def test(head: bytes) -> bool:
        if head[4:8] != b"ftyp":
            return False
        size = min(int.from_bytes(head[:4], "big"), len(head))
        return any(head[at : at + 4] in brands for at in (8, *range(16, size - 3, 4)))

    return test


def _markup(*tags: bytes) -> _Test:
    """Find a tag near the start of a text, after a byte order mark, blanks or a prolog."""
    return lambda head: (
        head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and any(tag in head.lower() for tag in tags)
    )


def _text(head: bytes) -> bool:
    printable = sum(byte >= 32 or byte in b"\t\r\n" for byte in head)
    return printable == len(head)


# In order: an AVIF also names the general HEIF brands, and other ISO media are videos.
_TYPES: tuple[tuple[_Test, FileType], ...] = (
    (_starts(b"\xff\xd8\xff"), FileType("a JPEG", photo=True)),
    (_starts(b"\x89PNG\r\n\x1a\n"), FileType("a PNG", photo=True)),
    (_starts(b"GIF87a", b"GIF89a"), FileType("a GIF", photo=True)),
    (_riff(b"WEBP"), FileType("a WebP", photo=True)),
    (_brand(_AVIF_BRANDS), FileType("an AVIF", photo=True)),
    (_brand(_HEIC_BRANDS), FileType("a HEIC", photo=True)),
    (_starts(b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"), FileType("a JPEG 2000", photo=True)),
    (_starts(b"II\x2a\x00", b"MM\x00\x2a"), FileType("a TIFF", photo=True)),
    (lambda head: head[:2] == b"BM" and head[6:10] == bytes(4), FileType("a BMP", photo=True)),
    (_starts(b"\xff\x0a", b"\x00\x00\x00\x0cJXL "), FileType("a JPEG XL picture")),
    (_starts(b"\x00\x00\x01\x00"), FileType("an icon")),
    (_starts(b"8BPS"), FileType("a Photoshop file")),
    (_starts(b"%PDF"), FileType("a PDF")),
    (lambda head: head[4:8] == b"ftyp", FileType("a video")),
    (_starts(b"\x1aE\xdf\xa3", b"FLV", b"\x00\x00\x01\xba", b"OggS"), FileType("a video")),
    (_riff(b"AVI "), FileType("a video")),
    (_riff(b"WAVE"), FileType("a sound")),
    (_starts(b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3"), FileType("a sound")),
    (_starts(b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b"), FileType("an archive")),
    (_starts(b"\x7fELF", b"MZ"), FileType("a program")),
    (_markup(b"<svg"), FileType("an SVG drawing")),
    (_markup(b"<!doctype html", b"<html", b"<head", b"<body"), FileType("a web page")),
    (_text, FileType("a text")),
)

_EMPTY = FileType("an empty file")
_UNKNOWN = FileType("a file of an unknown kind")


def file_type(data: bytes) -> FileType:
    """Name what ``data`` is by its first bytes."""
    head = data[:HEAD_BYTES]
    if not head:
        return _EMPTY
    return next((kind for test, kind in _TYPES if test(head)), _UNKNOWN)
