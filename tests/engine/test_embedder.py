"""Feature vectors of real photos from real Hub modules, and who made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.catalog import UnknownModel
from engine.decode import decode
from engine.embedder import NoEmbedder, open_embedder
from engine.samples import bundled_photos
from engine.settings import EngineSettings
from tests.hub_modules import HubModules

PHOTOS = [decode(path.read_bytes()) for path in bundled_photos()]


@pytest.mark.parametrize("name", ["birds", "insects", "imagenet_features"])
def test_a_networks_features(shared: Path, tmp_path: Path, name: str) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    embedder = open_embedder(name, settings)
    vectors = embedder.embed(PHOTOS)
    assert vectors.shape == (2, 1280)
    assert np.isfinite(vectors).all()
    assert not np.allclose(vectors[0], vectors[1])
    np.testing.assert_allclose(embedder.embed(PHOTOS[:1])[0], vectors[0], atol=1e-4)


def test_the_identity_names_module_size_and_precision(shared: Path, tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    birds, insects = (open_embedder(name, settings).identity for name in ("birds", "insects"))
    name, _, rest = birds.partition("@")
    assert name == "birds"
    assert rest.endswith("/224/f32")
    assert birds.split("@")[1] != insects.split("@")[1]


def test_a_module_without_such_an_output_is_refused(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=hub_modules.no_plants)
    with pytest.raises(NoEmbedder, match="1280 were expected"):
        open_embedder("birds", settings)


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="imagenet_features"):
        open_embedder("bats", EngineSettings(home=tmp_path))
