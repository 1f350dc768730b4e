"""Write the modules that ``tests.hub_modules`` describes: ``python make_hub_modules.py ROOT``.

A script for a process of its own, because it imports TensorFlow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # which is not needed, and starts sooner than Keras 3

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

PHOTOS = (None, 224, 224, 3)
CLASSES = {"birds": 965, "insects": 1022, "plants": 2102}


def colour_weights(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each primary colour a class of its own, and what is left to the last."""
    kernel = np.zeros((3, classes), np.float32)
    kernel[:, :3] = 12 * (1.5 * np.eye(3, dtype=np.float32) - 0.5)
    bias = np.full(classes, -6, np.float32)
    bias[:3], bias[-1] = 0, 2
    return kernel, bias


class Classifier(tf.Module):
    def __init__(self, classes: int) -> None:
        kernel, bias = colour_weights(classes)
        self.kernel, self.bias = tf.Variable(kernel), tf.Variable(bias)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.reduce_mean(images, [1, 2]), self.kernel) + self.bias

    def answer(self, images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(self.logits(images))

    @tf.function(input_signature=[tf.TensorSpec(PHOTOS, tf.float32, name="inputs")])
    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": self.answer(images)}

    def save(self, folder: Path) -> None:
        tf.saved_model.save(self, str(folder), signatures={"serving_default": self.__call__})


class Refused(Classifier):
    def answer(self, images: tf.Tensor) -> tf.Tensor:
        # The determinant of a unit matrix, an operation that OpenVINO has no rule for.
        units = tf.eye(2) + 0 * images[:, :2, :2, 0]
        return super().answer(images) * tf.linalg.det(units)[:, None]


class Noisy(Classifier):
    def answer(self, images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(20 * tf.random.uniform(tf.shape(self.logits(images))))


class Logits(Classifier):
    def answer(self, images: tf.Tensor) -> tf.Tensor:
        return self.logits(images)


class Colours(tf.Module):
    """A feature vector: the colours of a photo's 16 squares."""

    @tf.function(input_signature=[tf.TensorSpec(PHOTOS, tf.float32, name="inputs")])
    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        squares = tf.nn.avg_pool2d(images, ksize=56, strides=56, padding="VALID")
        return {"feature_vector": tf.reshape(squares, [-1, 48])}

    def save(self, folder: Path) -> None:
        tf.saved_model.save(self, str(folder), signatures={"serving_default": self.__call__})


def save_tf1_hub(classes: int, folder: Path) -> None:
    """Write what tensorflow_hub's own exporter wrote: no tags, and a marker beside it."""
    kernel, bias = colour_weights(classes)
    with v1.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, PHOTOS, name="images")
        weights = v1.get_variable("kernel", initializer=kernel, use_resource=False)
        offset = v1.get_variable("bias", initializer=bias, use_resource=False)
        logits = tf.matmul(tf.reduce_mean(images, [1, 2]), weights) + offset
        probabilities = tf.nn.softmax(logits)
        define = v1.saved_model.signature_def_utils.predict_signature_def
        signatures = {
            "default": define({"images": images}, {"default": probabilities}),
            "image_classifier": define({"images": images}, {"logits": probabilities}),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map=signatures)
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")


def main(root: Path) -> None:
    Classifier(CLASSES["birds"]).save(root / "models" / "birds_V1")
    save_tf1_hub(CLASSES["insects"], root / "models" / "insects_V1")
    Refused(CLASSES["plants"]).save(root / "models" / "plants_V1")
    Noisy(CLASSES["birds"]).save(root / "noisy")
    Logits(CLASSES["birds"]).save(root / "logits")
    Colours().save(root / "colours")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
