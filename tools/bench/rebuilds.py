"""The ways that people name the species in a photo today, rebuilt.

Each is honest: what a competent person would write with that library, with its defaults,
both cores allowed, and nothing slow on purpose. They read a photo with Pillow and resize it to
the network's square. Libraries are imported where a way begins, since that is part of what it
costs.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

_NEIGHBOURS = 10
_WORKERS = 2
_TINY = 1e-12
_LONGEST_START_S = 120.0


class Original:
    """The original way: hub.load, in one synchronous process.

    TensorFlow runs the module's own signature. Where there is an index, scikit-learn's PCA
    transforms the features, FAISS's ``IndexFlatL2`` finds the ten nearest of all rows, and
    each votes with one over its distance.
    """

    def __init__(
        self, *, module: str, side: int, width: int, names: str, index: str | None
    ) -> None:
        self._open = (module, side, width, names, index)

    async def start(self) -> None:
        """Load the module, and the index if there is one."""
        module, side, width, names, index = self._open
        self._network = HubNetwork(module, side, width)
        self._names = read_names(names)
        self._index = None if index is None else FlatIndex(index, self._names)

    async def identify(self, photo: bytes) -> str:
        """Do everything here and now, in the caller's thread."""
        numbers = self._network(photo)
        return likeliest(numbers, self._names) if self._index is None else self._index(numbers)

    async def settle(self) -> None:
        """Do nothing: all is up."""

    def worker_pids(self) -> Collection[int]:
        """Return this process."""
        return (os.getpid(),)

    def runtime(self) -> str:
        """Say what runs the network."""
        return "tensorflow"

    async def close(self) -> None:
        """Do nothing: the process ends."""


class Hobby:
    """The hobby-bot way: a TensorFlow Lite interpreter, called on the event loop.

    The module was converted to ``.tflite`` beforehand. The interpreter is the one that
    TensorFlow ships; a bot that installs an interpreter without TensorFlow starts faster and
    is smaller than this, and answers as fast.
    """

    def __init__(self, *, model: str, side: int, names: str) -> None:
        self._open = (model, side, names)

    async def start(self) -> None:
        """Open the interpreter with a thread for each core."""
        model, self._side, names = self._open
        silence_tensorflow()
        import tensorflow as tf

        cores = len(os.sched_getaffinity(0))
        self._interpreter = tf.lite.Interpreter(model_path=model, num_threads=cores)
        self._interpreter.allocate_tensors()
        (self._input,) = (tensor["index"] for tensor in self._interpreter.get_input_details())
        (self._output,) = (tensor["index"] for tensor in self._interpreter.get_output_details())
        self._names = read_names(names)

    async def identify(self, photo: bytes) -> str:
        """Run the interpreter, while the event loop waits."""
        self._interpreter.set_tensor(self._input, pixels(photo, self._side)[None])
        self._interpreter.invoke()
        return likeliest(self._interpreter.get_tensor(self._output)[0], self._names)

    async def settle(self) -> None:
        """Do nothing: all is up."""

    def worker_pids(self) -> Collection[int]:
        """Return this process."""
        return (os.getpid(),)

    def runtime(self) -> str:
        """Say what runs the network."""
        return "tensorflow lite"

    async def close(self) -> None:
        """Do nothing: the process ends."""


class TensorFlowPool:
    """TensorFlow in a ProcessPoolExecutor of two workers, so that the event loop stays free."""

    def __init__(self, *, module: str, side: int, width: int, names: str) -> None:
        self._open = (module, side, width)
        self._names = read_names(names)

    async def start(self) -> None:
        """Make the pool; a worker loads the module when it is spawned."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # Not forked: a fork after TensorFlow has started threads hangs.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            _WORKERS,
            mp_context=context,
            initializer=_open_in_worker,
            initargs=(*self._open, context.Barrier(_WORKERS)),
        )

    async def identify(self, photo: bytes) -> str:
        """Have a worker read the photo and run the network."""
        loop = asyncio.get_running_loop()
        numbers = await loop.run_in_executor(self._pool, _ask_in_worker, photo)
        return likeliest(numbers, self._names)

    async def settle(self) -> None:
        """Have both workers ready, of which the second starts when the first is at work."""
        loop = asyncio.get_running_loop()
        met = [loop.run_in_executor(self._pool, _meet) for _ in range(_WORKERS)]
        await asyncio.gather(*met)

    def worker_pids(self) -> Collection[int]:
        """Return the pool's processes."""
        from multiprocessing import active_children

        return tuple(child.pid for child in active_children() if child.pid)

    def runtime(self) -> str:
        """Say what runs the network."""
        return "tensorflow"

    async def close(self) -> None:
        """End the workers."""
        self._pool.shutdown()


class HubNetwork:
    """A module as ``hub.load`` gives it: a photo's bytes in, the output of ``width`` out."""

    def __init__(self, module: str, side: int, width: int) -> None:
        silence_tensorflow()
        import tensorflow as tf
        import tensorflow_hub as hub

        self._side = side
        self._constant = tf.constant
        self._module = hub.load(module)  # whose variables go when it goes
        self._signature, self._output = next(
            (signature, key)
            for signature in self._module.signatures.values()
            for key, output in signature.structured_outputs.items()
            if output.shape[-1] == width
        )
        self._input = next(iter(self._signature.structured_input_signature[1]))

    def __call__(self, photo: bytes) -> Any:
        """Return ``(width,)`` float32."""
        images = self._constant(pixels(photo, self._side)[None])
        return self._signature(**{self._input: images})[self._output].numpy()[0]


class FlatIndex:
    """The original's index: ``(width,)`` features in, a name out.

    ``folder`` holds ``pca.npz``, ``flat.faiss`` and ``species.npy``, the species of each row.
    """

    def __init__(self, folder: str, names: list[str]) -> None:
        import faiss
        import numpy as np
        from sklearn.decomposition import PCA

        self._names = names
        self._count = np.bincount
        with np.load(Path(folder) / "pca.npz") as arrays:
            self._pca: Any = PCA(len(arrays["components"]))
            self._pca.components_, self._pca.mean_ = arrays["components"], arrays["mean"]
        self._flat = faiss.read_index(str(Path(folder) / "flat.faiss"))
        self._species = np.load(Path(folder) / "species.npy")

    def __call__(self, features: Any) -> str:
        """Reduce, search and vote."""
        squares, rows = self._flat.search(self._pca.transform(features[None]), _NEIGHBOURS)
        weights = 1 / (squares[0] ** 0.5 + _TINY)
        return likeliest(self._count(self._species[rows[0]], weights), self._names)


def pixels(photo: bytes, side: int) -> Any:
    """Return a photo as ``(side, side, 3)`` float32 in [0, 1]."""
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(photo)).convert("RGB")
    resized = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / np.float32(255)


def likeliest(numbers: Any, names: list[str]) -> str:
    """Return the name with the greatest number; a last number without a name is no species."""
    return names[int(numbers[: len(names)].argmax())]


def read_names(path: str) -> list[str]:
    """Read one name a line, in the order of the network's output or the index's species."""
    return Path(path).read_text(encoding="utf-8").splitlines()


def silence_tensorflow() -> None:
    """Keep TensorFlow from looking for a GPU, and from telling of it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


_network: HubNetwork | None = None
_all_ready: Barrier | None = None


def _open_in_worker(module: str, side: int, width: int, all_ready: Barrier) -> None:
    global _network, _all_ready
    _network, _all_ready = HubNetwork(module, side, width), all_ready


def _meet() -> None:
    """Wait until each of the pool's workers is here."""
    if _all_ready is None:
        raise RuntimeError("This worker was not told of the others.")
    _all_ready.wait(_LONGEST_START_S)


def _ask_in_worker(photo: bytes) -> Any:
    if _network is None:
        raise RuntimeError("This worker has not loaded the network.")
    return _network(photo)
