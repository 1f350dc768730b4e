"""A small index of species that are drawn in two colours, and the engine's settings for it."""

from __future__ import annotations

import dataclasses
import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from engine import EngineSettings, ReferencePhoto, Taxon, TaxonTable
from engine.batch import Batch
from engine.decode import decode
from engine.embedder import open_embedder
from engine.index.projection import fit_projection
from engine.index.species_index import Reference
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter
from tests.hub_modules import HubModules, catalog_entry

# Upper and lower half of each species' photos: a fox is orange above and white below.
LOOKS = {
    "Vulpes vulpes": ("orange", "white"),
    "Erithacus rubecula": ("brown", "orangered"),
    "Abies alba": ("darkgreen", "green"),
    "Apis mellifera": ("gold", "black"),
}
NEW = ("Amanita muscaria", ("red", "beige"))
CREDIT = ReferencePhoto(
    source="folder", licence="CC BY 4.0", attribution="A. Walker", url="https://example.org/fox"
)


def picture(look: tuple[str, str], seed: int) -> bytes:
    """Draw a species: its two colours, and noise of its own for each photo."""
    upper, lower = (Image.new("RGB", (64, 32), colour) for colour in look)
    pixels = np.vstack([np.asarray(upper), np.asarray(lower)]).astype(int)
    pixels += np.random.default_rng(seed).integers(-30, 30, pixels.shape)
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def taxon(name: str) -> Taxon:
    (found,) = taxa().named(name)
    return found


@cache
def taxa() -> TaxonTable:
    return TaxonTable.load()


def make(folder: Path, hub_modules: HubModules) -> EngineSettings:
    """Make an index of four species with six photos each; two workers share it."""
    (folder / "catalog.toml").write_text(catalog_entry(hub_modules.colours))
    settings = EngineSettings(
        home=folder / "home",
        catalog=folder / "catalog.toml",
        index=folder / "index",
        workers=2,
        threads=1,
    )
    embedder = open_embedder("colours", settings)
    photos = [(name, picture(look, i)) for name, look in LOOKS.items() for i in range(6)]
    features = embedder.embed(Batch([decode(data) for _, data in photos]))
    labels = np.array([list(LOOKS).index(name) for name, _ in photos])
    projection = fit_projection(features, labels, kind="pca", dims=16)
    IndexWriter.create(
        folder / "index",
        projection.apply(features),
        [
            Reference(taxon=taxon(name), **dataclasses.asdict(CREDIT), identity=str(number))
            for number, (name, _) in enumerate(photos)
        ],
        embedder=embedder.identity,
        projection=projection,
        vote_settings=VoteSettings(neighbours=5),
    )
    return settings
