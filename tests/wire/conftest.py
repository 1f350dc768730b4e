"""A sandbox for every test of the wire, which must end without a violation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tools.sandbox import Sandbox


@pytest.fixture
def spec(shared: Path) -> Path:
    return shared / "discord" / "openapi.json"


@pytest.fixture
async def sandbox(spec: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(spec=spec) as sandbox:
        yield sandbox
        assert [str(violation) for violation in sandbox.violations] == []
        assert sandbox.unserved == []
