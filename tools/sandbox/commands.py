"""Application commands: what may be registered, and how Discord gives it back."""

from __future__ import annotations

import re

from tools.sandbox.errors import ApiError, invalid_form, unknown
from tools.sandbox.events import Event
from tools.sandbox.form import Problems, bad_length
from tools.sandbox.people import Json
from tools.sandbox.state import World

CHAT_INPUT = 1
USER = 2
MESSAGE = 3
_MOST = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
_NAME = re.compile(r"[-_'\w]{1,32}")
_NESTED = (1, 2)
_OPTION_FIELDS = (
    "type",
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "autocomplete",
    "choices",
    "channel_types",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
)


def register(world: World, guild_id: int | None, wanted: list[Json]) -> list[Json]:
    """Replace every command of one scope, keeping the ids of those that stay.

    Args:
        world: Where they are kept; the page is told.
        guild_id: The guild whose commands they are, None for global ones.
        wanted: The commands as the application describes them.

    Returns:
        The commands as registered.

    Raises:
        ApiError: 50035 for a name or option Discord would refuse, 30032 for too many.
    """
    _check(wanted)
    before = {
        (command["type"], command["name"]): command
        for command in world.commands.by_scope.get(guild_id, [])
    }
    registered = [_registered(world, guild_id, command, before) for command in wanted]
    world.commands.by_scope[guild_id] = registered
    _announce(world)
    return registered


def upsert(world: World, guild_id: int | None, wanted: Json) -> Json:
    """Create one command, or overwrite the one of the same name and type.

    Raises:
        ApiError: As :func:`register`.
    """
    key = (wanted.get("type") or CHAT_INPUT, wanted["name"])
    others = [
        command
        for command in world.commands.by_scope.get(guild_id, [])
        if (command["type"], command["name"]) != key
    ]
    return register(world, guild_id, [*others, wanted])[-1]


def remove(world: World, guild_id: int | None, command_id: int) -> None:
    """Delete one command.

    Raises:
        ApiError: 10063 where there is none.
    """
    scope = world.commands.by_scope.get(guild_id, [])
    kept = [command for command in scope if int(command["id"]) != command_id]
    if len(kept) == len(scope):
        raise unknown("Application Command")
    world.commands.by_scope[guild_id] = kept
    _announce(world)


def _announce(world: World) -> None:
    world.feed.publish(Event(name="COMMANDS_UPDATE", data={"commands": world.commands.all()}))


def _check(wanted: list[Json]) -> None:
    problems: Problems = {}
    seen: set[tuple[int, str]] = set()
    for index, command in enumerate(wanted):
        kind, name = command.get("type") or CHAT_INPUT, command["name"]
        if (kind, name) in seen:
            problems[f"{index}.name"] = (
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
        seen.add((kind, name))
        if kind == CHAT_INPUT:
            problems |= _slash_problems(command, str(index))
        elif not 1 <= len(name) <= 32:
            problems[f"{index}.name"] = bad_length(32)
    if problems:
        raise invalid_form(problems)
    for kind, most in _MOST.items():
        if sum((command.get("type") or CHAT_INPUT) == kind for command in wanted) > most:
            raise ApiError(400, 30032, f"Maximum number of application commands reached ({most}).")


def _slash_problems(option: Json, path: str) -> Problems:
    """Name what is wrong with a slash command, or one of its options, and all below it."""
    problems: Problems = {}
    name = option["name"]
    if not _NAME.fullmatch(name) or name != name.lower():
        problems[f"{path}.name"] = ("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(option.get("description") or "") <= 100:
        problems[f"{path}.description"] = bad_length(100)
    options = option.get("options") or []
    if len(options) > 25:
        problems[f"{path}.options"] = bad_length(25)
    names = [nested["name"] for nested in options]
    optional_seen = False
    for index, nested in enumerate(options):
        here = f"{path}.options.{index}"
        problems |= _slash_problems(nested, here)
        if names.count(nested["name"]) > 1:
            problems[f"{here}.name"] = (
                "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
                "Option name already exists in the command's options",
            )
        if optional_seen and nested.get("required"):
            problems[here] = (
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )
        optional_seen = optional_seen or not nested.get("required")
    return problems


def _registered(
    world: World, guild_id: int | None, wanted: Json, before: dict[tuple[int, str], Json]
) -> Json:
    kind = wanted.get("type") or CHAT_INPUT
    old = before.get((kind, wanted["name"]))
    permissions = wanted.get("default_member_permissions")
    command: Json = {
        "id": old["id"] if old else str(world.snowflake()),
        "application_id": str(world.bot.id),
        "version": str(world.snowflake()),
        "type": kind,
        "name": wanted["name"],
        "name_localizations": wanted.get("name_localizations"),
        "description": wanted.get("description") or "",
        "description_localizations": wanted.get("description_localizations"),
        "default_member_permissions": None if permissions is None else str(permissions),
        "nsfw": bool(wanted.get("nsfw")),
        "contexts": wanted.get("contexts"),
        "integration_types": wanted.get("integration_types") or [0],
    }
    if guild_id is None:
        command["dm_permission"] = wanted.get("dm_permission") is not False
    else:
        command["guild_id"] = str(guild_id)
    if wanted.get("options"):
        command["options"] = [_option(option) for option in wanted["options"]]
    return command


def _option(option: Json) -> Json:
    shown = {key: option[key] for key in _OPTION_FIELDS if option.get(key) is not None}
    if option.get("required") and option["type"] not in _NESTED:
        shown["required"] = True
    if option.get("options"):
        shown["options"] = [_option(nested) for nested in option["options"]]
    return shown
