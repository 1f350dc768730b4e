"""Discord's limits on buttons, menus and modals, and a walk through components.

Source: https://discord.com/developers/docs/components/reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.sandbox.form import (
    REQUIRED,
    Problems,
    address_problem,
    bad_length,
    is_blank,
    too_long,
)
from tools.sandbox.people import Json

MAX_ROWS = 5
MAX_COMPONENTS_V2 = 40

_ACTION_ROW, _BUTTON, _STRING_SELECT, _TEXT_INPUT = 1, 2, 3, 4
_SELECTS = (_STRING_SELECT, 5, 6, 7, 8)
_LINK, _PREMIUM = 5, 6
_LINK_SCHEMES = ("http", "https", "discord")
_ROW_WIDTH = 5
_MAX_OPTIONS = 25


def walk_components(components: list[Json], path: str) -> Iterator[tuple[str, Json]]:
    """Yield every component with its dotted path, parents first."""
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        yield here, component
        yield from walk_components(component.get("components") or [], f"{here}.components")
        for name in ("accessory", "component"):
            if component.get(name):
                yield f"{here}.{name}", component[name]


def component_problems(components: list[Json], *, v2: bool) -> Problems:
    """Name what is wrong with a message's components."""
    problems: Problems = {}
    limit = MAX_COMPONENTS_V2 if v2 else MAX_ROWS
    everything = list(walk_components(components, "components"))
    if len(everything if v2 else components) > limit:
        problems["components"] = too_long(limit)
    return problems | _problems_of_each(everything)


def modal_problems(modal: Json) -> Problems:
    """Name what is wrong with a modal."""
    components = modal.get("components") or []
    problems = _unfit(modal, title=45, custom_id=100)
    if not 1 <= len(components) <= MAX_ROWS:
        problems["components"] = bad_length(MAX_ROWS)
    return problems | _problems_of_each(walk_components(components, "components"))


def _problems_of_each(components: Iterable[tuple[str, Json]]) -> Problems:
    problems: Problems = {}
    seen: set[str] = set()
    for path, component in components:
        for field, problem in _problems(component).items():
            problems[f"{path}.{field}"] = problem
        custom_id = component.get("custom_id")
        if custom_id is None:
            continue
        if custom_id in seen:
            problems[f"{path}.custom_id"] = (
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            )
        seen.add(custom_id)
    return problems


def _problems(component: Json) -> Problems:
    """Name what is wrong with one component, without those it holds."""
    kind = component["type"]
    if kind == _ACTION_ROW:
        return _row_problems(component.get("components") or [])
    if kind == _BUTTON:
        return _button_problems(component)
    if kind in _SELECTS:
        problems = _unfit(component, custom_id=100) | _overlong(component, placeholder=150)
        return problems | _option_problems(component) if kind == _STRING_SELECT else problems
    if kind == _TEXT_INPUT:
        return _unfit(component, custom_id=100) | _overlong(
            component, label=45, placeholder=100, value=4000
        )
    return {}


def _row_problems(components: list[Json]) -> Problems:
    """Name what does not fit into a row: five buttons do, or one menu."""
    if not 1 <= len(components) <= _ROW_WIDTH:
        return {"components": bad_length(_ROW_WIDTH)}
    problems: Problems = {}
    width = 0
    for index, component in enumerate(components):
        width += 1 if component["type"] == _BUTTON else _ROW_WIDTH
        if width > _ROW_WIDTH:
            problems[f"components.{index}"] = (
                "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                "The specified component exceeds the maximum width",
            )
    return problems


def _button_problems(button: Json) -> Problems:
    style, url = button["style"], button.get("url")
    if style == _PREMIUM:
        return {} if button.get("sku_id") else {"sku_id": REQUIRED}
    problems = _overlong(button, label=80)
    if is_blank(button.get("label")) and not button.get("emoji"):
        problems["label"] = REQUIRED
    if button.get("custom_id") is not None:
        problems |= _unfit(button, custom_id=100)
    if style != _LINK:
        if button.get("custom_id") is None:
            problems["custom_id"] = (
                "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
                "A custom id is required",
            )
    elif url is None:
        problems["url"] = REQUIRED
    elif problem := address_problem(url, _LINK_SCHEMES, most=512):
        problems["url"] = problem
    if url is not None and button.get("custom_id") is not None:
        problems["custom_id"] = problems["url"] = (
            "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
            "A custom id and url cannot both be specified",
        )
    return problems


def _option_problems(menu: Json) -> Problems:
    options = menu.get("options") or []
    if not 1 <= len(options) <= _MAX_OPTIONS:
        return {"options": bad_length(_MAX_OPTIONS)}
    problems: Problems = {}
    seen: set[str] = set()
    for index, option in enumerate(options):
        wrong = _unfit(option, label=100, value=100) | _overlong(option, description=100)
        problems |= {f"options.{index}.{field}": problem for field, problem in wrong.items()}
        if option.get("value") in seen:
            problems[f"options.{index}"] = (
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(option.get("value"))
    return problems


def _unfit(part: Json, **most: int) -> Problems:
    """Name the texts that have to be there and are not, or are empty or too long."""
    problems: Problems = {}
    for name, limit in most.items():
        if part.get(name) is None:
            problems[name] = REQUIRED
        elif is_blank(part[name]) or len(part[name]) > limit:
            problems[name] = bad_length(limit)
    return problems


def _overlong(part: Json, **most: int) -> Problems:
    """Name the texts that may be missing but not be longer than this."""
    return {
        name: too_long(limit) for name, limit in most.items() if len(part.get(name) or "") > limit
    }
