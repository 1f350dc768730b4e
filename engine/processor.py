"""Whether this machine's processor gains from bf16: measured once, and kept.

That it has the instructions says little. AMD's Zen 4, and Intel's with AMX, take half the time
or less; an Intel whose AMX is missing, or hidden by a virtual machine, takes 1.7 times as long
as in f32 (docs/models.md).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from engine.one_step import write_in_one_step
from engine.openvino_alone import import_openvino

log = logging.getLogger(__name__)

GAINS_FROM = 1.25
"""How many times as fast bf16 must be: less would not pay for the answers that it changes."""

_CHANNELS = 256
_SIDE = 28
_TURNS = 10


def describe_processor() -> dict[str, object]:
    """Return what tells this machine's processor from others, as JSON values."""
    core = import_openvino().Core()
    return {
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "abilities": list(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
    }


def has_bf16() -> bool:
    """Tell whether this machine's processor has instructions for bf16."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def gains_from_bf16(home: Path) -> bool:
    """Tell whether networks are faster in bf16 here, by the measurement kept in ``home``.

    It is made where there is none yet, in about 0.1 s.
    """
    if not has_bf16():
        return False
    path = home / "processor.json"
    measured_with = {**describe_processor(), "openvino": import_openvino().get_version()}
    try:
        kept = json.loads(path.read_bytes())
        if kept["measured_with"] == measured_with:
            return float(kept["bf16_gain"]) >= GAINS_FROM
    except FileNotFoundError:
        pass
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("%s cannot be used (%s): measuring anew.", path, error)
    gain = measure_bf16_gain()
    log.info("On this processor, bf16 is %.2f times as fast as f32.", gain)
    record = {"measured_with": measured_with, "bf16_gain": round(gain, 3)}
    try:
        write_in_one_step(path, (json.dumps(record).encode(),))
    except OSError as error:
        log.warning(
            "What bf16 gains cannot be kept in %s (%s): each worker measures it anew.",
            path, error.strerror or error,
        )  # fmt: skip
    return gain >= GAINS_FROM


def measure_bf16_gain() -> float:
    """Return how many times as fast as in f32 two pointwise convolutions are in bf16.

    These are most of a MobileNet. One thread, in turns, the best time of each: what else the
    machine does slows both.
    """
    runs = {precision: _pointwise(precision) for precision in ("f32", "bf16")}
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(_TURNS):
        for precision, run in runs.items():
            begun = perf_counter()
            run()
            best[precision] = min(best[precision], perf_counter() - begun)
    return best["f32"] / best["bf16"]


def _pointwise(precision: str) -> Callable[[], object]:
    openvino = import_openvino()
    # Later than the rest: whoever reads the settings needs none of them.
    import numpy as np
    from openvino import opset15 as ops

    random = np.random.default_rng(0)
    photo = ops.parameter([1, _CHANNELS, _SIDE, _SIDE], np.float32)
    features: Any = photo
    for _ in range(2):
        weights = random.standard_normal((_CHANNELS, _CHANNELS, 1, 1)).astype(np.float32)
        weights /= _CHANNELS**0.5
        features = ops.relu(ops.convolution(features, weights, [1, 1], [0, 0], [0, 0], [1, 1]))
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    model = openvino.Model([ops.result(features)], [photo])
    request: Any = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    # What lies in fresh memory may be denormal numbers, which take f32 20 times as long.
    request.get_input_tensor().data[:] = random.random(photo.shape, np.float32)
    return lambda: request.infer()
