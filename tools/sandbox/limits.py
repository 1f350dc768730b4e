"""Discord's limits on what may be sent, as it enforces them: a refusal naming each field.

The same rules that the published specification states, and those it leaves out (empty
messages and embeds, 6,000 characters over all embeds, the schemes of links).
Source: https://discord.com/developers/docs/resources/message and .../application-commands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from tools.sandbox.component_limits import component_problems, modal_problems
from tools.sandbox.errors import empty_message, invalid_form
from tools.sandbox.form import (
    REQUIRED,
    Problems,
    address_problem,
    bad_length,
    is_blank,
    too_long,
)
from tools.sandbox.messages import COMPONENTS_V2, Message
from tools.sandbox.people import Json

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TOTAL = 6000
MAX_ATTACHMENTS = 10
MAX_CHOICES = 25
MAX_URL = 2048
EMBED_FIELDS = 25

_TYPES = {"content": str, "embeds": list, "components": list, "attachments": list, "flags": int}
_LINKS = ("http", "https")
_PICTURES = (*_LINKS, "attachment")


def _embed_texts(embed: Json) -> Iterator[tuple[str, str, int]]:
    """Yield path, text and limit of every text that counts."""
    yield "title", embed.get("title") or "", 256
    yield "description", embed.get("description") or "", 4096
    yield "author.name", (embed.get("author") or {}).get("name") or "", 256
    yield "footer.text", (embed.get("footer") or {}).get("text") or "", 2048
    for index, item in enumerate(embed.get("fields") or ()):
        yield f"fields.{index}.name", item.get("name") or "", 256
        yield f"fields.{index}.value", item.get("value") or "", 1024


def _embed_addresses(embed: Json) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Yield path, address or None, and allowed schemes of every link and picture."""
    yield "url", embed.get("url"), _LINKS
    for part, name, schemes in (
        ("author", "url", _LINKS),
        ("author", "icon_url", _PICTURES),
        ("footer", "icon_url", _PICTURES),
        ("image", "url", _PICTURES),
        ("thumbnail", "url", _PICTURES),
    ):
        yield f"{part}.{name}", (embed.get(part) or {}).get(name), schemes


def _embed_problems(embed: Json) -> Problems:
    """Name what is wrong with one embed: a text, a link, or that it would show nothing."""
    problems: Problems = {}
    texts = list(_embed_texts(embed))
    if len(embed.get("fields") or ()) > EMBED_FIELDS:
        problems["fields"] = too_long(EMBED_FIELDS)
    for path, text, limit in texts:
        if len(text) > limit:
            problems[path] = too_long(limit)
        elif path.startswith("fields.") and is_blank(text):
            problems[path] = REQUIRED
    for path, address, schemes in _embed_addresses(embed):
        problem = None if address is None else address_problem(address, schemes, most=MAX_URL)
        if problem:
            problems[path] = problem
    pictured = embed.get("image") or embed.get("thumbnail")
    if not problems and not pictured and all(is_blank(text) for _, text, _ in texts):
        problems["description"] = REQUIRED
    return problems


def embed_problems(embeds: list[Json]) -> Problems:
    """Name what is wrong with each embed, or with all of them together."""
    problems: Problems = {}
    if len(embeds) > MAX_EMBEDS:
        problems["embeds"] = too_long(MAX_EMBEDS)
    for number, embed in enumerate(embeds):
        for path, problem in _embed_problems(embed).items():
            problems[f"embeds.{number}.{path}"] = problem
    total = sum(len(text) for embed in embeds for _, text, _ in _embed_texts(embed))
    if total > MAX_EMBED_TOTAL:
        problems.setdefault(
            "embeds",
            (
                "MAX_EMBED_SIZE_EXCEEDED",
                f"Embed size exceeds maximum size of {MAX_EMBED_TOTAL}",
            ),
        )
    return problems


def check_message(payload: Json, *, uploads: Collection[int], within: str = "") -> None:
    """Refuse a message body that breaks a limit.

    Args:
        payload: The body, with only the fields the request names.
        uploads: The indexes ``n`` of its ``files[n]`` parts.
        within: The path of the message in the whole body, with a dot at its end.

    Raises:
        ApiError: 50035, with the fields at fault.
    """
    for name, kind in _TYPES.items():
        if not isinstance(payload.get(name), kind | None):
            raise invalid_form(
                {f"{within}{name}": ("BASE_TYPE_BAD", f"Must be of type {kind.__name__}.")}
            )
    problems: Problems = {}
    v2 = bool((payload.get("flags") or 0) & COMPONENTS_V2)
    if len(payload.get("content") or "") > MAX_CONTENT:
        problems["content"] = too_long(MAX_CONTENT)
    if v2 and (payload.get("content") or payload.get("embeds")):
        problems["content"] = (
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "The 'content' and 'embeds' fields cannot be used with IS_COMPONENTS_V2",
        )
    problems |= embed_problems(payload.get("embeds") or [])
    problems |= component_problems(payload.get("components") or [], v2=v2)
    problems |= _attachment_problems(payload.get("attachments") or [], uploads)
    _refuse(problems, within)


def _attachment_problems(attachments: list[Json], uploads: Collection[int]) -> Problems:
    problems: Problems = {}
    if len(attachments) > MAX_ATTACHMENTS or len(uploads) > MAX_ATTACHMENTS:
        problems["attachments"] = too_long(MAX_ATTACHMENTS)
    for index, attachment in enumerate(attachments):
        # Small ids are indexes of this request's files; the rest name files already stored.
        if int(attachment["id"]) < 1 << 22 and int(attachment["id"]) not in uploads:
            problems[f"attachments.{index}.id"] = (
                "ATTACHMENT_NOT_FOUND",
                f"Attachment data not found for files[{attachment['id']}]",
            )
    return problems


def _refuse(problems: Problems, within: str) -> None:
    if problems:
        raise invalid_form({f"{within}{path}": problem for path, problem in problems.items()})


def check_not_empty(
    payload: Json, *, uploads: Collection[int], before: Message | None = None
) -> None:
    """Refuse a message that would show nothing.

    Args:
        payload: The body, already checked otherwise.
        uploads: The indexes ``n`` of its ``files[n]`` parts.
        before: The message that the body changes, if it is no new one.

    Raises:
        ApiError: 50006.
    """
    shown, kept = payload, set()
    if before:
        shown = {name: getattr(before, name) for name in ("content", "embeds", "components")}
        shown |= payload
        kept = {file.id for file in before.files}
        if payload.get("attachments") is not None:
            kept &= {int(attachment["id"]) for attachment in payload["attachments"]}
    parts = (shown.get("embeds"), shown.get("components"), uploads, kept)
    if is_blank(shown.get("content")) and not any(parts):
        raise empty_message()


def check_modal(modal: Json) -> None:
    """Refuse a modal Discord would not show.

    Raises:
        ApiError: 50035, with the fields at fault.
    """
    _refuse(modal_problems(modal), "data.")


def check_choices(choices: list[Json]) -> None:
    """Refuse an autocomplete answer Discord would not show.

    Raises:
        ApiError: 50035, with the choices at fault.
    """
    problems: Problems = {}
    if len(choices) > MAX_CHOICES:
        problems["choices"] = too_long(MAX_CHOICES)
    for index, choice in enumerate(choices):
        if not 1 <= len(choice["name"]) <= 100:
            problems[f"choices.{index}.name"] = bad_length(100)
        if isinstance(choice["value"], str) and len(choice["value"]) > 100:
            problems[f"choices.{index}.value"] = too_long(100)
    _refuse(problems, "data.")
