"""How far a photo of a species lies from the mean direction of the species' photos.

One species looks alike in all its photos, another in hardly two, so how near a photo must lie
hangs on the species. How far the photos of an index lie from each other can be read off the
length of their sum: it is the longer, the more they agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_USUAL_COSINE = 0.6
_PHOTOS_OF_DOUBT = 3
_LEAST, _MOST = 0.05, 0.99


def usual_angles(lengths: NDArray[np.floating], photos: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the angle, in radians, between another photo of each species and its prototype.

    It is worked out once for an index, not for each photo. ``lengths`` are those of the ``(m,)``
    species' sums of ``photos`` unit vectors. If two photos of a species have the cosine ``r`` in
    the mean, their sum has the squared length ``n + n (n - 1) r``, and one more photo the cosine
    ``r sqrt(n / (1 + (n - 1) r))`` with it.
    A species of few photos is held to be like the mean of all: it counts like three.
    """
    n = np.maximum(np.asarray(photos, np.float64), 1)
    pairs = n - 1
    cosines = (np.asarray(lengths, np.float64) ** 2 - n) / np.maximum(n * pairs, 1)
    mean = (cosines * pairs).sum() / pairs.sum() if pairs.sum() else _USUAL_COSINE
    shrunk = (cosines * pairs + mean * _PHOTOS_OF_DOUBT) / (pairs + _PHOTOS_OF_DOUBT)
    r = np.clip(shrunk, _LEAST, _MOST)
    return np.asarray(np.arccos(r * np.sqrt(n / (1 + pairs * r))), np.float32)
