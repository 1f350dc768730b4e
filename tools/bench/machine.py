"""The machine that a measurement was taken on, in one line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "discord.py", "openvino", "tensorflow", "tensorflow-hub", "faiss-cpu", "scikit-learn",
)  # fmt: skip


def describe_machine() -> str:
    """Name the processor, the cores this process may use, Python and what is measured."""
    cores = len(os.sched_getaffinity(0))
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"{_processor()}, {cores} cores; Python {platform.python_version()}, {packages}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
