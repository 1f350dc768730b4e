"""Which runtime serves a module here: what the comparison with TensorFlow found.

The record that ``engine.networks.comparison`` writes holds for one module, one precision and the
two versions that were compared; when any of them changes, the module counts as not
compared.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from engine.networks.hub import HubError, Module, write_json
from engine.networks.runtime import RuntimeName
from engine.precision import PRECISIONS, Precision, choose_precision
from engine.settings import EngineSettings


class NotPrepared(HubError):
    """There is no comparison that holds for this module now; ``str`` is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What a comparison found.

    ``agreement`` is the share of the ``photos`` on which both runtimes name the same class
    first, ``greatest_difference`` that of any one probability; both are None where OpenVINO
    gave no answer. ``reason`` says why TensorFlow serves the module, where it does.
    """

    model: str
    checksum: str
    runtime: Literal["openvino", "tensorflow"]
    precision: Literal["f32", "bf16"]
    openvino: str
    tensorflow: str
    photos: int
    agreement: float | None
    greatest_difference: float | None
    reason: str | None
    compared: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """Which runtime serves a module, and why, in one clause."""

    runtime: RuntimeName
    precision: Precision
    reason: str


def choose_runtime(module: Module, settings: EngineSettings) -> RuntimeChoice:
    """Decide on the runtime for ``module``: the settings', else the compared one, else OpenVINO."""
    precision = choose_precision(module.entry, settings)
    if settings.runtime != "auto":
        return RuntimeChoice(
            runtime=settings.runtime, precision=precision, reason="the settings say so"
        )
    try:
        record = read_preparation(module, settings)
    except NotPrepared as error:
        return RuntimeChoice(runtime="openvino", precision=precision, reason=str(error))
    reason = record.reason or f"it agreed with TensorFlow on {record.photos} photos"
    return RuntimeChoice(runtime=record.runtime, precision=precision, reason=reason)


def read_preparation(module: Module, settings: EngineSettings) -> Preparation:
    """Return the comparison that holds for ``module`` as it is now.

    Raises:
        NotPrepared: there is none, or it was of another module, precision or version.
    """
    name = module.entry.name
    again = f"run `fieldmark models verify {name}`"
    try:
        record = _decode(_record_path(module, settings).read_bytes())
    except FileNotFoundError as error:
        raise NotPrepared(f"not compared with TensorFlow yet: {again}") from error
    except (OSError, ValueError) as error:
        raise NotPrepared(f"its comparison with TensorFlow is unreadable: {again}") from error
    from importlib.metadata import version  # of which a module without a record has no need

    now = {"openvino": version("openvino"), "tensorflow": version("tensorflow")}
    if record.checksum != module.checksum:
        raise NotPrepared(f"another module was compared with TensorFlow: {again}")
    if (record.openvino, record.tensorflow) != (now["openvino"], now["tensorflow"]):
        raise NotPrepared(
            f"compared with OpenVINO {record.openvino} and TensorFlow {record.tensorflow}, which "
            f"are now {now['openvino']} and {now['tensorflow']}: {again}"
        )
    precision = choose_precision(module.entry, settings)
    if record.precision != precision:
        raise NotPrepared(f"compared at {record.precision}, it computes in {precision}: {again}")
    return record


def write_preparation(record: Preparation, module: Module, settings: EngineSettings) -> None:
    """Keep what a comparison found.

    Raises:
        HubError: the record cannot be written.
    """
    plain = {**asdict(record), "compared": record.compared.isoformat()}
    write_json(_record_path(module, settings), plain)


def _decode(text: bytes) -> Preparation:
    """Read a record by hand: every worker does at its start, before pydantic would be imported.

    Raises:
        ValueError: it is none.
    """
    plain = json.loads(text)
    try:
        record = Preparation(**{**plain, "compared": datetime.fromisoformat(plain["compared"])})
    except (TypeError, KeyError) as error:
        raise ValueError("a key is missing, or is none of a record's") from error
    if record.runtime not in ("openvino", "tensorflow") or record.precision not in PRECISIONS:
        raise ValueError("runtime or precision is none that there is")
    return record


def _record_path(module: Module, settings: EngineSettings) -> Path:
    return settings.home / "prepared" / f"{module.entry.name}.json"
