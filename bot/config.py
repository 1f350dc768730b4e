"""What can be set: a section for each part of the bot, with types, bounds and defaults."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from engine import EngineSettings

_HOME = "~/.local/share/fieldmark"
PREFIX = "FIELDMARK_"
SHORT = {"FIELDMARK_MODELS": "models_dir", "FIELDMARK_HOME": "home"}
_ENGINE = EngineSettings(home=Path(_HOME))


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


def _findable(path: Path | None) -> Path | None:
    try:
        if path is not None:
            path.expanduser()
    except RuntimeError:
        raise PydanticCustomError("no_home", "nobody here has the name after the ~") from None
    return path


OptionalPath = Annotated[Path | None, BeforeValidator(_blank_is_none), AfterValidator(_findable)]


def _token(value: object) -> object:
    """Take a token as it was copied: white space around it is none of it."""
    if not isinstance(value, str):
        return value
    token = value.strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise PydanticCustomError(
            "no_token",
            "there is a space, a line break or a letter in it that no token has; copy it again",
        )
    return token or None


def _named(path: Path) -> Path:
    if not path.name:
        raise PydanticCustomError("no_name", "give the name of one, or leave it out")
    return path


NamedPath = Annotated[Path, AfterValidator(_named), AfterValidator(_findable)]


Servers: TypeAlias = Literal["all"] | tuple[int, ...]


def _servers(value: object) -> object:
    """Take ``"all"`` or a list of ids, whether they are written as numbers or in quotes."""
    if value == "all":
        return value
    if isinstance(value, list | tuple):
        written = [str(item) for item in value]
        if all(re.fullmatch(r"[0-9]{15,20}", item) for item in written):
            return tuple(map(int, written))
    raise PydanticCustomError(
        "no_servers", 'give a list of server ids, such as [123456789012345678], or "all"'
    )


class Section(BaseModel):
    """A table of the file: no unknown keys, no changes after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation in (int, float):
            raise PydanticCustomError("no_number", "give a number")
        return value


class DiscordSection(Section):
    """How the bot meets Discord."""

    token: Annotated[SecretStr | None, BeforeValidator(_token)] = None
    message_content: bool = False
    shutdown_s: float = Field(default=10.0, ge=0)


class EngineSection(Section):
    """The engine's settings, one to one (see ``engine.EngineSettings``)."""

    backend: Literal["process", "ray"] = _ENGINE.backend
    home: NamedPath = Path(_HOME)
    models_dir: OptionalPath = None
    catalog: OptionalPath = None
    index: OptionalPath = None
    runtime: Literal["auto", "openvino", "tensorflow"] = _ENGINE.runtime
    precision: Literal["auto", "f32", "bf16"] = _ENGINE.precision
    address: str = _ENGINE.address
    index_shards: int = Field(default=_ENGINE.index_shards, ge=1)
    workers: int = Field(default=_ENGINE.workers, ge=1)
    threads: int = Field(default=_ENGINE.threads, ge=1)
    queue_limit: int = Field(default=_ENGINE.queue_limit, ge=1)
    queue_mb: int = Field(default=_ENGINE.queue_mb, ge=1)
    deadline_s: float = Field(default=_ENGINE.deadline_s, gt=0)
    stuck_after_s: float = Field(default=_ENGINE.stuck_after_s, gt=0)
    start_timeout_s: float = Field(default=_ENGINE.start_timeout_s, gt=0)
    decode_memory_mb: int = Field(default=_ENGINE.decode_memory_mb, ge=64)
    unload_after_s: float = Field(default=_ENGINE.unload_after_s, ge=0)

    @field_validator("address")
    @classmethod
    def _address_names_a_cluster(cls, address: str) -> str:
        if not re.fullmatch(r"|local|auto|.+:\d+", address):
            raise PydanticCustomError("no_address", 'give "host:port", "auto", "local" or ""')
        return address

    @field_validator("index_shards")
    @classmethod
    def _shards_need_ray(cls, shards: int, info: ValidationInfo) -> int:
        if shards > 1 and info.data.get("backend") == "process":
            raise PydanticCustomError("no_cluster", 'only with backend = "ray" may it be above 1')
        return shards

    def settings(self) -> EngineSettings:
        """Return the value that the engine takes, with ``~`` expanded in its folders."""
        values = {f.name: getattr(self, f.name) for f in fields(EngineSettings)}
        values["home"] = self.home.expanduser()
        values["models_dir"] = self.models_dir.expanduser() if self.models_dir else None
        values["catalog"] = self.catalog.expanduser() if self.catalog else None
        values["index"] = self.index.expanduser() if self.index else None
        return EngineSettings(**values)


class IntakeSection(Section):
    """Limits on the photos that are read at all."""

    max_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    max_photos: int = Field(default=4, ge=1, le=10)
    attachment_timeout_s: float = Field(default=30.0, gt=0)
    url_timeout_s: float = Field(default=15.0, gt=0)


class StoreSection(Section):
    """Where the bot remembers what must survive a restart."""

    path: NamedPath = Path(f"{_HOME}/bot.sqlite")


class GbifSection(Section):
    """How the bot asks GBIF about a taxon."""

    enabled: bool = True
    contact: str = ""


class TeachSection(Section):
    """Which servers may teach the bot species; the index is the same for all of them."""

    servers: Annotated[Servers, BeforeValidator(_servers)] = ()

    def allows(self, server: int | None) -> bool:
        """Tell whether the server of this id may teach."""
        return server is not None and (self.servers == "all" or server in self.servers)


class LoggingSection(Section):
    """What is logged to standard error."""

    # Never DEBUG: discord.py would log members' messages.
    level: Literal["INFO", "WARNING", "ERROR"] = "INFO"


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    discord: DiscordSection = DiscordSection()
    engine: EngineSection = EngineSection()
    intake: IntakeSection = IntakeSection()
    store: StoreSection = StoreSection()
    gbif: GbifSection = GbifSection()
    teach: TeachSection = TeachSection()
    logging: LoggingSection = LoggingSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the environment over its short forms over the file (the init values)."""
        engine = {key: os.environ[name] for name, key in SHORT.items() if os.environ.get(name)}
        short = InitSettingsSource(settings_cls, init_kwargs={"engine": engine} if engine else {})
        return env_settings, short, init_settings
