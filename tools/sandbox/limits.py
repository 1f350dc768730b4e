"""Discord's limits on what may be sent, as it enforces them: a refusal naming each field.

The same rules that the published specification states, and those it leaves out (empty
messages, 6,000 characters over all embeds, lower-case command names, unique custom ids).
Source: https://discord.com/developers/docs/resources/message and .../application-commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.sandbox.errors import empty_message, invalid_form
from tools.sandbox.messages import COMPONENTS_V2
from tools.sandbox.people import Json

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TOTAL = 6000
MAX_ATTACHMENTS = 10
MAX_ROWS = 5
MAX_COMPONENTS_V2 = 40
MAX_CHOICES = 25
EMBED_FIELDS = 25

Problems = dict[str, tuple[str, str]]
_TYPES = {"content": str, "embeds": list, "components": list, "attachments": list, "flags": int}
_TEXT_LIMITS = {"title": 256, "description": 4096, "url": 2048}


def _too_long(limit: int) -> tuple[str, str]:
    return "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."


def _embed_texts(embed: Json) -> Iterator[tuple[str, str, int]]:
    """Yield path, text and limit of every text that counts."""
    for name, limit in _TEXT_LIMITS.items():
        if embed.get(name):
            yield name, embed[name], limit
    if embed.get("author"):
        yield "author.name", embed["author"].get("name") or "", 256
    if embed.get("footer"):
        yield "footer.text", embed["footer"].get("text") or "", 2048
    for index, item in enumerate(embed.get("fields") or ()):
        yield f"fields.{index}.name", item.get("name") or "", 256
        yield f"fields.{index}.value", item.get("value") or "", 1024


def embed_problems(embeds: list[Json]) -> Problems:
    """Name every embed text that is too long, missing or too much together."""
    problems: Problems = {}
    total = 0
    if len(embeds) > MAX_EMBEDS:
        problems["embeds"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    for number, embed in enumerate(embeds):
        if len(embed.get("fields") or ()) > EMBED_FIELDS:
            problems[f"embeds.{number}.fields"] = _too_long(EMBED_FIELDS)
        for path, text, limit in _embed_texts(embed):
            if len(text) > limit:
                problems[f"embeds.{number}.{path}"] = _too_long(limit)
            if path.startswith("fields.") and not text:
                problems[f"embeds.{number}.{path}"] = (
                    "BASE_TYPE_REQUIRED",
                    "This field is required",
                )
            if path != "url":
                total += len(text)
    if total > MAX_EMBED_TOTAL:
        problems.setdefault(
            "embeds",
            (
                "MAX_EMBED_SIZE_EXCEEDED",
                f"Embed size exceeds maximum size of {MAX_EMBED_TOTAL}",
            ),
        )
    return problems


def walk_components(components: list[Json], path: str) -> Iterator[tuple[str, Json]]:
    """Yield every component with its dotted path, parents first."""
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        yield here, component
        yield from walk_components(component.get("components") or [], f"{here}.components")
        if component.get("accessory"):
            yield f"{here}.accessory", component["accessory"]


def component_problems(components: list[Json], *, v2: bool) -> Problems:
    """Name what is wrong with a message's components."""
    problems: Problems = {}
    limit = MAX_COMPONENTS_V2 if v2 else MAX_ROWS
    everything = list(walk_components(components, "components"))
    if len(everything if v2 else components) > limit:
        problems["components"] = _too_long(limit)
    seen: set[str] = set()
    for path, component in everything:
        custom_id = component.get("custom_id")
        if custom_id is None:
            if component["type"] == 2 and not (component.get("url") or component.get("sku_id")):
                problems[f"{path}.custom_id"] = ("BASE_TYPE_REQUIRED", "This field is required")
            continue
        if not 1 <= len(custom_id) <= 100:
            problems[f"{path}.custom_id"] = (
                "BASE_TYPE_BAD_LENGTH",
                "Must be between 1 and 100 in length.",
            )
        if custom_id in seen:
            problems[f"{path}.custom_id"] = (
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            )
        seen.add(custom_id)
    return problems


def check_message(payload: Json, *, uploads: set[int]) -> None:
    """Refuse a message body that breaks a limit.

    Args:
        payload: The body, with only the fields the request names.
        uploads: The indexes ``n`` of its ``files[n]`` parts.

    Raises:
        ApiError: 50035, with the fields at fault.
    """
    for name, kind in _TYPES.items():
        if not isinstance(payload.get(name), kind | None):
            raise invalid_form({name: ("BASE_TYPE_BAD", f"Must be of type {kind.__name__}.")})
    problems: Problems = {}
    v2 = bool((payload.get("flags") or 0) & COMPONENTS_V2)
    if len(payload.get("content") or "") > MAX_CONTENT:
        problems["content"] = _too_long(MAX_CONTENT)
    if v2 and (payload.get("content") or payload.get("embeds")):
        problems["content"] = (
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "The 'content' and 'embeds' fields cannot be used with IS_COMPONENTS_V2",
        )
    problems |= embed_problems(payload.get("embeds") or [])
    problems |= component_problems(payload.get("components") or [], v2=v2)
    attachments = payload.get("attachments") or []
    if len(attachments) > MAX_ATTACHMENTS or len(uploads) > MAX_ATTACHMENTS:
        problems["attachments"] = _too_long(MAX_ATTACHMENTS)
    for index, attachment in enumerate(attachments):
        # Small ids are indexes of this request's files; the rest name files already stored.
        if int(attachment["id"]) < 1 << 22 and int(attachment["id"]) not in uploads:
            problems[f"attachments.{index}.id"] = (
                "ATTACHMENT_NOT_FOUND",
                f"Attachment data not found for files[{attachment['id']}]",
            )
    if problems:
        raise invalid_form(problems)


def check_not_empty(*parts: Any) -> None:
    """Refuse a message without any of ``parts``.

    Raises:
        ApiError: 50006.
    """
    if not any(parts):
        raise empty_message()


def check_choices(choices: list[Json]) -> None:
    """Refuse an autocomplete answer Discord would not show.

    Raises:
        ApiError: 50035, with the choices at fault.
    """
    problems: Problems = {}
    if len(choices) > MAX_CHOICES:
        problems["data.choices"] = _too_long(MAX_CHOICES)
    for index, choice in enumerate(choices):
        if not 1 <= len(choice["name"]) <= 100:
            problems[f"data.choices.{index}.name"] = (
                "BASE_TYPE_BAD_LENGTH",
                "Must be between 1 and 100 in length.",
            )
        if isinstance(choice["value"], str) and len(choice["value"]) > 100:
            problems[f"data.choices.{index}.value"] = _too_long(100)
    if problems:
        raise invalid_form(problems)
