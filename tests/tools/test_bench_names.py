"""The bench of autocomplete: what it types, and what it counts."""

from __future__ import annotations

import json
import random

from typer.testing import CliRunner

from tools.bench.app import bench_app
from tools.bench.names import misspell


def test_a_misspelt_name_keeps_its_first_letter_and_most_others() -> None:
    chance = random.Random(1)
    for _ in range(200):
        typed = misspell("House Sparrow", 1, chance)
        assert typed[0] == "H"
        assert abs(len(typed) - len("House Sparrow")) <= 1
    assert misspell("House Sparrow", 0, chance) == "House Sparrow"


def test_whole_names_come_first_and_the_worst_text_is_named() -> None:
    done = CliRunner().invoke(bench_app, ["names", "--names", "10", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert figures["first_without_typo"] == 1.0
    assert figures["median_ms"] <= figures["p99_ms"] <= figures["worst_ms"]
    assert figures["keystrokes"] > 100
    assert figures["worst_text"]
