"""When a network computes in bf16: where it was measured to answer alike, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import precision
from engine.catalog import load_catalog
from engine.precision import ALIKE_FROM, choose_precision
from engine.settings import EngineSettings


@pytest.fixture(autouse=True)
def gains(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    able = request.getfixturevalue("able") if "able" in request.fixturenames else True
    monkeypatch.setattr(precision, "gains_from_bf16", lambda home: able)


@pytest.mark.parametrize("able", [True, False])
def test_what_the_settings_say_holds(able: bool) -> None:
    birds = load_catalog()["birds"]
    unmeasured = replace(birds, bf16_agreement=None)
    assert choose_precision(birds, EngineSettings(precision="f32")) == "f32"
    assert choose_precision(unmeasured, EngineSettings(precision="bf16")) == "bf16"


@pytest.mark.parametrize(
    ("able", "agreement", "chosen"),
    [
        (True, ALIKE_FROM, "bf16"),
        (True, ALIKE_FROM - 0.001, "f32"),
        (True, None, "f32"),
        (False, 1.0, "f32"),
    ],
)
def test_left_open_it_takes_a_processor_and_a_measurement(
    able: bool, agreement: float | None, chosen: str
) -> None:
    entry = replace(load_catalog()["birds"], bf16_agreement=agreement)
    assert choose_precision(entry, EngineSettings()) == chosen


def test_joined_features_are_judged_by_what_was_measured_of_them_joined() -> None:
    imagenet = load_catalog()["imagenet_features"]
    assert choose_precision(imagenet, EngineSettings()) == "f32"
    assert choose_precision(imagenet, EngineSettings(), joined=True) == "bf16"
    worse = replace(imagenet, bf16_agreement=1.0, bf16_joined_agreement=ALIKE_FROM - 0.001)
    assert choose_precision(worse, EngineSettings()) == "bf16"
    assert choose_precision(worse, EngineSettings(), joined=True) == "f32"
    birds = load_catalog()["birds"]
    assert choose_precision(birds, EngineSettings(), joined=True) == "bf16"


def test_no_network_that_was_not_measured_is_trusted_with_it() -> None:
    measured = {name for name, entry in load_catalog().items() if entry.bf16_agreement is not None}
    assert measured == {"birds", "insects", "imagenet_features"}
