"""Modules on disk: found in the right order, recognised, and trusted on first use."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.catalog import load_catalog
from engine.networks.hub import (
    HubError,
    ModelMissing,
    ModuleRefused,
    installed_folder,
    locate,
    module_checksum,
)
from engine.settings import EngineSettings
from tests.hub_modules import HubModules

BIRDS = load_catalog()["birds"]


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    return EngineSettings(home=tmp_path / "home", models_dir=tmp_path / "models")


def put_module(folder: Path, *, graph: bytes = b"graph", marker: bytes | None = None) -> Path:
    """Write files that look like a module from outside."""
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(graph)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    if marker is not None:
        (folder / "tfhub_module.pb").write_bytes(marker)
    return folder


def test_both_real_formats_are_recognised(hub_modules: HubModules, tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=hub_modules.folder)
    catalog = load_catalog()
    assert locate(catalog["birds"], settings).format == "saved-model"
    insects = locate(catalog["insects"], settings)
    assert (insects.format, insects.folder) == ("tf1-hub", hub_modules.insects)


def test_the_real_networks_are_found(shared: Path, tmp_path: Path) -> None:
    settings = EngineSettings(home=tmp_path, models_dir=shared / "models")
    module = locate(BIRDS, settings)
    assert (module.format, module.folder.name) == ("tf1-hub", "birds_V1")


def test_folders_are_tried_in_order(settings: EngineSettings) -> None:
    assert settings.models_dir is not None
    installed = put_module(installed_folder(BIRDS, settings))
    assert locate(BIRDS, settings).folder == installed
    plain = put_module(settings.models_dir / "birds")
    assert locate(BIRDS, settings).folder == plain
    named = put_module(settings.models_dir / "birds_V1")
    assert locate(BIRDS, settings).folder == named


def test_a_handle_may_be_a_folder(settings: EngineSettings, tmp_path: Path) -> None:
    own = put_module(tmp_path / "own")
    assert settings.models_dir is not None
    put_module(settings.models_dir / "birds_V1")
    assert locate(replace(BIRDS, handle=str(own)), settings).folder == own
    with pytest.raises(ModelMissing, match=r"should be in .*absent, which is not there"):
        locate(replace(BIRDS, handle=str(tmp_path / "absent")), settings)


def test_a_missing_model_says_what_to_do(settings: EngineSettings) -> None:
    with pytest.raises(ModelMissing) as missing:
        locate(BIRDS, settings)
    assert "fieldmark models pull birds" in str(missing.value)
    assert "birds_V1 in FIELDMARK_MODELS" in str(missing.value)


def test_a_folder_that_may_not_be_looked_at_is_said(settings: EngineSettings) -> None:
    # A name that is too long is refused like a folder that may not be read, which none is for root.
    assert settings.models_dir is not None
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    (settings.models_dir / "birds_V1").symlink_to("x" * 300)
    with pytest.raises(ModuleRefused, match=r"birds_V1 cannot be read: File name too long"):
        locate(BIRDS, settings)


@pytest.mark.parametrize(
    ("marker", "graph", "said"),
    [(b"\x08\x02", b"graph", "unknown format"), (None, None, "has no saved_model.pb")],
)
def test_what_is_no_module_is_refused(
    settings: EngineSettings, marker: bytes | None, graph: bytes | None, said: str
) -> None:
    assert settings.models_dir is not None
    folder = put_module(settings.models_dir / "birds_V1", graph=graph or b"", marker=marker)
    if graph is None:
        (folder / "saved_model.pb").unlink()
    with pytest.raises(ModuleRefused, match=said):
        locate(BIRDS, settings)


def test_a_module_that_changed_is_refused_until_it_is_trusted(settings: EngineSettings) -> None:
    assert settings.models_dir is not None
    folder = put_module(settings.models_dir / "birds_V1")
    first = locate(BIRDS, settings)
    assert locate(BIRDS, settings) == first
    (folder / "variables" / "variables.index").write_bytes(b"other")
    with pytest.raises(ModuleRefused, match=r"changed since.*models pull --force birds"):
        locate(BIRDS, settings)
    changed = locate(BIRDS, settings, trust=True)
    assert changed.checksum != first.checksum
    assert locate(BIRDS, settings) == changed


def test_a_damaged_trust_record_is_not_taken_for_none(settings: EngineSettings) -> None:
    assert settings.models_dir is not None
    put_module(settings.models_dir / "birds_V1")
    locate(BIRDS, settings)
    (record,) = (settings.home / "checksums").iterdir()
    record.write_text("{}")
    with pytest.raises(ModuleRefused, match="damaged"):
        locate(BIRDS, settings)
    record.write_text("{")
    with pytest.raises(ModuleRefused, match="cannot be read"):
        locate(BIRDS, settings)


def test_the_catalogs_checksum_is_enforced(settings: EngineSettings) -> None:
    assert settings.models_dir is not None
    folder = put_module(settings.models_dir / "birds_V1")
    right = replace(BIRDS, checksum=module_checksum(folder))
    assert locate(right, settings).checksum == right.checksum
    with pytest.raises(ModuleRefused, match="not the one the catalog expects"):
        locate(replace(BIRDS, checksum="0" * 64), settings, trust=True)


def test_the_checksum_covers_names_and_contents(tmp_path: Path) -> None:
    folder = put_module(tmp_path / "a")
    checksum = module_checksum(folder)
    copy = shutil.copytree(folder, tmp_path / "b")
    assert module_checksum(copy) == checksum
    (copy / "saved_model.pb").rename(copy / "saved_model.pbtxt")
    assert module_checksum(copy) != checksum


def test_where_home_cannot_be_written_a_module_is_used_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put_module(tmp_path / "models" / "birds_V1")
    (tmp_path / "home").write_text("a file")
    settings = EngineSettings(home=tmp_path / "home", models_dir=tmp_path / "models")
    with caplog.at_level("WARNING"):
        assert locate(BIRDS, settings).entry == BIRDS
    assert "FIELDMARK_HOME" in caplog.text
    with pytest.raises(HubError, match="FIELDMARK_HOME"):
        locate(BIRDS, settings, trust=True)
