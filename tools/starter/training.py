"""Teach the student what the teachers see, for as long as there is time.

Each step shows 64 photos (``BATCH``), one of their views each, mirrored, cropped a little and with
other colours. The student is told (a) the teachers' unit vectors in both spaces, (b) which
species the teachers' vector is near, as probabilities over all prototypes, (c) what the
bird and insect teachers make of it, and (d) the label, where there is one. The learning rate is
constant after a warm-up and falls to nothing over the last part ("warm-up, stable, decay":
Hu et al. 2024, arXiv:2404.06395), so that a longer run may go on from a shorter one's
checkpoint. Small pictures first, large ones last (Touvron et al. 2019, arXiv:1906.06423).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.starter.material import CHECKPOINTS, Material
from tools.starter.student import build_student
from tools.starter.targets import Targets
from tools.starter.views import SIDE, Views

KERNEL = 0.07
"""The difference of cosines that makes a prototype e times less likely."""
BATCH = 64
_PEAK_RATE = 2e-3
_WEIGHT_DECAY = 0.02
_WARM_UP_STEPS = 300
_DECAY_SHARE = 0.3
_SOFTENING = 0.5
_SMOOTHING = 0.1
_SEED = 20261124
_SIDES = ((0.5, 96), (0.9, 128), (1.01, SIDE))
"""Up to which share of all steps pictures have which side."""

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how: ``epochs`` passes over the photos in all."""

    epochs: int
    photos: int
    batch: int = BATCH

    @property
    def steps_an_epoch(self) -> int:
        """How many steps show each photo once."""
        return self.photos // self.batch

    @property
    def steps(self) -> int:
        """How many steps there are in all."""
        return self.epochs * self.steps_an_epoch

    def rate(self, step: int) -> float:
        """Return the learning rate at ``step``."""
        left = (self.steps - step) / (self.steps * _DECAY_SHARE)
        return _PEAK_RATE * min(1.0, (step + 1) / _WARM_UP_STEPS, max(left, 0.0))

    def side(self, step: int) -> int:
        """Return the pictures' side, in pixels, at ``step``."""
        return next(side for share, side in _SIDES if step < share * self.steps)


class Trainer:
    """A student and all that its training needs, kept in a work folder after each epoch.

    ``batch`` is how many photos each step shows.
    """

    def __init__(
        self,
        work: Path,
        material: Material,
        views: Views,
        targets: Targets,
        *,
        batch: int = BATCH,
    ) -> None:
        """Build the student, or take it as it was after the last epoch.

        Raises:
            ValueError: there are too few photos for one step; the message is a sentence.
        """
        self._shown = np.flatnonzero(~np.array(material.held_out))
        if len(self._shown) < batch:
            raise ValueError(
                f"{len(self._shown)} photos are too few to train on: it takes at least {batch}."
            )
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(_SEED)
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self._tf = tf
        self._batch = batch
        self._work = work
        self._views = views
        self._targets = targets
        self._species = np.array(material.species)
        self.student = build_student((views.birds.shape[1], views.insects.shape[1]))
        self._optimizer = keras.optimizers.AdamW(_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(self.student.trainable_variables)
        self._step = tf.Variable(0, dtype=tf.int64)
        self._learn_at: dict[int, Any] = {}
        self._checkpoints = tf.train.CheckpointManager(
            tf.train.Checkpoint(student=self.student, optimizer=self._optimizer, step=self._step),
            str(work / CHECKPOINTS),
            max_to_keep=2,
        )
        self._checkpoints.restore_or_initialize()

    def train(self, epochs: int, report: Report) -> None:
        """Go on from the last checkpoint until ``epochs`` are done."""
        schedule = Schedule(epochs=epochs, photos=len(self._shown), batch=self._batch)
        while (step := int(self._step)) < schedule.steps:
            started = time.monotonic()
            losses = self._train_epoch(schedule, step // schedule.steps_an_epoch)
            self._checkpoints.save()
            figures = {
                "epoch": step // schedule.steps_an_epoch + 1,
                "side": schedule.side(step),
                "seconds": round(time.monotonic() - started),
                **losses,
            }
            report(figures)
            with (self._work / "training.jsonl").open("a") as file:
                file.write(json.dumps(figures) + "\n")

    def embed(self, rows: NDArray[np.int64], side: int) -> tuple[Any, Any, Any]:
        """Return features and both spaces' vectors of views, as the student sees them now."""
        parts = []
        for start in range(0, len(rows), self._batch):
            pixels = self._views.pixels[rows[start : start + self._batch]]
            images = self._tf.image.resize(
                self._tf.cast(pixels, "float32") / 255.0, (side, side), antialias=True
            )
            parts.append([part.numpy() for part in self.student(images, training=False)[:3]])
        features, species, general = (np.concatenate(part) for part in zip(*parts, strict=True))
        return features, species, general

    def _train_epoch(self, schedule: Schedule, epoch: int) -> dict[str, float]:
        sums: dict[str, float] = {}
        steps = 0
        for rows in self._batches(schedule, epoch):
            step = int(self._step)
            self._optimizer.learning_rate.assign(schedule.rate(step))
            losses = self._learn(schedule.side(step))(*self._lesson(rows))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss)
            self._step.assign_add(1)
            steps += 1
        return {name: round(total / steps, 4) for name, total in sums.items()}

    def _batches(self, schedule: Schedule, epoch: int) -> Iterator[NDArray[np.int64]]:
        rng = np.random.default_rng((_SEED, epoch))
        order = rng.permutation(self._shown)
        views = rng.integers(len(self._views.pixels) // self._views.photos, size=len(order))
        rows = views * self._views.photos + order
        for start in range(0, schedule.steps_an_epoch * schedule.batch, schedule.batch):
            yield rows[start : start + schedule.batch]

    def _lesson(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        species, general = self._targets.of(self._views.features[rows])
        return (
            self._tf.constant(self._views.pixels[rows]),
            self._tf.constant(species),
            self._tf.constant(general),
            self._tf.constant(self._views.birds[rows].astype(np.float32)),
            self._tf.constant(self._views.insects[rows].astype(np.float32)),
            self._tf.constant(self._species[rows % self._views.photos].astype(np.int32)),
        )

    def _learn(self, side: int) -> Any:
        """Return the step for pictures of ``side`` pixels, traced once."""
        if side not in self._learn_at:
            tf = self._tf

            def learn(pixels: Any, *truth: Any) -> dict[str, Any]:
                images = _vary(tf, pixels, side)
                with tf.GradientTape() as tape:
                    losses = _losses(
                        tf, self.student(images, training=True), truth, self._prototypes
                    )
                    total = tf.add_n(list(losses.values()))
                variables = self.student.trainable_variables
                self._optimizer.apply_gradients(
                    zip(tape.gradient(total, variables), variables, strict=True)
                )
                return losses

            self._learn_at[side] = tf.function(learn)
        return self._learn_at[side]

    @property
    def _prototypes(self) -> Any:
        return self._tf.constant(self._targets.prototypes)


def _vary(tf: Any, pixels: Any, side: int) -> Any:
    """Mirror, crop and colour ``(n, SIDE, SIDE, 3)`` uint8; return floats of ``side`` pixels."""
    count = tf.shape(pixels)[0]
    images = tf.cast(pixels, tf.float32) / 255.0
    extent = tf.random.uniform((count, 2), 0.8, 1.0)
    corner = tf.random.uniform((count, 2)) * (1 - extent)
    left, right = corner[:, 1:], corner[:, 1:] + extent[:, 1:]
    mirrored = tf.random.uniform((count, 1)) < 0.5
    left, right = tf.where(mirrored, right, left), tf.where(mirrored, left, right)
    boxes = tf.concat([corner[:, :1], left, corner[:, :1] + extent[:, :1], right], axis=1)
    if side < SIDE:
        # crop_and_resize does not smooth; a little blur keeps thin lines from flickering.
        images = tf.nn.avg_pool2d(images, 2, 1, "SAME")
    images = tf.image.crop_and_resize(images, boxes, tf.range(count), (side, side))
    contrast = tf.random.uniform((count, 1, 1, 1), 0.7, 1.3)
    colour = tf.random.uniform((count, 1, 1, 1), 0.6, 1.4)
    light = tf.random.uniform((count, 1, 1, 3), -0.05, 0.05)
    light += tf.random.uniform((count, 1, 1, 1), -0.15, 0.15)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * colour
    middle = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    return tf.clip_by_value(middle + (images - middle) * contrast + light, 0.0, 1.0)


def _losses(tf: Any, answers: Any, truth: Any, prototypes: Any) -> dict[str, Any]:
    _, species, general, *logits = answers
    true_species, true_general, *true_probabilities, labels = truth
    species = tf.math.l2_normalize(species, axis=1)
    near = tf.matmul(species, prototypes, transpose_b=True) / KERNEL
    true_near = tf.nn.softmax(tf.matmul(true_species, prototypes, transpose_b=True) / KERNEL)
    losses = {
        "species": 2 * tf.reduce_mean(1 - tf.reduce_sum(species * true_species, axis=1)),
        "general": 2
        * tf.reduce_mean(
            1 - tf.reduce_sum(tf.math.l2_normalize(general, axis=1) * true_general, axis=1)
        ),
        "near": tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(true_near, near)),
    }
    for name, probabilities, row in zip(
        ("birds", "insects"), true_probabilities, logits, strict=True
    ):
        softened = tf.pow(probabilities, _SOFTENING)
        softened /= tf.reduce_sum(softened, axis=1, keepdims=True)
        losses[name] = 0.5 * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(softened, row))
    labelled = tf.cast(labels >= 0, tf.float32)
    count = prototypes.shape[0]
    smooth = tf.one_hot(labels, count) * (1 - _SMOOTHING) + _SMOOTHING / count
    wrong = tf.nn.softmax_cross_entropy_with_logits(smooth, near)
    losses["label"] = 0.5 * tf.reduce_sum(wrong * labelled) / tf.maximum(tf.reduce_sum(labelled), 1)
    return losses
