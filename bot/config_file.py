"""The settings as they are: read from a TOML file and the environment, or refused in a sentence.

The file is the one that ``FIELDMARK_CONFIG`` names, else ``config.toml`` in the working
directory if there is one. ``FIELDMARK_SECTION__SETTING`` in the environment wins over it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from bot.config import PREFIX, SHORT, Settings
from engine import EngineSettings

_OF_A_CLUSTER = re.compile(r"_(SERVICE_HOST|(SERVICE_)?PORT(_.*)?)$")
"""What Kubernetes sets for each of its services, of which one may be called fieldmark-engine."""


class ConfigError(Exception):
    """The settings cannot be used. ``str(error)`` is one sentence: what, where, what to do."""


def load(path: Path | None = None) -> Settings:
    """Read the settings from ``path`` (default: see the module) and the environment.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or has a bad value.
    """
    chosen = path or _default_path()
    table = _read_toml(chosen) if chosen is not None else {}
    _check_names(os.environ)
    try:
        return Settings(**table)
    except ValidationError as error:
        raise ConfigError(_explain(error, table, chosen)) from None
    except SettingsError as error:
        raise ConfigError(f"The environment cannot be used: {error}.") from None


def check_folders(settings: EngineSettings) -> None:
    """Refuse folders that the bot may not look into, and one of models that is not there.

    Other models would answer instead, and a worker would fail at its start.

    Raises:
        ConfigError: there is such a folder.
    """
    if settings.backend != "process":  # a cluster's nodes have them; this machine need not
        return
    home, models = settings.home, settings.models_dir
    _look_into("home", home, needed=False)
    if models is not None:
        _look_into("models_dir", models, needed=True)


def _look_into(name: str, folder: Path, *, needed: bool) -> None:
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        if needed:
            raise ConfigError(
                f"The setting engine.{name} cannot be used: there is no folder {folder}."
            ) from None
    except OSError as error:
        raise ConfigError(
            f"The setting engine.{name} cannot be used: {folder} cannot be looked into"
            f" ({error.strerror or error})."
        ) from None


def _default_path() -> Path | None:
    named = os.environ.get("FIELDMARK_CONFIG")
    if named:
        return Path(named).expanduser()
    usual = Path("config.toml")
    return usual if usual.is_file() else None


def _check_names(environment: Iterable[str]) -> None:
    """Refuse what looks like a setting and belongs to no section: it would be ignored.

    Other variables with our prefix are none of our business: a cluster may set some by itself.
    """
    for name in sorted(environment):
        prefix, _, rest = name.upper().partition(PREFIX)
        section, nested, _ = rest.lower().partition("__")
        if prefix or section in Settings.model_fields or _OF_A_CLUSTER.search(rest):
            continue
        parted = section.partition("_")[0] in Settings.model_fields
        bare = name.upper() not in SHORT and section in _settings_names()
        if nested or parted or bare:
            raise ConfigError(
                f"Unknown setting {name} in the environment: remove it or correct its name"
                " (FIELDMARK_SECTION__SETTING, with two underscores between them;"
                " config.example.toml lists every setting)."
            )


def _settings_names() -> set[str]:
    sections = (field.annotation for field in Settings.model_fields.values())
    return {
        name
        for section in sections
        if isinstance(section, type) and issubclass(section, BaseModel)
        for name in section.model_fields
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The settings file {path} cannot be read: {error.strerror or error}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file {path} is not valid TOML: {error}.") from None


def _explain(error: ValidationError, table: Mapping[str, Any], path: Path | None) -> str:
    """Turn the first problem into one sentence that names the setting and where it stands."""
    problem = error.errors(include_input=False, include_url=False)[0]
    location = [str(part) for part in problem["loc"]]
    where = str(path) if _in_table(location, table) else "the environment"
    name = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return (
            f"Unknown setting {name} in {where}: remove it or correct its name"
            " (config.example.toml lists every setting)."
        )
    return f"The setting {name} in {where} cannot be used: {problem['msg']}."


def _in_table(location: list[str], table: Mapping[str, Any]) -> bool:
    value: object = table
    for part in location:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True
