"""Bytes from a stranger -> pixels, the one way for every photo.

Gallery and query photos go through the same function, because a difference in
preparation between them costs several points of accuracy. Runs only in a worker: a file
that breaks a decoder, or asks for too much memory, must not reach the bot.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from cykooz_resizer import FilterType, ResizeAlg, ResizeOptions, Resizer
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from engine.contracts import PhotoRejected

_PLUGINS = {
    "JPEG": JpegImagePlugin,
    "PNG": PngImagePlugin,
    "GIF": GifImagePlugin,
    "WEBP": WebPImagePlugin,
    "AVIF": AvifImagePlugin,
    "BMP": BmpImagePlugin,
    "DIB": BmpImagePlugin,
    "TIFF": TiffImagePlugin,
    "JPEG2000": Jpeg2KImagePlugin,
}
"""The formats, and what reads each. Pillow would load that with the first such photo, when a worker
may lack the memory for it, and what could not be loaded once it takes for unknown ever after."""

_FORMATS = tuple(_PLUGINS)
MAX_PIXELS = 40_000_000
# It takes ten times as long as any other, half a second a megapixel where the file is made to.
_MAX_PIXELS_OF = {"JPEG2000": 8_000_000}
MIN_SIDE = 32
LONGEST_SIDE = 512
_LEAST_SCALED = 448

UNREADABLE = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, struct.error, LookupError,
    ArithmeticError, AttributeError, RuntimeError,
)  # fmt: skip
"""What the format plugins raise: hostile files reach every corner of them."""

_ORIENTATION_TAG = 0x0112
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo of each EXIF orientation upright. Pillow's own ``exif_transpose`` writes all
the metadata anew as well, and fails where one of its values is odd."""

_SIXTEEN_BIT_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_NOT_A_PHOTO = (
    "I can't read this file as a photo. Please send a JPEG, PNG, WebP, HEIC, AVIF or GIF."
)
_CUT_OFF = "This photo is damaged or cut off. Please upload it again."
_TOO_LARGE = "This photo takes too much memory to open. Please send a smaller copy."
_CUT_OFF_OR_TOO_LARGE = (
    "This photo is damaged, or takes too much memory to open. Please send a smaller copy."
)
_BYTES_OF_A_PIXEL = 8

_ISO_MEDIA = b"ftyp"
"""Bytes 4 to 8 of a HEIF file, and of AVIF and videos (ISO/IEC 14496-12)."""

_BILINEAR = ResizeOptions(resize_alg=ResizeAlg.convolution(FilterType.bilinear))
_resizer = Resizer()

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A decoded photo: ``image`` is RGB, in sRGB, upright, its longest side <= 512."""

    image: Image.Image
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Photo:
        """Take ``(h, w, 3)`` pixels."""
        return cls(image=Image.fromarray(pixels))

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """A copy of the pixels, ``(h, w, 3)``."""
        return np.asarray(self.image)

    def resized(self, side: int) -> NDArray[np.uint8]:
        """Return the whole photo as ``(side, side, 3)``.

        Whole, not cropped, and bilinear with antialiasing: on the training photos a
        central crop of 87.5 % costs the bird network 1.9 points of top-1 and gains the
        insect network nothing (docs/models.md). The same as Pillow's bilinear within two levels
        of 255, in a quarter of the time.
        """
        small = Image.new("RGB", (side, side))
        _resizer.resize_pil(self.image, small, _BILINEAR)
        return np.asarray(small)

    def preview(self) -> bytes:
        """Encode as a small JPEG that carries no metadata of the original."""
        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, "JPEG", quality=85)
        return out.getvalue()


def decode(data: bytes) -> Photo:
    """Decode the first frame of an image file.

    Raises:
        PhotoRejected: not an image, damaged, too large or too small; the reason is a
            sentence for the person who sent it.
    """
    if not data:
        raise PhotoRejected("The file is empty. Please upload the photo again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            return _decode(data)
    except UnidentifiedImageError as error:
        raise PhotoRejected(_NOT_A_PHOTO) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PhotoRejected(_too_many_pixels()) from error
    except MemoryError as error:
        raise PhotoRejected(_TOO_LARGE) from error
    except UNREADABLE as error:
        raise PhotoRejected(_CUT_OFF if _has_room() else _CUT_OFF_OR_TOO_LARGE) from error


def open_image(data: bytes) -> Image.Image:
    """Open an image file of a format that is read here, without decoding its pixels.

    Raises:
        UnidentifiedImageError: it is of no such format.
        Exception: one of ``UNREADABLE``, where it is damaged.
    """
    if data[4:8] != _ISO_MEDIA:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    # Few photos are HEIF, and its decoders take their time and memory to be loaded.
    import pillow_heif

    pillow_heif.register_heif_opener()
    return Image.open(io.BytesIO(data), formats=(*_FORMATS, "HEIF"))


def _decode(data: bytes) -> Photo:
    with open_image(data) as image:
        _check_size(*image.size, _MAX_PIXELS_OF.get(image.format or "", MAX_PIXELS))
        if image.format == "PNG":
            _check_checksums(data)
        notes = _notes(image)
        profile = image.info.get("icc_profile")
        # A JPEG is decoded at the smallest of its built-in scales, eighths, that is large enough,
        # and twice a network's input is: 12 megapixels take a fifth of the time.
        image.draft("RGB", _least_size(*image.size))
        image.load()
        turn = _turn(image)  # what is left to be done: Pillow turns a TIFF itself
        small = _to_displayable(image)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb = _to_srgb(small, profile)
    return Photo(image=rgb if turn is None else rgb.transpose(turn), notes=notes)


def _has_room() -> bool:
    """Tell whether there is memory for the largest photo.

    Where there is not, the decoders of WebP, HEIF, AVIF and JPEG 2000 take a photo for damaged.
    """
    try:
        bytes(MAX_PIXELS * _BYTES_OF_A_PIXEL)  # which touches none of it, as bytearray would
    except MemoryError:
        return False
    return True


def _least_size(width: int, height: int) -> tuple[int, int]:
    """Return the smallest size, of the same shape, that a photo may be decoded at."""
    longest = max(width, height)
    return max(1, width * _LEAST_SCALED // longest), max(1, height * _LEAST_SCALED // longest)


def _check_size(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise PhotoRejected(_too_many_pixels(most_pixels))
    if min(width, height) < MIN_SIDE:
        raise PhotoRejected(
            f"This picture is only {width} x {height} pixels, too small to tell anything. "
            "Please send a larger one."
        )


def _check_checksums(data: bytes) -> None:
    """Refuse a PNG with damaged chunks, which Pillow decodes to black without a word."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.verify()


def _too_many_pixels(most_pixels: int = MAX_PIXELS) -> str:
    return (
        f"This picture has more than {most_pixels // 1_000_000} megapixels. "
        "Please send a smaller copy."
    )


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Read from EXIF what makes a photo upright; damaged metadata means it is."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION_TAG))
    except UNREADABLE:
        return None


def _notes(image: Image.Image) -> tuple[str, ...]:
    # An MPO file is one photo with its thumbnails or its stereo twin, not an animation.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        return ("First frame of an animation.",)
    return ()


def _to_displayable(image: Image.Image) -> Image.Image:
    """Bring any mode to 8 bits of RGB, CMYK, grey or Lab, transparent parts shown on white."""
    if image.mode in _SIXTEEN_BIT_MODES:
        values = np.asarray(image).astype(np.int32)
        return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("RGB")
    if image.mode in ("RGB", "L", "CMYK"):
        return image.copy()
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # Profiles are often broken or for another mode; the colours then are as stored.
            converted = None
        if converted is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")
