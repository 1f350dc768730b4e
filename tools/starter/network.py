"""The trained student as a Hub module: normalisation folded in, weights in 16 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from tools.starter.student import FEATURES, trunk


class StarterNetwork(tf.Module):  # type: ignore[misc]
    """``(n, side, side, 3)`` float32 in [0, 1] -> ``(n, FEATURES)`` float32.

    The weights are stored as 16-bit floats, which halves the module and changes no answer
    that matters, and are used as 32-bit ones.
    """

    def __init__(self, student: Any, side: int) -> None:
        """Take the weights of ``student``, a ``keras.Model`` of ``build_student``."""
        super().__init__()
        self._weights = {
            layer.name: [
                tf.Variable(array.astype("float16"), trainable=False)
                for array in student.get_layer(f"{layer.name}_norm").folded_into(
                    layer.kernel.numpy()
                )
            ]
            for layer in student.layers
            if type(layer).__name__ == "Conv2D"
        }
        images = tf.TensorSpec((None, side, side, 3), tf.float32, name="inputs")
        self.__call__ = tf.function(self._run, input_signature=[images])

    def save(self, folder: Path) -> None:
        """Write a TF2 SavedModel with the signature ``serving_default``."""
        signature = tf.function(
            lambda inputs: {"feature_vector": self._run(inputs)},
            input_signature=self.__call__.input_signature,
        )
        tf.saved_model.save(self, str(folder), signatures={"serving_default": signature})

    def _run(self, inputs: Any) -> Any:
        features = trunk(
            inputs, self._convolve, tf.nn.relu, lambda x: tf.reduce_mean(x, axis=(1, 2))
        )
        return tf.ensure_shape(features, (None, FEATURES))

    def _convolve(self, x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:  # noqa: ARG002
        weights, bias = (tf.cast(array, tf.float32) for array in self._weights[name])
        return tf.nn.conv2d(x, weights, stride, "SAME") + bias
