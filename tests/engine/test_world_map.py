"""Map tiles become one picture of the world; what is no tile is refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import Engine, EngineFailed, EngineSettings
from engine.world_map import compose_world_map

Colour = tuple[int, int, int, int]
SEA, LAND, DOT, CLEAR = (113, 116, 171, 255), (1, 57, 61, 255), (255, 255, 0, 255), (0, 0, 0, 0)


def png(colour: Colour, *dots: tuple[int, int], side: int = 512) -> bytes:
    image = Image.new("RGBA", (side, side), colour)
    for dot in dots:
        image.putpixel(dot, DOT)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


BASE = (png(SEA), png(LAND))


def opened(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
        return image.convert("RGB")


def test_west_and_east_stand_side_by_side_under_the_occurrences() -> None:
    world = opened(compose_world_map(BASE, (png(CLEAR, (100, 50)), png(CLEAR, (10, 500)))))
    assert world.size == (1024, 512)
    assert world.getpixel((100, 50)) == DOT[:3]
    assert world.getpixel((522, 500)) == DOT[:3]
    assert world.getpixel((300, 300)) == SEA[:3]
    assert world.getpixel((800, 300)) == LAND[:3]


def test_an_empty_tile_shows_the_base_map() -> None:
    world = opened(compose_world_map(BASE, (b"", b"")))
    assert sorted(c for _, c in world.getcolors() or []) == sorted([SEA[:3], LAND[:3]])


def test_few_dots_are_drawn_large_and_many_as_they_are() -> None:
    few = opened(compose_world_map(BASE, (png(CLEAR, (100, 100)), b"")))
    assert few.getpixel((101, 101)) == DOT[:3]
    assert few.getpixel((102, 100)) == SEA[:3]
    dots = [(x, y) for x in range(0, 512, 4) for y in range(0, 512, 4)]
    many = opened(compose_world_map(BASE, (png(CLEAR, *dots), b"")))
    assert many.getpixel((101, 101)) == SEA[:3]


@pytest.mark.parametrize(
    "tile",
    [
        b"no picture",
        BASE[0][:200],
        BASE[0][:-30] + bytes(30),
        png(SEA, side=256),
        png(SEA, side=2048),
        b"GIF89a" + bytes(50),
    ],
    ids=["text", "cut off", "damaged", "small", "large", "gif"],
)
def test_what_is_no_tile_is_refused(tile: bytes) -> None:
    with pytest.raises(EngineFailed, match="tiles cannot be read"):
        compose_world_map((tile, BASE[1]), (b"", b""))


@settings(deadline=None, max_examples=50)
@given(st.integers(8, len(BASE[0]) - 1), st.binary(min_size=1, max_size=40))
def test_a_tampered_tile_is_a_map_or_refused(at: int, noise: bytes) -> None:
    tile = BASE[0][:at] + noise + BASE[0][at + len(noise) :]
    try:
        picture = compose_world_map((tile, BASE[1]), (b"", b""))
    except EngineFailed:
        return
    assert opened(picture).size == (1024, 512)


async def test_the_engine_makes_maps_without_any_model(tmp_path: Path) -> None:
    async with Engine(EngineSettings(home=tmp_path)) as engine:
        assert opened(await engine.world_map(BASE, (b"", b""))).size == (1024, 512)
        with pytest.raises(EngineFailed, match="tiles cannot be read"):
            await engine.world_map((b"rubbish", b""), (b"", b""))


def test_the_recorded_tiles_of_gbif_become_a_map(shared: Path) -> None:
    tiles = [
        (shared / "gbif/recordings" / f"rgbif__map_fetch_png__{n}.png").read_bytes()
        for n in range(4)
    ]
    world = opened(compose_world_map(tiles[2:], tiles[:2]))
    colours = {colour for _, colour in world.getcolors(1 << 20) or []}
    assert world.size == (1024, 512)
    assert (255, 255, 0) in colours
