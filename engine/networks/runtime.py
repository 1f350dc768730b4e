"""Open a Hub module as a callable network, in OpenVINO or in TensorFlow.

OpenVINO reads both Hub formats as they lie on disk, without TensorFlow in the process,
and is several times faster and smaller. TensorFlow takes every module there is and is
the judge that preparation compares with.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.networks.compiled import Compiled, CompiledFolder
from engine.openvino_alone import import_openvino
from engine.precision import Precision

Images = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
RuntimeName = Literal["openvino", "tensorflow"]

log = logging.getLogger(__name__)

_TF_MIN_LOG_LEVEL = "2"
_tensorflow_starts = Lock()


class NetworkUnreadable(Exception):
    """This runtime cannot take the module; ``str`` is one sentence that says why."""


class Network(Protocol):
    """A network that is open and ready to answer."""

    description: str
    """``"openvino f32"``, ``"openvino bf16"`` or ``"tensorflow"``."""

    def __call__(self, images: Images) -> Outputs:
        """Run ``(n, h, w, 3)`` uint8; return every output, ``(n, width)`` float32, by name."""
        ...


def open_network(
    folder: Path,
    *,
    runtime: RuntimeName,
    precision: Precision = "f32",
    threads: int = 2,
    kept: CompiledFolder | None = None,
) -> Network:
    """Open the module in ``folder``; ``kept`` is where what OpenVINO compiles of it is kept.

    Raises:
        NetworkUnreadable: the runtime cannot read or convert this module.
    """
    if runtime == "openvino":
        return OpenVinoNetwork(folder, precision=precision, threads=threads, kept=kept)
    return TensorFlowNetwork(folder, threads=threads)


class OpenVinoNetwork:
    """A module compiled by OpenVINO for this processor.

    For one photo at a time, where the module lets its batch be fixed: shapes that are known save
    10 to 20 % on MobileNetV2, of which 16 photos one by one are faster than as a batch
    (docs/models.md).
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision,
        threads: int,
        kept: CompiledFolder | None = None,
    ) -> None:
        self.description = f"openvino {precision}"
        core = import_openvino().Core()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Pinned threads of two processes land on one core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = _compile(core, folder, options, kept)
        except RuntimeError as error:
            raise NetworkUnreadable(_openvino_reason(folder, error)) from error
        shape = compiled.model.inputs[0].partial_shape
        self._one_by_one = bool(shape.rank.is_static and shape[0] == 1)
        self._names = [output.get_any_name() for output in compiled.model.outputs]
        self._request = compiled.model.create_infer_request()
        self._file = compiled.file  # which the request reads

    def __call__(self, images: Images) -> Outputs:
        """Run a batch; see ``Network``."""
        if not self._one_by_one:
            self._request.infer([images])
            return self._outputs()
        parts = []
        for image in images:
            # Into the request's own memory, past the binding's way to hand an array over.
            np.copyto(self._request.get_input_tensor().data[0], image)
            self._request.infer(share_outputs=True)
            parts.append(self._outputs())
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._names}

    def _outputs(self) -> Outputs:
        # The next run overwrites the request's memory.
        return {
            name: np.array(self._request.get_output_tensor(index).data, np.float32)
            for index, name in enumerate(self._names)
        }


class TensorFlowNetwork:
    """A module run by TensorFlow's own signatures, as ``hub.load`` gives them."""

    description = "tensorflow"

    def __init__(self, folder: Path, *, threads: int) -> None:
        import os

        with _tensorflow_starts:  # which takes its number of threads only before its first use
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _TF_MIN_LOG_LEVEL)
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
            # Otherwise it starts Keras 3 beside the Keras 2 that the Hub's library asks for.
            os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
            import tensorflow as tf
            import tensorflow_hub as hub

            if tf.config.threading.get_intra_op_parallelism_threads() != threads:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._tf = tf
        try:
            self._module = hub.load(str(folder))
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise NetworkUnreadable(
                f"TensorFlow cannot load {folder.name}: {_first_line(error)}."
            ) from error
        self._signatures: dict[str, Any] = dict(self._module.signatures)
        if not self._signatures:
            raise NetworkUnreadable(f"{folder.name} offers no signature to call.")

    def __call__(self, images: Images) -> Outputs:
        """Run a batch through every signature; see ``Network``."""
        tensor = self._tf.constant(images.astype(np.float32) / np.float32(255))
        outputs: Outputs = {}
        for name, signature in self._signatures.items():
            inputs = signature.structured_input_signature[1]
            if len(inputs) != 1:
                continue
            for key, value in signature(**{next(iter(inputs)): tensor}).items():
                outputs[f"{name}:{key}"] = np.asarray(value.numpy(), np.float32)
        return outputs


def choose_output(outputs: Outputs, width: int) -> NDArray[np.float32]:
    """Pick the ``(n, width)`` output.

    Signature and tensor names differ between exporters, so the width decides; where two
    outputs have it they are copies of one, as ``default`` and ``image_classifier`` are.

    Raises:
        NetworkUnreadable: no output has that width.
    """
    for output in outputs.values():
        if output.ndim == 2 and output.shape[1] == width:
            return output
    widths = ", ".join(str(o.shape[-1]) for o in outputs.values()) or "none"
    raise NetworkUnreadable(
        f"The network answers with {widths} numbers a photo where {width} were expected: "
        "it is not the one in the catalog."
    )


def _compile(
    core: Any, folder: Path, options: Mapping[str, object], kept: CompiledFolder | None
) -> Compiled:
    compiled = None if kept is None else kept.open(core, options)
    if compiled is not None:
        return compiled
    model = core.compile_model(_taking_bytes(_fix_batch(core, folder)), "CPU", dict(options))
    if kept is not None:
        kept.keep(model, options)
    return Compiled(model=model)


def _fix_batch(core: Any, folder: Path) -> Any:
    """Read a module for one photo at a time; where it has no batch to fix, read it as it is.

    Raises:
        NetworkUnreadable: it does not take photos and nothing else.
    """
    model = core.read_model(folder)
    if len(model.inputs) != 1:
        raise NetworkUnreadable(
            f"{folder.name} takes {len(model.inputs)} inputs where a photo network takes one."
        )
    if not model.inputs[0].partial_shape.rank.is_static:
        return model
    shape = model.inputs[0].partial_shape
    shape[0] = 1
    try:
        model.reshape(shape)
    except RuntimeError as error:
        log.info("%s keeps its batch: %s", folder.name, _openvino_reason(folder, error))
        return core.read_model(folder)
    return model


def _taking_bytes(model: Any) -> Any:
    """Have the network scale a photo's bytes to [0, 1] itself, as it does all else: in parallel."""
    openvino = import_openvino()
    steps = openvino.preprocess.PrePostProcessor(model)
    photo = steps.input()
    photo.tensor().set_element_type(openvino.Type.u8)
    photo.preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)


def _openvino_reason(folder: Path, error: RuntimeError) -> str:
    """Pick the telling line: the one marked ``--``, else the last that names no source file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    marked = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    plain = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    reason = (marked or plain[-1:] or ["unknown reason"])[0].rstrip(".")
    return f"OpenVINO cannot take {folder.name}: {reason}."
