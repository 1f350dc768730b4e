"""Batch normalisation in one fused operation. Imports TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_EPSILON = 1e-3
_MOMENTUM = 0.95


class FusedNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Batch normalisation (Ioffe and Szegedy 2015) by TensorFlow's fused kernel.

    Keras' own layer is made of a dozen operations that each go through memory: it costs
    this network a quarter of its training time. Activations may be bfloat16; the layer's
    own numbers stay float32.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **options)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make gain, bias and the running mean and variance, ``(channels,)`` each."""
        ones, channels = keras.initializers.Ones(), (shape[-1],)
        self.gamma = self.add_weight(shape=channels, initializer=ones, name="gamma")
        self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(
            shape=channels, initializer="zeros", trainable=False, name="mean"
        )
        self.moving_variance = self.add_weight(
            shape=channels, initializer=ones, trainable=False, name="variance"
        )

    def call(self, x: Any, training: bool = False) -> Any:
        """Normalise ``(n, h, w, channels)``, by the batch's own moments when training."""
        running = (self.moving_mean, self.moving_variance)
        mean, variance = (
            (tf.zeros(0), tf.zeros(0)) if training else map(tf.cast, running, 2 * [tf.float32])
        )
        y, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=mean,
            variance=variance,
            epsilon=_EPSILON,
            is_training=training,
        )
        if training:
            for kept, new in zip(running, (batch_mean, batch_variance), strict=True):
                kept.assign(_MOMENTUM * kept + (1 - _MOMENTUM) * new)
        return y

    def folded_into(
        self, kernel: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the ``(h, w, in, out)`` kernel and the bias of convolution and layer in one."""
        gamma, beta, mean, variance = (weight.numpy() for weight in self.weights)
        gain = gamma / np.sqrt(variance + _EPSILON)
        return kernel * gain, beta - mean * gain
