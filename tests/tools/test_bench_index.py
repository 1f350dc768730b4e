"""``fieldmark bench index`` on a small scale: the figures are there, and the search is exact."""

from __future__ import annotations

import json

import numpy as np
import typer
from typer.testing import CliRunner

from tools.bench.index import SPECIES, bench_index_command, generate


def test_generated_photos_lie_like_real_ones() -> None:
    ((vectors, species),) = generate(20_000, 128, seed=1)
    assert species.max() < SPECIES
    cosines = vectors[:1_000] @ vectors.T
    np.fill_diagonal(cosines, np.nan)
    same = species[:1_000, None] == species
    np.testing.assert_allclose(np.nanmean(cosines[same]), 0.55, atol=0.05)
    np.testing.assert_allclose(np.nanmean(cosines[~same]), 0.0, atol=0.02)
    np.testing.assert_allclose(np.nanstd(cosines[~same]), 0.2, atol=0.05)


def test_the_bench_prints_what_it_measured() -> None:
    app = typer.Typer()
    app.command()(bench_index_command)
    result = CliRunner().invoke(app, ["--rows", "2000", "--queries", "20", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["rows"], figures["dims"], figures["factory"]) == (2_000, 128, "SQfp16")
    assert figures["recall_at_10"] > 0.98
    assert 0 < figures["search_p50_ms"] <= figures["search_p99_ms"]
    assert figures["file_mb"] < figures["folder_mb"]
    assert "faiss-cpu" in figures["machine"]
