"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from engine import TaxonTable
from tests.bot.fake_gbif import gbif
from tests.hub_modules import hub_modules

__all__ = ["gbif", "hub_modules", "shared"]

# A busy machine is no fault of an example. Hypothesis measures by this limit, too, whether examples
# are made quickly enough.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


LONGEST = (
    "tests/tools/test_bench_compare.py",
    "tests/tools/test_starter_recipe.py",
    "tests/engine/test_cluster.py",
    "tests/engine/test_index_writer.py",
    "tests/engine/test_comparison.py",
    "tests/tools/test_models.py",
)
"""Begun first, so that of two workers neither is left with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, in that order, and leave the rest as it is."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(scope="session")
def taxa() -> TaxonTable:
    """Return the taxon table that ships."""
    return TaxonTable.load()


@pytest.fixture(scope="session")
def shared_or_none() -> Path | None:
    """Return the folder of real models, photos and recordings, or None where it is absent."""
    folder = shared_folder()
    return folder if (folder / "models").is_dir() else None


@pytest.fixture(scope="session")
def shared(shared_or_none: Path | None) -> Path:
    """Return the folder of real models, photos and recordings, or skip where it is absent."""
    if shared_or_none is None:
        pytest.skip(
            "needs the real models, photos and recordings of "
            f"{shared_folder()} (set FIELDMARK_SHARED)"
        )
    return shared_or_none


def shared_folder() -> Path:
    root = Path(__file__).parent.parent
    return Path(os.environ.get("FIELDMARK_SHARED", root / "../shared")).resolve()
