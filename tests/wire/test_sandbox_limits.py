"""What Discord refuses the sandbox refuses, with Discord's status, code and field names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from tests.wire.echo_bot import running
from tools.sandbox import NotPossible, Sandbox

Json = dict[str, Any]


async def answered(sandbox: Sandbox, method: str, path: str, body: Any) -> tuple[int, Json]:
    """Send a request as the bot; return the status and the JSON answered."""
    headers = {"Authorization": f"Bot {sandbox.token}"}
    url = f"https://discord.com/api/v10{path}"
    async with (
        aiohttp.ClientSession(connector=sandbox.connector(), headers=headers) as session,
        session.request(method, url, json=body) as response,
    ):
        return response.status, await response.json()


def at_fault(errors: Json, path: str = "") -> dict[str, str]:
    """Return Discord's name of the rule that each field breaks, by dotted path."""
    found = {path: errors["_errors"][0]["code"]} if "_errors" in errors else {}
    for name, nested in errors.items():
        if name != "_errors":
            found |= at_fault(nested, f"{path}.{name}" if path else name)
    return found


def button(**fields: Any) -> Json:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "x", **fields}


def link(**fields: Any) -> Json:
    return {"type": 2, "style": 5, "label": "x", **fields}


def menu(*values: str, **fields: Any) -> Json:
    options = [{"label": "x", "value": value} for value in values]
    return {"type": 3, "custom_id": "menu", "options": options, **fields}


def row(*components: Json) -> Json:
    return {"type": 1, "components": list(components)}


def numbered(count: int) -> list[Json]:
    return [button(custom_id=str(number)) for number in range(count)]


OPTION = {"label": "x", "value": "x"}


@pytest.mark.parametrize(
    ("payload", "code", "why"),
    [
        ({}, 50006, "empty"),
        ({"content": ""}, 50006, "empty"),
        ({"content": " \n\t"}, 50006, "empty"),
        ({"content": "x" * 2001}, 50035, "2000 or fewer"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, 50035, "MAX_EMBED_SIZE_EXCEEDED"),
        ({"embeds": [{"title": "x"}] * 11}, 50035, "10 or fewer"),
        ({"content": "x", "flags": 1 << 15}, 50035, "COMPONENTS_V2"),
        ({"content": "x", "attachments": [{"id": 0}]}, 50035, "ATTACHMENT_NOT_FOUND"),
    ],
)
async def test_limits_of_messages_are_enforced(
    spec: Path, payload: Json, code: int, why: str
) -> None:
    async with Sandbox(spec) as sandbox:
        path = f"/channels/{sandbox.channel.id}/messages"
        status, body = await answered(sandbox, "POST", path, payload)
        assert (status, body["code"]) == (400, code)
        assert any(why in violation.message for violation in sandbox.violations)
        assert all(violation.direction == "request" for violation in sandbox.violations)
        assert sandbox.said() == []


@pytest.mark.parametrize(
    ("embed", "field", "rule"),
    [
        ({}, "description", "BASE_TYPE_REQUIRED"),
        ({"title": "  "}, "description", "BASE_TYPE_REQUIRED"),
        ({"color": 5, "url": "https://example.org"}, "description", "BASE_TYPE_REQUIRED"),
        ({"title": "x" * 257}, "title", "BASE_TYPE_MAX_LENGTH"),
        ({"fields": [{"name": "x", "value": ""}]}, "fields.0.value", "BASE_TYPE_REQUIRED"),
        ({"fields": [{"name": " ", "value": "x"}]}, "fields.0.name", "BASE_TYPE_REQUIRED"),
        ({"title": "x", "url": "ftp://example.org"}, "url", "URL_TYPE_INVALID_SCHEME"),
        ({"title": "x", "url": "attachment://x.png"}, "url", "URL_TYPE_INVALID_SCHEME"),
        ({"title": "x", "url": ""}, "url", "URL_TYPE_INVALID_SCHEME"),
        ({"title": "x", "url": "https:example"}, "url", "URL_TYPE_INVALID_URL"),
        ({"title": "x", "url": "https://[::1"}, "url", "URL_TYPE_INVALID_URL"),
        ({"title": "x", "url": f"https://x/{'x' * 2048}"}, "url", "BASE_TYPE_MAX_LENGTH"),
        ({"image": {"url": "data:image/png"}}, "image.url", "URL_TYPE_INVALID_SCHEME"),
        (
            {"footer": {"text": "x", "icon_url": "x"}},
            "footer.icon_url",
            "URL_TYPE_INVALID_SCHEME",
        ),
    ],
)
async def test_an_embed_discord_would_refuse_names_its_field(
    spec: Path, embed: Json, field: str, rule: str
) -> None:
    async with Sandbox(spec) as sandbox:
        path = f"/channels/{sandbox.channel.id}/messages"
        status, body = await answered(
            sandbox, "POST", path, {"content": "x", "embeds": [{"title": "x"}, embed]}
        )
        assert (status, body["code"]) == (400, 50035)
        assert at_fault(body["errors"]) == {f"embeds.1.{field}": rule}
        assert sandbox.violations
        assert sandbox.said() == []


@pytest.mark.parametrize(
    ("components", "field", "rule"),
    [
        ([row(menu())], "0.components.0.options", "BASE_TYPE_BAD_LENGTH"),
        (
            [row(menu(*(str(n) for n in range(26))))],
            "0.components.0.options",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            [row(menu("a", "b", "a"))],
            "0.components.0.options.2",
            "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
        ),
        (
            [row(menu(options=[OPTION | {"label": "x" * 101}]))],
            "0.components.0.options.0.label",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            [row(menu(options=[OPTION | {"description": "x" * 101}]))],
            "0.components.0.options.0.description",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            [row(menu("a", placeholder="x" * 151))],
            "0.components.0.placeholder",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            [row(menu("a", custom_id="x" * 101))],
            "0.components.0.custom_id",
            "BASE_TYPE_BAD_LENGTH",
        ),
        ([row()], "0.components", "BASE_TYPE_BAD_LENGTH"),
        ([row(*numbered(6))], "0.components", "BASE_TYPE_BAD_LENGTH"),
        ([row(button(), menu("a"))], "0.components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
        ([row(menu("a"), button())], "0.components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
        ([row(item) for item in numbered(6)], "", "BASE_TYPE_MAX_LENGTH"),
        ([row(button())] * 2, "1.components.0.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
        ([row(button(label="x" * 81))], "0.components.0.label", "BASE_TYPE_MAX_LENGTH"),
        ([row(button(label=None))], "0.components.0.label", "BASE_TYPE_REQUIRED"),
        ([row(button(label=" "))], "0.components.0.label", "BASE_TYPE_REQUIRED"),
        (
            [row(button(custom_id=None))],
            "0.components.0.custom_id",
            "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
        ),
        ([row(link())], "0.components.0.url", "BASE_TYPE_REQUIRED"),
        ([row(link(url="ftp://x.org"))], "0.components.0.url", "URL_TYPE_INVALID_SCHEME"),
        (
            [row(link(url=f"https://x.org/{'x' * 512}"))],
            "0.components.0.url",
            "BASE_TYPE_MAX_LENGTH",
        ),
    ],
)
async def test_components_discord_would_refuse_name_their_field(
    spec: Path, components: list[Json], field: str, rule: str
) -> None:
    async with Sandbox(spec) as sandbox:
        path = f"/channels/{sandbox.channel.id}/messages"
        payload = {"content": "x", "components": components}
        status, body = await answered(sandbox, "POST", path, payload)
        assert (status, body["code"]) == (400, 50035)
        assert at_fault(body["errors"]) == {f"components.{field}".rstrip("."): rule}
        assert sandbox.violations
        assert sandbox.said() == []


async def test_what_lies_within_the_limits_is_taken(sandbox: Sandbox) -> None:
    components = [
        row(*numbered(5)),
        row(menu(*(str(number) for number in range(25)), placeholder="x" * 150)),
        row(button(label=None, emoji={"name": "\N{BIRD}"})),
        row(
            link(url="https://example.org"),
            link(url="http://example.org"),
            link(url="discord://-/channels/1"),
        ),
    ]
    embeds = [
        {"image": {"url": "attachment://bird.png"}},
        {"author": {"name": "x", "url": "https://example.org"}},
        {"title": "x", "url": f"https://x.org/{'x' * 2034}"},
        {"fields": [{"name": "\u200b", "value": "x"}]},
    ]
    path = f"/channels/{sandbox.channel.id}/messages"
    payload = {"components": components, "embeds": embeds}
    assert (await answered(sandbox, "POST", path, payload))[0] == 200


async def test_a_refused_edit_leaves_the_message_as_it_was(spec: Path) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox) as bot:
        channel = bot.get_partial_messageable(sandbox.channel.id)
        sent = await channel.send("as it was")
        for change in ({"content": " "}, {"embed": discord.Embed()}):
            with pytest.raises(discord.HTTPException):
                await sent.edit(**change)
        assert [(m["content"], m["embeds"]) for m in sandbox.said()] == [("as it was", [])]


async def test_an_edit_may_take_the_text_from_a_message_that_keeps_more(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        channel = bot.get_partial_messageable(sandbox.channel.id)
        sent = await channel.send("with an embed", embed=discord.Embed(title="x"))
        assert (await sent.edit(content=None)).content == ""


async def test_refused_answers_name_their_fields_below_data(spec: Path) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox):
        asked = await sandbox.member.run_command("slow")
        path = f"/interactions/{asked.id}/{asked.token}/callback"
        field = {"type": 4, "custom_id": "x", "style": 1, "label": "x" * 46}
        for kind, data, found in (
            (4, {"embeds": [{}]}, {"data.embeds.0.description": "BASE_TYPE_REQUIRED"}),
            (
                9,
                {"custom_id": "x", "title": "x" * 46, "components": [row(field)]},
                {
                    "data.title": "BASE_TYPE_BAD_LENGTH",
                    "data.components.0.components.0.label": "BASE_TYPE_MAX_LENGTH",
                },
            ),
            (
                9,
                {"custom_id": "x", "title": "x", "components": []},
                {"data.components": "BASE_TYPE_BAD_LENGTH"},
            ),
        ):
            status, body = await answered(sandbox, "POST", path, {"type": kind, "data": data})
            assert (status, body["code"]) == (400, 50035)
            assert at_fault(body["errors"]) == found


async def test_a_member_cannot_send_white_space(sandbox: Sandbox) -> None:
    with pytest.raises(NotPossible, match="empty"):
        await sandbox.member.post(sandbox.channel, " \n")


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ([{"name": "Upper", "description": "x"}], "INVALID_NAME"),
        ([{"name": "two words", "description": "x"}], "INVALID_NAME"),
        ([{"name": "x"}], "description"),
        ([{"name": "x", "description": "x"}] * 2, "DUPLICATE"),
        (
            [
                {
                    "name": "x",
                    "description": "x",
                    "options": [
                        {"type": 3, "name": "a", "description": "x"},
                        {"type": 3, "name": "b", "description": "x", "required": True},
                    ],
                }
            ],
            "REQUIRED_INVALID",
        ),
    ],
)
async def test_commands_discord_would_refuse(spec: Path, commands: list[Json], why: str) -> None:
    async with Sandbox(spec) as sandbox:
        path = f"/applications/{sandbox.world.bot.id}/commands"
        status, body = await answered(sandbox, "PUT", path, commands)
        assert (status, body["code"]) == (400, 50035)
        assert any(why in violation.message for violation in sandbox.violations)
        assert sandbox.commands == []
