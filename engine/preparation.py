"""Compare a module's answers in the fast runtime with TensorFlow's, and keep the result.

The record says which runtime serves the module on this machine. It holds for one module,
one precision and the two versions that were compared; when any of them changes, the
module counts as not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as validated

from engine.fetch import Progress
from engine.hub import HubError, Module, write_json
from engine.probe import Probe
from engine.runtime import Images, NetworkUnreadable, Precision, RuntimeName
from engine.samples import Samples
from engine.settings import EngineSettings
from engine.taxa import TaxonTable

# The greatest difference of one probability that a faithful conversion may show: rounding
# alone gives 1e-6 in float32; bfloat16 has 8 bits of mantissa in every layer.
TOLERANCE: dict[Precision, float] = {"f32": 1e-3, "bf16": 0.15}

_SUM_TOLERANCE = 0.01


class PreparationFailed(HubError):
    """The module cannot be served as the catalog describes it; ``str`` is one sentence."""


class NotPrepared(HubError):
    """There is no comparison that holds for this module now; ``str`` is one sentence."""


@validated(
    frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False)
)
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
    photos: Annotated[int, Field(ge=1)]
    agreement: Annotated[float, Field(ge=0, le=1)] | None
    greatest_difference: Annotated[float, Field(ge=0)] | None
    reason: str | None
    compared: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """Which runtime serves a module, and why, in one clause."""

    runtime: RuntimeName
    precision: Precision
    reason: str


_RECORD = TypeAdapter(Preparation)


def choose_runtime(module: Module, settings: EngineSettings) -> RuntimeChoice:
    """Decide on the runtime for ``module``: the settings', else the compared one, else OpenVINO."""
    precision: Precision = settings.precision
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
        record = _RECORD.validate_json(_record_path(module, settings).read_bytes())
    except FileNotFoundError as error:
        raise NotPrepared(f"not compared with TensorFlow yet: {again}") from error
    except (OSError, ValidationError) as error:
        raise NotPrepared(f"its comparison with TensorFlow is unreadable: {again}") from error
    now = {"openvino": version("openvino"), "tensorflow": version("tensorflow")}
    if record.checksum != module.checksum:
        raise NotPrepared(f"another module was compared with TensorFlow: {again}")
    if (record.openvino, record.tensorflow) != (now["openvino"], now["tensorflow"]):
        raise NotPrepared(
            f"compared with OpenVINO {record.openvino} and TensorFlow {record.tensorflow}, which "
            f"are now {now['openvino']} and {now['tensorflow']}: {again}"
        )
    if record.precision != settings.precision:
        raise NotPrepared(
            f"compared at {record.precision}, the settings say {settings.precision}: {again}"
        )
    return record


async def prepare(
    module: Module,
    settings: EngineSettings,
    samples: Samples,
    progress: Progress,
    *,
    fast: Probe,
    judge: Probe,
) -> Preparation:
    """Compare ``fast`` (OpenVINO) with ``judge`` (TensorFlow) on ``samples``; record the result.

    Raises:
        PreparationFailed: the labels do not fit, or TensorFlow itself gives no probabilities.
        SamplesUnusable: a sample is no photo.
    """
    check_labels(module)
    comparison = _Comparison(module, fast, judge)
    done = 0
    progress(done, len(samples))
    for images in samples.batches(module.entry.input_size):
        await comparison.add(images)
        done += len(images)
        progress(done, len(samples))
    record = comparison.conclude(photos=done)
    write_json(_record_path(module, settings), _RECORD.dump_python(record, mode="json"))
    return record


def check_labels(module: Module) -> None:
    """Check that the taxon table has a label for each class, and ``background`` as the last.

    Raises:
        PreparationFailed: it has not.
    """
    entry = module.entry
    labels = TaxonTable.load().labels(entry.labels)
    if len(labels) != entry.classes:
        raise PreparationFailed(
            f"The taxon table has {len(labels)} labels called {entry.labels}, but the catalog "
            f"says that {entry.name} has {entry.classes} classes: correct the catalog."
        )


def _record_path(module: Module, settings: EngineSettings) -> Path:
    return settings.home / "prepared" / f"{module.entry.name}.json"


class _Comparison:
    """The running result of one comparison, batch by batch."""

    def __init__(self, module: Module, fast: Probe, judge: Probe) -> None:
        self._module = module
        self._fast = fast
        self._judge = judge
        self._agreed = 0
        self._difference: float | None = None
        self._reason: str | None = None

    async def add(self, images: Images) -> None:
        """Run both runtimes on a batch.

        Raises:
            PreparationFailed: TensorFlow's own answer is unusable.
        """
        try:
            expected = await self._classify(self._judge, images)
        except NetworkUnreadable as error:
            raise PreparationFailed(str(error)) from error
        if self._reason is not None:
            return
        try:
            answer = await self._classify(self._fast, images)
        except NetworkUnreadable as error:
            self._reason = str(error)
            return
        self._agreed += int((answer.argmax(axis=1) == expected.argmax(axis=1)).sum())
        difference = float(np.abs(answer - expected).max())
        self._difference = max(difference, self._difference or 0.0)

    def conclude(self, *, photos: int) -> Preparation:
        """Decide on the runtime."""
        precision = self._fast.precision
        difference, reason = self._difference, self._reason
        if reason is not None:
            difference = None
        elif difference is not None and difference > TOLERANCE[precision]:
            reason = (
                f"OpenVINO {precision} differs from TensorFlow by {difference:.1g} "
                f"where {TOLERANCE[precision]:g} is allowed."
            )
        return Preparation(
            model=self._module.entry.name,
            checksum=self._module.checksum,
            runtime="openvino" if reason is None else "tensorflow",
            precision=precision,
            openvino=version("openvino"),
            tensorflow=version("tensorflow"),
            photos=photos,
            agreement=None if difference is None else self._agreed / photos,
            greatest_difference=difference,
            reason=reason,
            compared=datetime.now(UTC).replace(microsecond=0),
        )

    async def _classify(self, probe: Probe, images: Images) -> NDArray[np.float32]:
        entry = self._module.entry
        rows = await probe.classify(self._module.folder, images, entry.classes)
        if not np.isfinite(rows).all() or (rows < -_SUM_TOLERANCE).any():
            raise NetworkUnreadable(
                f"{probe.runtime} answers for {entry.name} with numbers that are no probabilities."
            )
        off = float(np.abs(rows.sum(axis=1) - 1).max())
        if off > _SUM_TOLERANCE:
            raise NetworkUnreadable(
                f"{probe.runtime} answers for {entry.name} with probabilities whose sum is off "
                f"from 1 by {off:.2g}."
            )
        return rows
