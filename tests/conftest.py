"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hub_modules import hub_modules

__all__ = ["hub_modules", "shared"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real models, photos and recordings, or skip where it is absent."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("FIELDMARK_SHARED", root / "../shared")).resolve()
    if not (folder / "models").is_dir():
        pytest.skip(
            f"needs the real models, photos and recordings of {folder} (set FIELDMARK_SHARED)"
        )
    return folder
