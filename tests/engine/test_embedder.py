"""Feature vectors of real photos from real Hub modules, and who made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import precision
from engine.batch import Batch
from engine.catalog import ModelEntry, UnknownModel
from engine.decode import decode
from engine.embedder import NoEmbedder, open_embedder
from engine.network import Networks
from engine.networks.hub import Module
from engine.networks.runtime import Images, Network, Outputs
from engine.networks.samples import bundled_photos
from engine.precision import Precision
from engine.settings import EngineSettings
from tests.hub_modules import HubModules, catalog_entry

PHOTOS = [decode(path.read_bytes()) for path in bundled_photos()]


@pytest.mark.parametrize("name", ["birds", "insects", "imagenet_features"])
def test_a_networks_features(shared: Path, tmp_path: Path, name: str) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    embedder = open_embedder(name, settings)
    vectors = embedder.embed(Batch(PHOTOS))
    assert vectors.shape == (2, 1280)
    assert np.isfinite(vectors).all()
    assert not np.allclose(vectors[0], vectors[1])
    np.testing.assert_allclose(embedder.embed(Batch(PHOTOS[:1]))[0], vectors[0], atol=1e-4)


def test_the_identity_names_module_size_and_precision(shared: Path, tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models", precision="f32")
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


def two_embedders(hub_modules: HubModules, tmp_path: Path) -> EngineSettings:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(
        "".join(catalog_entry(hub_modules.colours, name=name) for name in ("colours", "shades"))
    )
    return EngineSettings(home=tmp_path / "home", catalog=catalog)


def test_joined_networks_features_stand_side_by_side_with_unit_length_each(
    hub_modules: HubModules, tmp_path: Path
) -> None:
    settings = two_embedders(hub_modules, tmp_path)
    alone, other = (open_embedder(name, settings) for name in ("colours", "shades"))
    joined = open_embedder("shades+colours", settings)
    assert joined.width == 96
    assert joined.identity == f"{other.identity}+{alone.identity}"
    vectors, features = joined.embed(Batch(PHOTOS)), alone.embed(Batch(PHOTOS))
    np.testing.assert_allclose(np.linalg.norm(vectors[:, 48:], axis=1), 1, rtol=1e-5)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[:, 48:] * lengths, features, rtol=1e-5)


def test_features_are_in_bf16_where_they_were_measured_joined_and_are_joined(
    hub_modules: HubModules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "gains_from_bf16", lambda home: True)
    settings = two_embedders(hub_modules, tmp_path)
    assert settings.catalog is not None
    with settings.catalog.open("a") as file:  # to [shades], which is the last
        file.write("bf16_agreement = 0.98\nbf16_joined_agreement = 0.995\n")
    assert open_embedder("shades", settings).identity.endswith("/f32")
    shades, colours = open_embedder("shades+colours", settings).identity.split("+")
    assert shades.endswith("/bf16")
    assert colours.endswith("/f32")


def test_a_network_named_twice_is_refused(hub_modules: HubModules, tmp_path: Path) -> None:
    with pytest.raises(NoEmbedder, match="named twice"):
        open_embedder("colours+colours", two_embedders(hub_modules, tmp_path))


def test_a_network_that_is_asked_twice_runs_once(hub_modules: HubModules, tmp_path: Path) -> None:
    settings = two_embedders(hub_modules, tmp_path)
    runs = []

    class Counted:
        description = "openvino f32"

        def __init__(self, network: Network) -> None:
            self._network = network

        def __call__(self, images: Images) -> Outputs:
            runs.append(len(images))
            return self._network(images)

    class Counting(Networks):
        def open(
            self, entry: ModelEntry, precision: Precision | None = None
        ) -> tuple[Module, Network]:
            module, network = super().open(entry, precision)
            return module, Counted(network)

    networks = Counting(settings)
    embedder = open_embedder("colours", settings, networks)
    runs.clear()
    batch = Batch(PHOTOS)
    first, second = embedder.embed(batch), embedder.embed(batch)
    assert runs == [len(PHOTOS)]
    np.testing.assert_array_equal(first, second)
