"""Where a photo was taken, as its EXIF says.

Asked for by a member only, for one photo; nothing else in Fieldmark reads it. Runs only in
a worker, as all reading of strangers' files does.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD

from engine.contracts import Coordinates
from engine.decode import MAX_PIXELS, UNREADABLE, open_image

_SIXTIETHS = 3


def read_coordinates(data: bytes) -> Coordinates | None:
    """Read the GPS position of an image file; None where there is none, or no sound one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return coordinates_of(_gps_tags(data))
    except (*UNREADABLE, MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return None


def coordinates_of(tags: Mapping[int, Any]) -> Coordinates | None:
    """Read the tags of an EXIF GPS directory, which may hold anything at all."""
    latitude = _degrees(tags.get(GPS.GPSLatitude), most=90)
    longitude = _degrees(tags.get(GPS.GPSLongitude), most=180)
    north = _sign(tags.get(GPS.GPSLatitudeRef), "N", "S")
    east = _sign(tags.get(GPS.GPSLongitudeRef), "E", "W")
    if latitude is None or longitude is None or north is None or east is None:
        return None
    return Coordinates(latitude=latitude * north, longitude=longitude * east)


def _gps_tags(data: bytes) -> Mapping[int, Any]:
    with open_image(data) as image:
        # A PNG may carry its EXIF behind the pixels, which are unpacked on the way there.
        if math.prod(image.size) > MAX_PIXELS:
            return {}
        return image.getexif().get_ifd(IFD.GPSInfo)


def _degrees(value: object, *, most: float) -> float | None:
    """Join degrees, minutes and seconds; a rational over 0 is NaN and comes to nothing."""
    if not isinstance(value, tuple) or len(value) != _SIXTIETHS:
        return None
    if not all(isinstance(part, Real) for part in value):
        return None
    parts = [float(part) for part in value]
    if not all(0 <= part <= limit for part, limit in zip(parts, (most, 60, 60), strict=True)):
        return None
    whole, minutes, seconds = parts
    degrees = whole + minutes / 60 + seconds / 3600
    return degrees if degrees <= most else None


def _sign(reference: object, positive: str, negative: str) -> int | None:
    """Read a hemisphere; without it a position could lie in one of two."""
    if not isinstance(reference, str):
        return None
    return {positive: 1, negative: -1}.get(reference.strip("\0 ").upper())
