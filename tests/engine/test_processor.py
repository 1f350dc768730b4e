"""Whether bf16 pays on this machine: measured once, kept, and measured anew when it must be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import processor
from engine.processor import GAINS_FROM, gains_from_bf16, measure_bf16_gain


class Bench:
    """A measurement whose outcome the test sets, and that counts how often it is made."""

    def __init__(self) -> None:
        self.gain = 2.0
        self.made = 0

    def __call__(self) -> float:
        self.made += 1
        return self.gain


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench()
    monkeypatch.setattr(processor, "measure_bf16_gain", made)
    monkeypatch.setattr(processor, "has_bf16", lambda: True)
    gains_from_bf16.cache_clear()
    yield made
    gains_from_bf16.cache_clear()


def ask_anew(home: Path) -> bool:
    """Ask as the next process would."""
    gains_from_bf16.cache_clear()
    return gains_from_bf16(home)


@pytest.mark.parametrize(
    ("gain", "pays"), [(2.0, True), (GAINS_FROM, True), (GAINS_FROM - 0.01, False), (0.55, False)]
)
def test_it_pays_where_it_is_clearly_faster(
    gain: float, pays: bool, bench: Bench, tmp_path: Path
) -> None:
    bench.gain = gain
    assert ask_anew(tmp_path) is pays
    assert ask_anew(tmp_path) is pays
    assert bench.made == 1


def test_all_workers_go_by_the_first_measurement(bench: Bench, tmp_path: Path) -> None:
    assert ask_anew(tmp_path)
    bench.gain = 0.5
    assert ask_anew(tmp_path)


def test_another_processor_is_measured_anew(bench: Bench, tmp_path: Path) -> None:
    assert ask_anew(tmp_path)
    path = tmp_path / "processor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "measured_with": "another"}))
    bench.gain = 0.5
    assert not ask_anew(tmp_path)
    assert not ask_anew(tmp_path)
    assert bench.made == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"measured_with": 1}'])
def test_a_damaged_record_is_replaced_and_said(
    content: str, bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "processor.json"
    path.write_text(content)
    assert ask_anew(tmp_path)
    assert "measuring anew" in caplog.text or content == '{"measured_with": 1}'
    assert ask_anew(tmp_path)
    assert bench.made == 1


def test_a_home_that_cannot_be_written_to_is_said(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.write_text("no folder")
    assert ask_anew(home)
    assert "cannot be kept" in caplog.text
    assert ask_anew(home)
    assert bench.made == 2


def test_without_its_instructions_nothing_is_measured(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "has_bf16", lambda: False)
    assert not ask_anew(tmp_path)
    assert bench.made == 0


def test_the_measurement_itself_runs_on_this_processor() -> None:
    gain = measure_bf16_gain()
    assert math.isfinite(gain)
    assert gain > 0
