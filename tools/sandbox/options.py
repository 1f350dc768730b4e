"""The options of a slash command as Discord's own client fills them in, or refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.sandbox.messages import Upload
from tools.sandbox.people import Json

SUBCOMMAND = 1
SUBCOMMAND_GROUP = 2


class NotPossible(Exception):
    """Discord's own client would not let a person do this."""


def option_objects(
    command: Json, path: list[str], values: Mapping[str, Any], *, focused: str | None = None
) -> list[Json]:
    """Turn values by name into Discord's option objects, below the subcommands of ``path``.

    Raises:
        NotPossible: The command has no such subcommand or option.
    """
    known = {option["name"]: option for option in command.get("options") or ()}
    if path:
        if path[0] not in known:
            raise NotPossible(f"{command['name']} has no subcommand {path[0]!r}")
        nested = known[path[0]]
        inner = option_objects(nested, path[1:], values, focused=focused)
        return [{"name": nested["name"], "type": nested["type"], "options": inner}]
    given = []
    for name, value in values.items():
        if name not in known:
            raise NotPossible(f"{command['name']} has no option {name!r}; it has {list(known)}")
        option: Json = {"name": name, "type": known[name]["type"], "value": value}
        if known[name]["type"] == SUBCOMMAND:
            raise NotPossible(f"{name} is a subcommand: name it after the command")
        if name == focused:
            option["focused"] = True
        given.append(option)
    return given


def leaves(options: list[Json]) -> Iterator[Json]:
    """Yield the options that have values, whatever subcommands they lie below."""
    for option in options:
        if option["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
            yield from leaves(option.get("options") or [])
        else:
            yield option


def full_name(name: str, data: Json) -> str:
    """Return a command's name with the subcommands of an interaction's ``data``."""
    options = data.get("options") or []
    while options and options[0]["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
        name += f" {options[0]['name']}"
        options = options[0].get("options") or []
    return name


def file_of(option: Json, files: dict[int, Upload], *, limit: int) -> Upload:
    """Return the file that an attachment option names by its index.

    Raises:
        NotPossible: There is none, or it has more than ``limit`` bytes.
    """
    upload = files.get(int(option["value"]))
    if upload is None:
        raise NotPossible(f"the option {option['name']} has no file")
    if len(upload.data) > limit:
        raise NotPossible(f"{upload.filename} is larger than {limit >> 20} MiB")
    return upload


def check_options(known: list[Json], given: list[Json]) -> None:
    """Refuse options the client would not let through.

    Raises:
        NotPossible: One is missing, unknown or out of its bounds.
    """
    by_name = {option["name"]: option for option in known}
    names = [option["name"] for option in given]
    for option in given:
        definition = by_name.get(option["name"])
        if definition is None:
            raise NotPossible(f"there is no option {option['name']!r}; there are {list(by_name)}")
        if definition["type"] != option["type"]:
            raise NotPossible(f"the option {option['name']} is of type {definition['type']}")
        if option["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
            check_options(definition.get("options") or [], option.get("options") or [])
        else:
            _check_value(definition, option["value"])
    for definition in known:
        if definition.get("required") and definition["name"] not in names:
            raise NotPossible(f"the option {definition['name']} is required")


def _check_value(definition: Json, value: Any) -> None:
    name = definition["name"]
    choices = [choice["value"] for choice in definition.get("choices") or ()]
    if choices and value not in choices:
        raise NotPossible(f"{name} is one of {choices}, not {value!r}")
    size = len(value) if isinstance(value, str) else value
    least = definition.get("min_length", definition.get("min_value"))
    most = definition.get("max_length", definition.get("max_value"))
    if (least is not None and size < least) or (most is not None and size > most):
        raise NotPossible(f"{name} has to lie between {least} and {most}")
