"""How far a species' own photos lie from their mean, read off the length of their sum."""

from __future__ import annotations

import numpy as np
import pytest

from engine.index.spread import usual_angles


def test_another_photo_lies_as_far_off_as_is_foretold() -> None:
    rng = np.random.default_rng(0)
    for noise in (0.1, 0.3, 1.0):
        photos = np.array([1.0, *[0.0] * 19]) + noise * rng.normal(size=(4000, 20)) / np.sqrt(20)
        photos /= np.linalg.norm(photos, axis=1, keepdims=True)
        seen, fresh = photos[:200], photos[200:]
        total = seen.sum(axis=0)
        (foretold,) = usual_angles(np.array([np.linalg.norm(total)]), np.array([200]))
        cosine = (fresh @ total / np.linalg.norm(total)).mean()
        assert np.cos(foretold) == pytest.approx(cosine, abs=0.02)


def test_a_single_photo_is_held_to_be_like_the_others() -> None:
    lengths, photos = np.array([18.0, 1.0]), np.array([20, 1])
    usual = usual_angles(lengths, photos)
    # Two photos of the first have this cosine in the mean.
    assert np.cos(usual[1]) == pytest.approx((18.0**2 - 20) / (20 * 19))
    assert np.isfinite(usual_angles(np.ones(2), np.ones(2, int))).all()
