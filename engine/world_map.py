"""Tiles of a map service -> one picture of the world.

The tiles come over the network, so this runs in a worker, like every other decoding of
what strangers sent: under its memory limit, and away from the bot.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageFilter, UnidentifiedImageError

from engine.contracts import EngineFailed

TILE_SIDE = 512

_FEW_DOTS = 5_000
"""Up to this many pixels of occurrences, each is drawn three wide, so that one can be seen."""
_UNREADABLE = "The map's tiles cannot be read."


def compose_world_map(basemap: Sequence[bytes], density: Sequence[bytes]) -> bytes:
    """Set the west and the east of the world side by side, occurrences over the base map.

    Each tile is a PNG of 512 pixels square; an empty one of ``density`` shows nothing.
    Returns a PNG of 1024 by 512.

    Raises:
        EngineFailed: a tile is no such picture.
    """
    world, dots = _row(basemap), _row(density)
    if _visible(dots) <= _FEW_DOTS:
        world.alpha_composite(dots.filter(ImageFilter.MaxFilter(3)))
    world.alpha_composite(dots)
    out = io.BytesIO()
    world.convert("RGB").save(out, "PNG")
    return out.getvalue()


def _row(tiles: Sequence[bytes]) -> Image.Image:
    row = Image.new("RGBA", (TILE_SIDE * len(tiles), TILE_SIDE))
    for column, data in enumerate(tiles):
        if data:
            row.paste(_tile(data), (TILE_SIDE * column, 0))
    return row


def _tile(data: bytes) -> Image.Image:
    """Decode one tile; its size is checked before its pixels are unpacked."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.size != (TILE_SIDE, TILE_SIDE):
                raise EngineFailed(_UNREADABLE)
            # Pillow decodes damaged chunks to black without a word.
            image.verify()
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return image.convert("RGBA")
    except (
        UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, MemoryError,
        LookupError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        raise EngineFailed(_UNREADABLE) from error


def _visible(image: Image.Image) -> int:
    return sum(image.getchannel("A").histogram()[1:])
