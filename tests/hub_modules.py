"""Tiny, real Hub modules, made by TensorFlow once a session, for tests without the large ones.

Each has the input (224 px) and the number of classes of a catalog entry, so the shipped
catalog and taxon table serve it: a red photo is class 0, a green one class 1, a blue one
class 2, and a grey one ``background``, the last class.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_MAKER = Path(__file__).with_name("make_hub_modules.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModules:
    """Where the modules are. ``folder`` is a ``models_dir`` with all three of the catalog's,
    ``no_plants`` one with the two that open fast.

    ``birds`` is a TF2 SavedModel and ``insects`` a TF1 Hub module, which OpenVINO takes as
    they are; ``plants`` has an operation that OpenVINO refuses. ``noisy`` has the classes of
    ``birds`` and answers with random numbers, different in each runtime; ``logits`` has them
    too and answers with numbers that are no probabilities. ``colours`` makes feature vectors:
    the colours of a photo's 4 x 4 squares.
    """

    folder: Path
    no_plants: Path
    noisy: Path
    logits: Path
    colours: Path

    @property
    def birds(self) -> Path:
        return self.folder / "birds_V1"

    @property
    def insects(self) -> Path:
        return self.folder / "insects_V1"

    @property
    def plants(self) -> Path:
        return self.folder / "plants_V1"


def catalog_entry(folder: Path, *, name: str = "colours", features: int = 48) -> str:
    """Return what a catalog says of an embedder in ``folder``, by default of ``colours``."""
    return f"""
[{name}]
title = "Colours"
group = "generic"
handle = "{folder}"
input_size = 224
features = {features}
licence = "CC0-1.0"
source = "https://example.org/colours"
version = "1"
"""


@pytest.fixture(scope="session")
def hub_modules(tmp_path_factory: pytest.TempPathFactory) -> HubModules:
    """Make the modules in a process of its own, which is the only one to import TensorFlow.

    Once for all processes that run the tests side by side: the first makes them, while the others
    wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "hub"
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "no_plants").is_dir():
            _make(root)
    return HubModules(
        folder=root / "models",
        no_plants=root / "no_plants",
        noisy=root / "noisy",
        logits=root / "logits",
        colours=root / "colours",
    )


def _make(root: Path) -> None:
    made = subprocess.run(
        [sys.executable, _MAKER, root], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    (root / "no_plants").mkdir()
    for name in ("birds_V1", "insects_V1"):
        (root / "no_plants" / name).symlink_to(root / "models" / name)
