"""Train a student on made-up views, stop, go on, and export it; prints what came of it.

Run as ``python train_student.py FOLDER``, in a process of its own, because TensorFlow stays
in a process for good and takes half a gigabyte.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from engine.index.projection import Projection
from engine.networks.runtime import choose_output, open_network
from tools.starter.material import UNLABELLED, Material
from tools.starter.network import StarterNetwork
from tools.starter.student import FEATURES
from tools.starter.targets import GENERAL_DIMS, SPECIES_DIMS, Targets
from tools.starter.training import Trainer
from tools.starter.views import SIDE, Views

PHOTOS = 14
SPECIES = 6
BATCH = 10
WIDTH = 300


def main() -> None:
    """Do it all in the folder that is named."""
    work = Path(sys.argv[1])
    rng = np.random.default_rng(0)
    species = [int(n) for n in rng.integers(0, SPECIES, PHOTOS - 4)] + [UNLABELLED] * 4
    material = Material(
        paths=tuple(Path(f"{n}.jpg") for n in range(PHOTOS)),
        groups=("birds",) * PHOTOS,
        species=tuple(species),
        names=tuple(f"Species {n}" for n in range(SPECIES)),
        held_out=(True,) * 4 + (False,) * (PHOTOS - 4),
    )
    views = Views(
        photos=PHOTOS,
        pixels=rng.integers(0, 255, (PHOTOS, SIDE, SIDE, 3), dtype=np.uint8),
        features=rng.normal(size=(PHOTOS, WIDTH)).astype(np.float16),
        birds=rng.dirichlet(np.ones(8), PHOTOS).astype(np.float16),
        insects=rng.dirichlet(np.ones(9), PHOTOS).astype(np.float16),
    )
    targets = Targets(
        species=_projection(rng, SPECIES_DIMS),
        general=_projection(rng, GENERAL_DIMS),
        prototypes=np.eye(SPECIES, SPECIES_DIMS, dtype=np.float32),
    )
    reports: list[dict[str, float]] = []
    Trainer(work, material, views, targets, batch=BATCH).train(1, reports.append)
    trainer = Trainer(work, material, views, targets, batch=BATCH)
    trainer.train(2, reports.append)
    folder = work / "module"
    StarterNetwork(trainer.student, SIDE).save(folder)
    exported = choose_output(open_network(folder, runtime="openvino")(views.pixels[:4]), FEATURES)
    features, _, _ = trainer.embed(np.arange(4), SIDE)
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(exported, axis=1)
    print(  # noqa: T201
        json.dumps(
            {
                "epochs": [report["epoch"] for report in reports],
                "losses_finite": all(np.isfinite(list(r.values())).all() for r in reports),
                "cosines": ((features * exported).sum(axis=1) / lengths).tolist(),
            }
        )
    )


def _projection(rng: np.random.Generator, dims: int) -> Projection:
    return Projection(
        kind="pca",
        mean=np.zeros(WIDTH, np.float32),
        matrix=rng.normal(size=(WIDTH, dims)).astype(np.float32),
    )


if __name__ == "__main__":
    main()
