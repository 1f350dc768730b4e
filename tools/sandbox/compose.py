"""From the body of a request to what the message then shows."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from typing import Any

from tools.sandbox.component_limits import walk_components
from tools.sandbox.messages import LASTING_FLAGS, SPOILER, Attachment, Message, Upload, picture_size
from tools.sandbox.people import Json, User
from tools.sandbox.state import World

_MENTION = re.compile(r"<@!?(\d+)>")
_EMBED_PICTURES = ("image", "thumbnail")
_MULTIPLE = range(3, 9)  # select menus: string, (text input), user, role, mentionable, channel
_THUMBNAIL, _GALLERY, _FILE, _SEPARATOR, _CONTAINER = 11, 12, 13, 14, 17


def write(message: Message, payload: Json, files: dict[int, Upload], world: World) -> None:
    """Put what ``payload`` names into ``message`` and leave the rest as it was.

    Args:
        message: A new message or one being edited.
        payload: The checked request body (content, embeds, components, attachments).
        files: The request's ``files[n]``.
        world: Where files are stored and users are found.
    """
    message.flags |= (payload.get("flags") or 0) & LASTING_FLAGS
    if "content" in payload:
        message.content = payload["content"] or ""
    if files or "attachments" in payload:
        message.files = _attachments(message, payload, files, world)
    if "embeds" in payload:
        message.embeds = [_embed(embed, message.files) for embed in payload["embeds"] or ()]
    if "components" in payload:
        message.components = _components(payload["components"] or [], message.files, world)
    shown = json.dumps([message.embeds, message.components])
    message.embedded = {file.id for file in message.files if file.path in shown}
    _mention(message, payload.get("allowed_mentions"), world)


def _attachments(
    message: Message, payload: Json, files: dict[int, Upload], world: World
) -> list[Attachment]:
    listed = payload.get("attachments")
    stored = {file.id: file for file in message.files}
    if listed is None:
        kept, described = list(message.files), {}
    else:
        kept = [stored[int(item["id"])] for item in listed if int(item["id"]) in stored]
        described = {int(item["id"]): item for item in listed}
    return kept + [
        world.files.store(
            _named(upload, described.get(index, {})),
            folder=f"attachments/{message.channel.id}",
            description=described.get(index, {}).get("description"),
            ephemeral=message.ephemeral,
        )
        for index, upload in sorted(files.items())
    ]


def _named(upload: Upload, described: Json) -> Upload:
    name = described.get("filename") or upload.filename
    if described.get("is_spoiler") or described.get("spoiler"):
        name = name if name.startswith(SPOILER) else SPOILER + name
    return Upload(filename=name, data=upload.data, content_type=upload.content_type)


def _embed(embed: Json, files: list[Attachment]) -> Json:
    """Return an embed as Discord answers: resolved pictures, no nulls, no requested flags."""
    known = (
        "url",
        "title",
        "description",
        "color",
        "timestamp",
        "author",
        "footer",
        "image",
        "thumbnail",
    )
    shown: Json = {"type": "rich"}
    shown |= {key: copy.deepcopy(embed[key]) for key in known if embed.get(key) is not None}
    if embed.get("fields"):
        shown["fields"] = [
            {"name": f["name"], "value": f["value"], "inline": bool(f.get("inline"))}
            for f in embed["fields"]
        ]
    for picture in _pictures([shown]):
        file = _named_file(picture["url"], files)
        if file is not None:
            picture |= {"url": file.url, "proxy_url": file.proxy_url}
            if size := picture_size(file.upload):
                picture["width"], picture["height"] = size
        else:
            picture["proxy_url"] = picture["url"]
    for part, icon in (("author", "icon_url"), ("footer", "icon_url")):
        file = _named_file(shown.get(part, {}).get(icon, ""), files)
        if file is not None:
            shown[part] |= {icon: file.url, f"proxy_{icon}": file.proxy_url}
    return shown


def _pictures(embeds: Iterable[Json]) -> list[Json]:
    return [embed[key] for embed in embeds for key in _EMBED_PICTURES if embed.get(key)]


def _named_file(url: str, files: list[Attachment]) -> Attachment | None:
    """Find the file an ``attachment://name`` address means."""
    name = url.removeprefix("attachment://")
    if name == url:
        return None
    return next((file for file in files if file.upload.filename == name), None)


def _components(components: list[Json], files: list[Attachment], world: World) -> list[Json]:
    """Return components as Discord answers: numbered, no nulls, defaults filled in."""
    shown: list[Json] = _without_nulls(components)
    taken = {c["id"] for _, c in walk_components(shown, "") if c.get("id")}
    free = (number for number in range(1, 1000) if number not in taken)
    for _, component in walk_components(shown, ""):
        if not component.get("id"):
            component["id"] = next(free)
        kind = component["type"]
        if kind in _MULTIPLE:
            component.setdefault("min_values", 1)
            component.setdefault("max_values", 1)
            component.pop("required", None)
        elif kind == _CONTAINER:
            component.setdefault("accent_color", None)
            component.setdefault("spoiler", False)
        elif kind == _SEPARATOR:
            component.setdefault("spacing", 1)
            component.setdefault("divider", True)
        elif kind in (_THUMBNAIL, _GALLERY, _FILE):
            _media(component, files, world)
    return shown


def _media(component: Json, files: list[Attachment], world: World) -> None:
    items = component["items"] if component["type"] == _GALLERY else [component]
    key = "file" if component["type"] == _FILE else "media"
    for item in items:
        url = item[key]["url"]
        file = _named_file(url, files)
        item[key] = {
            "id": str(world.snowflake()),
            "url": file.url if file else url,
            "proxy_url": file.proxy_url if file else url,
        }
        item.setdefault("spoiler", False)
        if key == "media":
            item.setdefault("description", None)
        else:
            item["name"] = file.upload.filename if file else None
            item["size"] = len(file.upload.data) if file else None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _mention(message: Message, allowed: Json | None, world: World) -> None:
    """Work out whom the message pings, within what its sender allows."""
    named = [
        world.users[int(i)] for i in _MENTION.findall(message.content) if int(i) in world.users
    ]
    replied = message.replied_to.author if message.replied_to else None
    everyone = "@everyone" in message.content or "@here" in message.content
    if allowed is not None:
        parse = allowed.get("parse") or []
        users = {int(user) for user in allowed.get("users") or ()}
        if "users" not in parse:
            named = [user for user in named if user.id in users]
        everyone = everyone and "everyone" in parse
        if not allowed.get("replied_user"):
            replied = None
    pinged: list[User] = [*named, replied] if replied else named
    message.mentions = list(dict.fromkeys(pinged))
    message.mention_everyone = everyone
