"""Whatever JSON arrives, the sandbox refuses it in words and goes on."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tools.sandbox import Sandbox
from tools.sandbox.messages import without_content

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NAMES = st.sampled_from(
    [
        "content",
        "embeds",
        "components",
        "attachments",
        "message_reference",
        "flags",
        "type",
        "id",
        "data",
        "custom_id",
        "title",
        "fields",
        "name",
        "value",
        "options",
        "allowed_mentions",
        "channel_id",
        "command_id",
        "message_id",
        "component",
        "member_id",
        "recipient_id",
        "url",
    ]
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
within_one_world = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def sandbox() -> Any:
    async with Sandbox() as sandbox:
        yield sandbox


@within_one_world
@example(body={"recipient_id": float("inf")})
@given(body=ANY)
async def test_rest_answers_nonsense_with_a_client_error_or_takes_it(
    sandbox: Sandbox, body: Any
) -> None:
    headers = {"Authorization": f"Bot {sandbox.token}", "Content-Type": "application/json"}
    base = "https://discord.com/api/v10"
    bot = sandbox.world.bot.id
    async with aiohttp.ClientSession(connector=sandbox.connector(), headers=headers) as session:
        for method, path in (
            ("POST", f"/channels/{sandbox.channel.id}/messages"),
            ("PUT", f"/applications/{bot}/commands"),
            ("POST", "/users/@me/channels"),
            ("POST", "/interactions/1/token/callback"),
        ):
            data = json.dumps(body)
            async with session.request(method, base + path, data=data) as response:
                assert response.status < 500
                assert response.headers["Content-Type"] == "application/json"
                answer = await response.json()
                assert response.status == 200 or {"code", "message"} <= set(answer)


@within_one_world
@example(body={"content": "x", "embeds": [1]})
@example(body={"content": "x", "allowed_mentions": "nobody"})
@example(body={"channel_id": float("inf")})
@given(body=ANY)
async def test_the_page_api_answers_nonsense_with_a_sentence_or_takes_it(
    sandbox: Sandbox, body: Any
) -> None:
    async with aiohttp.ClientSession(base_url=sandbox.page_url) as session:
        places: Any = {"channel_id": str(sandbox.channel.id)}
        for path, payload in (
            (f"/api/channels/{sandbox.channel.id}/messages", body),
            ("/api/interactions", body),
            ("/api/interactions", places | body if isinstance(body, dict) else body),
        ):
            async with session.post(path, json=payload) as response:
                assert response.status in (200, 400)
                assert response.status == 200 or (await response.json())["message"]


@given(
    author=st.sampled_from(["1", "2"]),
    mentions=st.lists(st.sampled_from(["1", "2"]), unique=True),
    replied=st.none() | st.sampled_from(["1", "2"]),
)
def test_content_is_shown_only_where_discord_would(
    author: str, mentions: list[str], replied: str | None
) -> None:
    def message(by: str, named: list[str]) -> dict[str, Any]:
        hidden = {"content": "x", "embeds": [1], "attachments": [1], "components": [1]}
        return hidden | {"author": {"id": by}, "mentions": [{"id": user} for user in named]}

    whole = message(author, mentions)
    if replied:
        whole["referenced_message"] = message(replied, [])
    seen = without_content(whole, bot_id=1)
    visible = author == "1" or "1" in mentions
    assert bool(seen["content"]) is visible
    assert bool(seen["attachments"]) is visible
    if replied:
        assert bool(seen["referenced_message"]["attachments"]) is (replied == "1")
    assert whole["content"] == "x"
