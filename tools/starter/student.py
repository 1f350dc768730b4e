"""The student: a small residual network of plain 3 x 3 convolutions.

Plain convolutions, because they run near the peak of a processor's matrix units, both when
it learns and when it answers; depthwise ones spend the time on memory. One description
serves both: ``trunk`` is told how to make a convolution, so that the exporter can rebuild
the network with its normalisation folded away (``tools.starter.export``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tools.starter.targets import GENERAL_DIMS, SPECIES_DIMS

STEM = 32
STAGES = ((64, 2), (128, 2), (256, 3))
"""Channels and residual blocks of each stage; each halves the side."""
FEATURES = 512
"""Width of the feature vector that the network ends in."""


class MakeConvolution(Protocol):
    """Makes one convolution with its normalisation."""

    def __call__(self, x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:
        """Return ``x`` convolved: no activation, padded to ``side / stride``."""
        ...


def trunk(images: Any, convolve: MakeConvolution, relu: Any, mean: Any) -> Any:
    """Return ``(n, FEATURES)`` features of ``(n, side, side, 3)`` images in [0, 1].

    ``relu`` and ``mean`` (over the two spatial axes) are the framework's own.
    """
    x = relu(convolve(images * 4.0 - 2.0, "stem", STEM, 3, 2))
    for stage, (channels, blocks) in enumerate(STAGES):
        for block in range(blocks):
            x = _residual(x, f"s{stage}b{block}", channels, 1 if block else 2, convolve, relu)
    return mean(relu(convolve(x, "features", FEATURES, 1, 1)))


def _residual(
    x: Any, name: str, channels: int, stride: int, convolve: MakeConvolution, relu: Any
) -> Any:
    inner = relu(convolve(x, f"{name}_1", channels, 3, stride))
    inner = convolve(inner, f"{name}_2", channels, 3, 1)
    if stride > 1:
        x = convolve(x, f"{name}_skip", channels, 1, stride)
    return relu(inner + x)


def build_student(classes: Sequence[int]) -> Any:
    """Build the network for training, its heads included; returns a ``keras.Model``.

    Its outputs are the features, the vectors in the teachers' two spaces (not of unit
    length), and one row of logits for each number in ``classes``, all float32.
    """
    import keras
    from keras import layers

    from tools.starter.normalization import FusedNormalization

    def convolve(x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:
        x = layers.Conv2D(
            channels,
            kernel,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )(x)
        return FusedNormalization(name=f"{name}_norm")(x)

    images = keras.Input((None, None, 3))
    features = trunk(images, convolve, layers.ReLU(), layers.GlobalAveragePooling2D())
    features = layers.Activation("linear", dtype="float32", name="pooled")(features)
    heads = [
        layers.Dense(width, dtype="float32", name=f"head{place}")(features)
        for place, width in enumerate((SPECIES_DIMS, GENERAL_DIMS, *classes))
    ]
    return keras.Model(images, [features, *heads])
