"""The photos that the starter is made from, and those that are kept back to judge it.

Photos of the split ``test`` are never read. Of each species with enough photos in ``train``
every eighth is *held out*: the student never sees it, so that it can say how good the
student is and fit what is calibrated, as no photo it was trained on could.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from engine import TaxonTable
from tools.manifest import LabelledPhoto, read_manifest

HELD_OUT_EVERY = 8
_FEWEST_TO_HOLD_OUT = 4
UNLABELLED = -1
CHECKPOINTS = "checkpoints"
"""Where a work folder keeps the student as it is trained by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The photos by position: first the labelled ones, in the manifest's order.

    ``species`` gives the number of each photo's species in ``names``, ``UNLABELLED`` for a
    photo of the transfer set; ``held_out`` marks those that the student must not see.
    """

    paths: tuple[Path, ...]
    groups: tuple[str, ...]
    species: tuple[int, ...]
    names: tuple[str, ...]
    held_out: tuple[bool, ...]

    def fingerprint(self) -> str:
        """Name this selection, to tell work on other photos from work on these."""
        text = "\n".join(
            f"{path.name} {species} {held}"
            for path, species, held in zip(self.paths, self.species, self.held_out, strict=True)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def gather_material(photos: Path, transfer: Path, taxa: TaxonTable) -> Material:
    """Read the labelled photos of ``train`` and the unlabelled JPEGs in ``transfer``.

    Raises:
        ManifestInvalid: ``photos`` has no usable manifest, or no photos to train on.
    """
    labelled = read_manifest(photos, "train", taxa)
    unlabelled = sorted(transfer.glob("*.jpg"))
    names = sorted({photo.scientific_name for photo in labelled})
    numbers = {name: number for number, name in enumerate(names)}
    held_out = _choose_held_out(labelled)
    return Material(
        paths=(*(photo.path for photo in labelled), *unlabelled),
        groups=(
            *(photo.group for photo in labelled),
            *(path.name.partition("-")[0] for path in unlabelled),
        ),
        species=(
            *(numbers[photo.scientific_name] for photo in labelled),
            *(UNLABELLED for _ in unlabelled),
        ),
        names=tuple(names),
        held_out=(*(photo.path in held_out for photo in labelled), *(False for _ in unlabelled)),
    )


def _choose_held_out(photos: list[LabelledPhoto]) -> set[Path]:
    of_species: dict[str, list[Path]] = defaultdict(list)
    for photo in photos:
        of_species[photo.scientific_name].append(photo.path)
    return {
        path
        for paths in of_species.values()
        if len(paths) >= _FEWEST_TO_HOLD_OUT
        for path in sorted(paths)[::HELD_OUT_EVERY]
    }
