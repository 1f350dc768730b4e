"""What the contestants of a comparison are given: photos, modules and an index, in a work folder.

What is there from an earlier run is used again.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
from PIL import Image

from engine import EngineError, EngineSettings, Group, TaxonTable
from engine.catalog import find_entry, load_catalog
from engine.embedder import open_embedder
from engine.index.projection import Projection
from engine.networks.hub import locate
from engine.networks.samples import bundled_photos
from engine.photo_files import photo_files
from engine.processor import has_bf16
from engine.workers.encoding import encode_settings
from tools.bench.apart import in_new_process
from tools.bench.index import generate_all, species_names, write_index
from tools.bench.tensorflow_material import (
    INCEPTION_SIDE,
    INCEPTION_WIDTH,
    convert_to_tflite,
    save_inception,
)

OURS = "fieldmark"
OURS_BF16 = "fieldmark bf16"
ORIGINAL = "original"
NETWORK = "birds"
DIMS = 128
_EMBEDDER = "bench_embedder"
_READ_BY_ALL = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_PHONE_SIDE = 4000
_PHONE_NOISE = 6.0
_PHONE_QUALITY = 90
_SEED = 2026


class PhotosMissing(EngineError):
    """A folder holds no photos to compare on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderModule:
    """A module that makes ``width`` features of photos of ``side`` pixels."""

    folder: Path
    side: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A way to name photos, ready to be started: its name in ``WAYS`` and its arguments."""

    way: str
    options: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The contestants of one race, by name, and why others do not take part.

    ``settings`` and ``group`` are what our engine is asked with.
    """

    contestants: dict[str, Contestant]
    absent: dict[str, str]
    settings: EngineSettings
    group: Group

    def with_variants(self) -> Field:
        """Return it with our engine in f32, and with other workers and threads, as well."""
        variants = {
            f"fieldmark {workers} x {threads}": replace(
                self.settings, workers=workers, threads=threads
            )
            for workers, threads in ((1, 2), (2, 1))
        }
        if self.group is not Group.GENERIC:  # an index keeps the precision it was made at
            variants["fieldmark f32"] = replace(self.settings, precision="f32")
        ours = {name: _ours(settings, self.group) for name, settings in variants.items()}
        return replace(self, contestants={**self.contestants, **ours})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPhotos:
    """Files to ask about: photos as they lie, and some of them as a phone would have taken them."""

    small: tuple[Path, ...]
    phone: tuple[Path, ...]


def choose_photos(folder: Path | None, count: int, phones: int, work: Path) -> ChosenPhotos:
    """Choose ``count`` photos spread over ``folder``, and ``phones`` to enlarge.

    Without a folder they are the two that come with scikit-learn.

    Raises:
        PhotosMissing: the folder holds none.
    """
    bundled = bundled_photos()
    if folder is None:
        chosen: Sequence[Path] = bundled
    else:
        found = [path for path in photo_files(folder) if path.suffix.lower() in _READ_BY_ALL]
        if not found:
            raise PhotosMissing(f"{folder} holds no photos: name a folder of JPEG files.")
        chosen = found[:: max(1, len(found) // count)][:count]
    enlarged = []
    for number, path in enumerate(chosen[:: max(1, len(chosen) // phones)][:phones]):
        enlarged.append(work / f"phone-{number}.jpg")
        enlarged[-1].write_bytes(_as_a_phone_takes_it(path))
    return ChosenPhotos(small=tuple(chosen), phone=tuple(enlarged))


def _as_a_phone_takes_it(path: Path) -> bytes:
    """Return a photo as a JPEG of 4,000 pixels and some 4 MB.

    With a sensor's noise, because a photo that was only enlarged is smooth: its file is a quarter
    as large as a phone's, and decoded in half the time.
    """
    with Image.open(path) as image:
        scale = _PHONE_SIDE / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(_SEED).normal(0, _PHONE_NOISE, (size[1], size[0], 1))
    noisy = np.clip(np.asarray(large, np.float32) + noise, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=_PHONE_QUALITY)
    return out.getvalue()


def classifier_field(
    settings: EngineSettings, work: Path, *, without: Collection[str] = ()
) -> Field:
    """Prepare a race of the birds network alone, which all contestants run.

    ``without`` are contestants that are not wanted.

    Raises:
        EngineError: the network is not on this machine.
    """
    entry = find_entry(load_catalog(settings.catalog), NETWORK)
    module = locate(entry, settings).folder.resolve()
    models = work / "classifier" / "models"
    models.mkdir(parents=True, exist_ok=True)
    link = models / entry.folder_name
    if not link.exists():
        link.symlink_to(module)
    labels = TaxonTable.load().labels(NETWORK)
    names = work / "classifier" / "names.txt"
    names.write_text("\n".join(t.scientific_name for t in labels if t), encoding="utf-8")
    network = {
        "module": str(module),
        "side": entry.input_size,
        "width": entry.width,
        "names": str(names),
    }
    own = replace(settings, home=work / "classifier" / "home", models_dir=models, index=None)
    contestants = {
        ORIGINAL: Contestant(way="original", options={**network, "index": None}),
        "hobby": Contestant(
            way="hobby",
            options={
                "model": str(work / "classifier" / "network.tflite"),
                "side": entry.input_size,
                "names": str(names),
            },
        ),
        "pool": Contestant(way="pool", options=network),
        OURS: _ours(own, Group.BIRD),
    }
    absent = dict.fromkeys(without, "it was left out.")
    if "hobby" not in absent:
        problem = _make_tflite(module, entry.width, work / "classifier" / "network.tflite")
        absent |= {} if problem is None else {"hobby": problem}
    return Field(
        contestants={name: one for name, one in contestants.items() if name not in absent},
        absent=absent,
        settings=own,
        group=Group.BIRD,
    )


def generic_field(
    settings: EngineSettings, work: Path, rows: int, embedder: EmbedderModule | None = None
) -> Field:
    """Prepare a race of an embedder and an index of ``rows``; ours has a real index folder.

    ``embedder`` is by default an InceptionV3 of 299 pixels with random weights: speed does not
    depend on what a network learnt.
    """
    embedder = embedder or _inception(work)
    folder = work / f"generic-{rows}"
    folder.mkdir(exist_ok=True)
    catalog = folder / "catalog.toml"
    catalog.write_text(
        f'[{_EMBEDDER}]\ntitle = "Bench"\ngroup = "generic"\nhandle = "{embedder.folder}"\n'
        f"input_size = {embedder.side}\nfeatures = {embedder.width}\n"
        'licence = "Apache-2.0"\nsource = "https://keras.io/api/applications/"\nversion = "1"\n',
        encoding="utf-8",
    )
    empty = folder / "no-models"
    empty.mkdir(exist_ok=True)
    own = replace(
        settings,
        home=folder / "home",
        models_dir=empty,
        catalog=catalog,
        index=folder / "index",
    )
    faster = replace(own, precision="bf16", index=folder / "index-bf16")
    every = (own, faster) if has_bf16() else (own,)
    if not (folder / "species.npy").exists():
        in_new_process(_write_indexes, every, folder, rows, embedder.width)
    names = folder / "names.txt"
    names.write_text("\n".join(species_names()), encoding="utf-8")
    original = {
        "module": str(embedder.folder),
        "side": embedder.side,
        "width": embedder.width,
        "names": str(names),
        "index": str(folder),
    }
    contestants = {
        ORIGINAL: Contestant(way="original", options=original),
        OURS: _ours(own, Group.GENERIC),
    }
    if faster in every:
        contestants[OURS_BF16] = _ours(faster, Group.GENERIC)
    return Field(contestants=contestants, absent={}, settings=own, group=Group.GENERIC)


def _ours(settings: EngineSettings, group: Group) -> Contestant:
    body = encode_settings(settings).body["settings"]
    return Contestant(way="fieldmark", options={"settings": body, "group": group.value})


def _make_tflite(module: Path, width: int, target: Path) -> str | None:
    if target.exists():
        return None
    return in_new_process(convert_to_tflite, module, width, target)


def _inception(work: Path) -> EmbedderModule:
    folder = work / "inception"
    if not folder.exists():
        draft = work / "inception.draft"
        shutil.rmtree(draft, ignore_errors=True)
        in_new_process(save_inception, draft)
        draft.rename(folder)
    return EmbedderModule(folder=folder, side=INCEPTION_SIDE, width=INCEPTION_WIDTH)


def _write_indexes(every: Sequence[EngineSettings], folder: Path, rows: int, width: int) -> None:
    """Write the same rows as Fieldmark's indexes, one for each precision, and as the original's."""
    vectors, species = generate_all(rows, min(DIMS, width))
    directions = np.random.default_rng(_SEED).standard_normal((width, vectors.shape[1]))
    matrix = np.linalg.qr(directions)[0].astype(np.float32)
    projection = Projection(kind="pca", mean=np.zeros(width, np.float32), matrix=matrix)
    for settings in every:
        index = settings.index or folder
        shutil.rmtree(index, ignore_errors=True)  # of a run that was broken off
        embedder = open_embedder(_EMBEDDER, settings)
        write_index(index, vectors, species, embedder.identity, projection)
    flat = faiss.IndexFlatL2(vectors.shape[1])
    flat.add(vectors)
    faiss.write_index(flat, str(folder / "flat.faiss"))
    np.savez(folder / "pca.npz", components=matrix.T, mean=projection.mean)
    np.save(folder / "species.npy", species)
