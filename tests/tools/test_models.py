"""``fieldmark models``: results on standard output, sentences on standard error, exit statuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.hub_modules import HubModules
from tests.hub_server import HubServer, pack_module, serving
from tools.cli import app


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


def fieldmark(*arguments: object) -> Said:
    """Run a command wide enough that sentences stay on one line."""
    result = CliRunner().invoke(app, ["models", *map(str, arguments)], env={"COLUMNS": "400"})
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in ("FIELDMARK_MODELS", "FIELDMARK_HOME", "FIELDMARK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def hub(hub_modules: HubModules) -> Iterator[HubServer]:
    with serving(pack_module(hub_modules.birds)) as server:
        yield server


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: HubServer) -> Path:
    """Point the birds of the catalog at the Hub on loopback."""
    path = tmp_path / "catalog.toml"
    path.write_text(f'[birds]\nhandle = "{hub.handle}"\nbf16_agreement = 0.5\n')
    monkeypatch.setenv("FIELDMARK_ENGINE__CATALOG", str(path))
    return path


def test_a_list_on_a_bare_machine_says_how_to_get_each(home: Path) -> None:
    said = fieldmark("list", "--home", home)
    assert said.status == 0
    for name in ("birds", "insects", "plants"):
        assert f"run `fieldmark models pull {name}`" in said.out
    assert "imagenet_mobilenet_v2_feature_vector" in "".join(said.out.split())


def test_pull_downloads_compares_and_lists(hub: HubServer, catalog: Path, home: Path) -> None:
    with catalog.open("a") as file:
        file.write(f'[plants]\nhandle = "{hub.handle}/absent"\n')
    pulled = fieldmark("pull", "plants", "birds", "--home", home)
    assert (pulled.status, pulled.out.count("\n")) == (1, 1), pulled
    assert "has no module at" in pulled.err
    assert "birds: OpenVINO serves it. 16 photos: top-1 agrees on 100 %" in pulled.out

    asked = len(hub.asked)
    again = fieldmark("pull", "birds", "--home", home)
    assert (again.status, again.out, again.err) == (0, pulled.out, "")
    assert len(hub.asked) == asked

    listed = fieldmark("list", "--home", home)
    assert "openvino f32" in listed.out
    assert "16 photos: top-1 agrees on 100 %" in listed.out
    assert "TF2 SavedModel in" in listed.out
    birds, insects, *_ = json.loads(fieldmark("list", "--json", "--home", home).out)
    assert birds["runtime"] == "openvino f32"
    assert birds["preparation"]["agreement"] == 1.0
    assert (birds["problem"], birds["folder"]) == (None, str(home / "models" / "birds"))
    assert (insects["folder"], insects["preparation"]) == (None, None)
    assert "fieldmark models pull insects" in insects["problem"]


def test_verify_says_what_tensorflow_must_serve(
    hub_modules: HubModules, home: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (64, 64), colour).save(photos / f"{number}.png")
    said = fieldmark("verify", "--models", hub_modules.folder, "--home", home, "--photos", photos)
    assert said.status == 0, said
    assert "birds: OpenVINO serves it. 3 photos: top-1 agrees on 100 %" in said.out
    assert "insects: OpenVINO serves it. 3 photos" in said.out
    assert "plants: TensorFlow serves it. 3 photos: OpenVINO gave no answer" in said.out
    assert "plants: not by OpenVINO, because OpenVINO cannot take plants_V1" in said.out
    listed = fieldmark("list", "--models", hub_modules.folder, "--home", home).out
    assert "TensorFlow serves it: OpenVINO cannot take plants_V1" in listed


def test_a_changed_folder_is_refused_until_it_is_trusted_anew(
    hub_modules: HubModules, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    shutil.copytree(hub_modules.birds, models / "birds_V1")
    place = ("--models", models, "--home", home)
    assert fieldmark("list", *place).status == 0
    (models / "birds_V1" / "fingerprint.pb").write_bytes(b"changed")
    listed = fieldmark("list", *place)
    assert (listed.status, "changed since it was first used" in listed.out) == (0, True)
    verified = fieldmark("verify", *place)
    assert (verified.status, verified.out) == (1, "")
    assert "run `fieldmark models pull --force birds`" in verified.err

    # Labels that do not fit end the pull before it compares, which takes seconds.
    misfit = tmp_path / "misfit.toml"
    misfit.write_text('[birds]\nlabels = "plants"\n')
    with monkeypatch.context() as patch:
        patch.setenv("FIELDMARK_ENGINE__CATALOG", str(misfit))
        forced = fieldmark("pull", "--force", "birds", *place)
    assert (forced.status, forced.out) == (1, "")
    assert "is trusted as it is now" in forced.err
    assert "2102 labels called plants" in forced.err
    assert "changed since" not in fieldmark("list", *place).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull", "owls"), "There is no model called 'owls'; there are: birds, insects, plants, "),
        (("verify", "owls"), "There is no model called 'owls'"),
        (
            ("list", "--precision", "int8"),
            "There is no precision 'int8': choose one of auto, f32, bf16.",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    home: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = fieldmark(*arguments, "--home", home)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(said)
    assert result.err.count("\n") == 1


def test_a_wrong_catalog_is_one_sentence_and_status_2(catalog: Path, home: Path) -> None:
    catalog.write_text("[birds]\nclases = 3\n")
    result = fieldmark("list", "--home", home)
    assert (result.status, result.out) == (2, "")
    assert "'clases' is not a key of the catalog" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify",), "No model is on this machine: run `fieldmark models pull`."),
        (("verify", "birds"), "The birds model is not on this machine"),
    ],
)
def test_verify_without_models_is_one_sentence_and_status_1(
    home: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = fieldmark(*arguments, "--home", home)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(said)


def test_photos_that_cannot_be_used_are_one_sentence_and_status_1(
    hub_modules: HubModules, home: Path, tmp_path: Path
) -> None:
    place = ("--models", hub_modules.folder, "--home", home)
    result = fieldmark("verify", "birds", *place, "--photos", tmp_path)
    assert (result.status, result.out) == (1, "")
    assert "holds no photos" in result.err


def test_a_home_that_cannot_be_used_is_one_sentence_and_status_1(
    hub_modules: HubModules, home: Path
) -> None:
    home.mkdir()
    (home / "logs").write_text("not a folder")
    result = fieldmark("verify", "birds", "--models", hub_modules.folder, "--home", home)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"{home / 'logs'} cannot be used: File exists.\n"


def test_the_command_stays_light(home: Path) -> None:
    code = (
        "import sys; from tools.cli import app\n"
        f"app(['models', 'list', '--home', {str(home)!r}], standalone_mode=False)\n"
        "assert not {'tensorflow', 'openvino', 'sklearn', 'discord'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
