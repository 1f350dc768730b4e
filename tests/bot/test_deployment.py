"""What the image installs, and what docs/operating.md tells operators to run.

``requirements-bot.lock`` is ``requirements.lock`` without what only tests need: ``uv pip compile
pyproject.toml --universal --generate-hashes --no-header --no-annotate --no-emit-index-url
--python-version 3.11`` with the pins of the latter as constraints.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tomllib
from collections import deque
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.store import GuildSettings, Store

ROOT = Path(__file__).parent.parent.parent
OPERATING = ROOT / "docs" / "operating.md"


def pins(name: str) -> dict[str, str]:
    """Return the entries of a lock, with versions, markers and hashes, by package."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.findall(r"^\S+==.*\n(?:    --hash=.*\n)+", text, flags=re.MULTILINE)
    assert "".join(entries) == text
    return {entry.partition(" \\")[0]: entry for entry in entries}


def needed(requirements: list[str]) -> set[str]:
    """Return the packages that ``requirements`` install here, and what those need."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = deque(requirements)
    while waiting:
        requirement = Requirement(waiting.popleft())
        for extra in ("", *requirement.extras):
            if f"{requirement.name}[{extra}]" in seen:
                continue
            seen.add(f"{requirement.name}[{extra}]")
            found.add(canonicalize_name(requirement.name))
            for more in requires(requirement.name) or ():
                marker = Requirement(more).marker
                if marker is None or marker.evaluate({"extra": extra}):
                    waiting.append(more)
    return found


def test_the_image_installs_what_the_bot_needs_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {
        canonicalize_name(requirement.name)
        for requirement in map(Requirement, pins("requirements-bot.lock"))
        if requirement.marker is None or requirement.marker.evaluate()
    }
    assert locked == needed(project["dependencies"])
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"-r requirements-bot\.lock$", dockerfile, flags=re.MULTILINE)


def test_the_image_installs_the_very_files_that_were_tested() -> None:
    assert pins("requirements-bot.lock").items() <= pins("requirements.lock").items()


async def test_the_backup_of_operating_md_is_whole_while_the_bot_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r'docker exec fieldmark python -c "(.*)"', OPERATING.read_text("utf-8"))
    store = await Store.open(tmp_path / "bot.sqlite")
    await store.set_language(2, "de")
    backup = [sys.executable, "-c", code.replace("/data", str(tmp_path))]
    await asyncio.to_thread(subprocess.run, backup, check=True)
    await store.close()
    restored = await Store.open(tmp_path / "backup.sqlite")
    assert await restored.settings_of(2) == GuildSettings(language="de")
    await restored.close()
