"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hub_modules import hub_modules

__all__ = ["hub_modules", "shared"]


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
