"""Settings: the example tells the truth, and every mistake is one sentence."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from bot.config import EngineSection, Settings
from bot.config_file import ConfigError, check_folders, load
from engine import EngineSettings

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FIELDMARK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_the_defaults() -> None:
    assert load(ROOT / "config.example.toml") == load()


def test_the_example_lists_every_setting_and_says_why() -> None:
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    listed = {(section, key) for section, table in tomllib.loads(text).items() for key in table}
    existing = {
        (section, key)
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    }
    assert listed == existing
    lines = text.splitlines()
    settings = [number for number, line in enumerate(lines) if " = " in line and line[0] != "#"]
    assert all(lines[number - 1].startswith("#") for number in settings)


def test_the_engine_section_is_the_engine_settings() -> None:
    assert set(EngineSection.model_fields) == {f.name for f in fields(EngineSettings)}
    home = Path.home() / ".local/share/fieldmark"
    assert load().engine.settings() == EngineSettings(home=home)


def test_the_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, '[engine]\nworkers = 3\nthreads = 5\n[discord]\ntoken = "abc"\n')
    monkeypatch.setenv("FIELDMARK_CONFIG", str(path))
    monkeypatch.setenv("FIELDMARK_ENGINE__WORKERS", "2")
    settings = load()
    assert (settings.engine.workers, settings.engine.threads) == (2, 5)
    assert settings.discord.token is not None
    assert settings.discord.token.get_secret_value() == "abc"


def test_config_toml_of_the_working_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[intake]\nmax_photos = 2\n", encoding="utf-8")
    assert load().intake.max_photos == 2


def test_models_by_the_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[engine]\nmodels_dir = "/from/file"\n')
    for name in ("short", "long"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FIELDMARK_MODELS", str(tmp_path / "short"))
    assert load(path).engine.models_dir == tmp_path / "short"
    monkeypatch.setenv("FIELDMARK_ENGINE__MODELS_DIR", str(tmp_path / "long"))
    assert load(path).engine.models_dir == tmp_path / "long"


def test_a_folder_of_models_that_is_not_there_is_said_but_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIELDMARK_MODELS", "/typo")
    with pytest.raises(ConfigError, match=r"engine\.models_dir .*no folder /typo\."):
        check_folders(load().engine.settings())
    monkeypatch.setenv("FIELDMARK_ENGINE__BACKEND", "ray")
    check_folders(load().engine.settings())
    monkeypatch.delenv("FIELDMARK_MODELS")
    check_folders(load().engine.settings())


@pytest.mark.parametrize("name", ["models_dir", "home"])
def test_a_folder_that_cannot_be_looked_into_is_said_but_of_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # A file is refused like a folder that may not be read, which none is for root.
    folder = tmp_path / "file"
    folder.touch()
    monkeypatch.setenv(f"FIELDMARK_ENGINE__{name.upper()}", str(folder))
    said = rf"engine\.{name} cannot be used: {folder} cannot be looked into \(Not a directory\)\."
    with pytest.raises(ConfigError, match=said):
        check_folders(load().engine.settings())
    monkeypatch.setenv("FIELDMARK_ENGINE__BACKEND", "ray")
    check_folders(load().engine.settings())


def test_the_token_is_never_shown(tmp_path: Path) -> None:
    settings = load(write(tmp_path, '[discord]\ntoken = "very-secret"\n'))
    assert "very-secret" not in repr(settings)
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, '[discord]\ntoken = ["very-secret"]\n'))
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[discord]\ntokn = 1\n", "discord.tokn"),
        ("[disord]\ntoken = 1\n", "disord"),
        ("[engine]\nworkers = 0\n", "engine.workers"),
        ("[engine]\nworkers = true\n", "engine.workers in {} cannot be used: give a number"),
        (
            "[discord]\nshutdown_s = false\n",
            "discord.shutdown_s in {} cannot be used: give a number",
        ),
        ("[engine]\nruntime = 'fast'\n", "engine.runtime"),
        ("[engine]\naddress = 'head'\n", 'engine.address in {} cannot be used: give "host:port"'),
        ("[intake]\nmax_photos = 11\n", "intake.max_photos"),
        ("[store]\npath = ''\n", "store.path in {} cannot be used: give the name"),
        ("[engine]\nhome = ''\n", "engine.home in {} cannot be used: give the name"),
        ("[engine]\nhome = '~nobody-here/x'\n", "engine.home in {} cannot be used: nobody here"),
        ("[engine]\nindex = '~nobody-here/x'\n", "engine.index in {} cannot be used: nobody here"),
        (
            "[engine]\ndeadline_s = inf\n",
            "engine.deadline_s in {} cannot be used: Input should be a finite",
        ),
        ("[store]\npath = '/'\n", "store.path"),
        ("[logging]\nlevel = 'DEBUG'\n", "logging.level"),
        ("[teach]\nservers = 'some'\n", "teach.servers"),
        ("[teach]\nservers = [1]\n", "teach.servers"),
        ("[teach]\nservers = 123456789012345678\n", "teach.servers"),
        ("[teach]\nservers = [[]]\n", "teach.servers"),
        ("[discord]\ntoken = \n", "line 2"),
    ],
)
def test_a_mistake_in_the_file_names_the_key_and_the_file(
    tmp_path: Path, text: str, named: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    sentence = str(caught.value)
    assert named.format(path) in sentence
    assert str(path) in sentence
    assert "\n" not in sentence


def test_an_index_is_divided_only_over_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'index_shards in .*: only with backend = "ray"'):
        load(write(tmp_path, "[engine]\nindex_shards = 2\n"))
    settings = load(write(tmp_path, '[engine]\nindex_shards = 2\nbackend = "ray"\n'))
    assert settings.engine.settings().index_shards == 2


SERVER, OTHER = 123456789012345678, 987654321098765432


@pytest.mark.parametrize(
    ("servers", "allowed"),
    [
        ("[]", ()),
        (f"[{SERVER}]", (SERVER,)),
        (f'["{SERVER}", {OTHER}]', (SERVER, OTHER)),
        ('"all"', (SERVER, OTHER)),
    ],
)
def test_servers_that_may_teach_are_a_list_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: str, allowed: tuple[int, ...]
) -> None:
    loaded = [load(write(tmp_path, f"[teach]\nservers = {servers}\n"))]
    monkeypatch.setenv("FIELDMARK_TEACH__SERVERS", servers)
    loaded.append(load())
    for settings in loaded:
        assert tuple(s for s in (SERVER, OTHER) if settings.teach.allows(s)) == allowed
        assert not settings.teach.allows(None)


def test_all_servers_may_teach_by_a_plain_word_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIELDMARK_TEACH__SERVERS", "all")
    assert load().teach.servers == "all"


def test_what_may_be_written_for_servers_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"teach\.servers .*list of server ids, such as \[12345"):
        load(write(tmp_path, "[teach]\nservers = 'some'\n"))


def test_a_mistake_in_the_environment_is_blamed_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKN", "x")
    with pytest.raises(ConfigError, match=r"discord\.tokn in the environment"):
        load()


@pytest.mark.parametrize(
    "name",
    [
        "FIELDMARK_ENGIN__WORKERS",
        "FIELDMARK_DISCORD_TOKEN",
        "fieldmark_store_path",
        "FIELDMARK_TOKEN",
    ],
)
def test_a_variable_that_means_a_setting_and_names_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "2")
    with pytest.raises(ConfigError, match=f"Unknown setting {name} in the environment: .*two"):
        load()


@pytest.mark.parametrize(
    "name",
    [
        "FIELDMARK_SHARED",
        "FIELDMARK_SERVICE_HOST",
        "FIELDMARK_ENGINE_SERVICE_PORT_HTTP",
        "FIELDMARK_ENGINE_PORT_80_TCP",
        "MY_FIELDMARK_ENGINE_IMAGE",
    ],
)
def test_a_variable_of_others_is_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = load()
    monkeypatch.setenv(name, "2")
    assert load() == before


@pytest.mark.parametrize("written", [" a.b-c_d\n", "a.b-c_d"])
def test_white_space_around_a_token_is_none_of_it(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", written)
    token = load().discord.token
    assert token is not None
    assert token.get_secret_value() == "a.b-c_d"


def test_a_token_of_white_space_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDMARK_DISCORD__TOKEN", " \n")
    assert load().discord.token is None


@pytest.mark.parametrize("written", ["abc\ndef", "Bot abc", "abc\x00def", "abc\u201d"])
def test_what_cannot_be_a_token_is_refused_and_not_shown(tmp_path: Path, written: str) -> None:
    path = write(tmp_path, f"[discord]\ntoken = {json.dumps(written)}\n")
    with pytest.raises(ConfigError, match=r"discord\.token .*copy it again\.$") as caught:
        load(path)
    assert "abc" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml")
