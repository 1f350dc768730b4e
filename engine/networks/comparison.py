"""Compare a module's answers in the fast runtime with TensorFlow's own, photo by photo."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from engine.networks.hub import HubError, Module, Progress
from engine.networks.preparation import Preparation, write_preparation
from engine.networks.probe import Probe
from engine.networks.runtime import Images, NetworkUnreadable
from engine.networks.samples import Samples
from engine.precision import Precision
from engine.settings import EngineSettings
from engine.taxonomy.taxa import TaxonTable

# The greatest difference that a faithful conversion may show: of one probability, or the
# cosine distance of a photo's two feature vectors. Rounding alone gives 1e-6 in float32;
# bfloat16 has 8 bits of mantissa in every layer.
TOLERANCE: dict[Precision, float] = {"f32": 1e-3, "bf16": 0.15}

_SUM_TOLERANCE = 0.01


class PreparationFailed(HubError):
    """The module cannot be served as the catalog describes it; ``str`` is one sentence."""


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
    write_preparation(record, module, settings)
    return record


def check_labels(module: Module) -> None:
    """Check that the taxon table has a label for each class, and ``background`` as the last.

    Raises:
        PreparationFailed: it has not.
    """
    entry = module.entry
    if entry.labels is None:
        return
    labels = TaxonTable.load().labels(entry.labels)
    if len(labels) != entry.classes:
        raise PreparationFailed(
            f"The taxon table has {len(labels)} labels called {entry.labels}, but the catalog "
            f"says that {entry.name} has {entry.classes} classes: correct the catalog."
        )


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
        if self._module.entry.labels is None:
            distances = _cosine_distances(answer, expected)
            self._agreed += int((distances <= TOLERANCE[self._fast.precision]).sum())
            difference = float(distances.max())
        else:
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
        rows = await probe.classify(self._module.folder, images, entry.width)
        if entry.labels is None:
            if not np.isfinite(rows).all():
                raise NetworkUnreadable(
                    f"{probe.runtime} answers for {entry.name} with numbers that are not finite."
                )
            return rows
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


def _cosine_distances(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``1 - cos`` of each pair of rows; ``(n, width)`` twice -> ``(n,)``."""
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray(1 - (first * second).sum(axis=1) / np.maximum(norms, 1e-12), np.float32)
