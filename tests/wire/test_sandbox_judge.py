"""The judge can fail: wrong requests and wrong answers are reported, right ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from tests.wire.echo_bot import running
from tools.sandbox import Sandbox
from tools.sandbox.spec import Judge

MESSAGES = "/channels/1/messages"


@pytest.fixture(scope="module")
def judge(shared: Path) -> Judge:
    return Judge(shared / "discord" / "openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "query", "payload", "pointer"),
    [
        ("POST", MESSAGES, {}, {"content": 5}, "/content"),
        ("POST", MESSAGES, {}, {"contents": "x"}, "/"),
        ("POST", MESSAGES, {}, None, ""),
        ("POST", MESSAGES, {}, {"embeds": [{"title": "x" * 257}]}, "/embeds/0/title"),
        ("POST", MESSAGES, {}, {"embeds": [{"titel": "x"}]}, "/embeds/0"),
        ("GET", MESSAGES, {"limit": "101"}, None, "?limit"),
        ("GET", MESSAGES, {"limits": "1"}, None, "?limits"),
        ("GET", MESSAGES, {"before": "soon"}, None, "?before"),
        ("GET", "/channels/1/photos", {}, None, ""),
        ("GET", "/users/@me", {}, {"a": 1}, ""),
        ("PUT", "/applications/1/commands", {}, [{"name": "x" * 33}], "/0/name"),
        ("POST", "/interactions/1/t/callback", {}, {"type": 99}, "/type"),
        (
            "POST",
            MESSAGES,
            {},
            {
                "components": [
                    {"type": 1, "components": [{"type": 2, "style": 1, "label": "x" * 81}]}
                ]
            },
            "/components/0/components/0/label",
        ),
    ],
)
def test_a_wrong_request_is_reported(
    judge: Judge, method: str, path: str, query: dict[str, str], payload: Any, pointer: str
) -> None:
    violations = judge.request(method, path, query, payload)
    assert pointer in [violation.pointer for violation in violations], violations
    assert all(violation.direction == "request" for violation in violations)
    assert f"{method} {path}" in str(violations[0])


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "pointer"),
    [
        ("GET", "/users/@me", 200, {"id": "1"}, "/"),
        ("GET", "/users/@me", 404, {"message": "no code"}, "/"),
        ("GET", "/users/@me", 302, None, ""),
        ("GET", "/gateway", 200, {"url": 5}, "/url"),
        ("GET", "/gateway", 200, {"url": "wss://x", "extra": 1}, "/"),
        ("POST", "/channels/1/typing", 204, {}, ""),
        ("GET", MESSAGES, 200, [{}], "/0"),
        ("GET", MESSAGES, 429, {"message": "slow", "code": 0, "global": False}, "/"),
    ],
)
def test_a_wrong_answer_is_reported(
    judge: Judge, method: str, path: str, status: int, body: Any, pointer: str
) -> None:
    violations = judge.answer(method, path, status, body)
    assert pointer in [violation.pointer for violation in violations], violations
    assert all(violation.direction == "answer" for violation in violations)


def test_right_exchanges_pass(judge: Judge) -> None:
    assert judge.request("POST", MESSAGES, {}, {"content": "x", "flags": 64}) == []
    assert judge.request("GET", MESSAGES, {"limit": "100", "before": "7"}, None) == []
    assert (
        judge.request("POST", "/interactions/1/t/callback", {"with_response": "1"}, {"type": 5})
        == []
    )
    assert judge.answer("GET", "/gateway", 200, {"url": "wss://x"}) == []
    assert judge.answer("GET", "/gateway", 401, {"message": "401: Unauthorized", "code": 0}) == []
    assert judge.answer("POST", "/channels/1/typing", 204, None) == []


async def test_the_sandbox_collects_what_the_judge_says(spec: Path) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox) as bot:
        assert sandbox.violations == []
        route = discord.http.Route("POST", f"/channels/{sandbox.channel.id}/messages")
        await bot.http.request(route, json={"content": "x", "tss": False})
        sandbox.faults.fail("GET", "/users/*", status=200, body={"id": "1"})
        await bot.http.request(discord.http.Route("GET", "/users/@me"))
        sent, answered, *_ = sandbox.violations
    assert (sent.direction, sent.method, sent.path) == (
        "request",
        "POST",
        route.url.split("v10")[1],
    )
    assert "'tss' was unexpected" in sent.message
    assert answered.direction == "answer"
    assert "is a required property" in answered.message


async def test_without_a_document_nothing_is_judged() -> None:
    async with Sandbox() as sandbox, running(sandbox) as bot:
        route = discord.http.Route("POST", f"/channels/{sandbox.channel.id}/messages")
        await bot.http.request(route, json={"content": "x", "tss": False})
        assert sandbox.violations == []


async def test_an_unknown_route_is_a_404_that_tests_can_see(spec: Path) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox) as bot:
        with pytest.raises(discord.NotFound):
            await bot.http.request(discord.http.Route("GET", "/voice/regions"))
        assert sandbox.unserved == ["GET /voice/regions"]
        with pytest.raises(discord.NotFound):
            await bot.http.request(discord.http.Route("GET", "/nowhere"))
        assert sandbox.unserved == ["GET /voice/regions", "GET /nowhere"]
        assert ["no such path" in violation.message for violation in sandbox.violations] == [True]


async def test_bodies_nobody_can_read_are_refused(spec: Path) -> None:
    async with (
        Sandbox(spec) as sandbox,
        aiohttp.ClientSession(
            connector=sandbox.connector(), headers={"Authorization": f"Bot {sandbox.token}"}
        ) as session,
    ):
        url = f"https://discord.com/api/v10/channels/{sandbox.channel.id}/messages"
        for body, kind in (
            (b"{", "application/json"),
            (b"[]", "application/json"),
            (b"x", "multipart/form-data"),
            (b"{}", "text/plain"),
        ):
            async with session.post(url, data=body, headers={"Content-Type": kind}) as response:
                assert response.status == 400
                assert response.headers["Content-Type"] == "application/json"
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", "{", content_type="application/json")
        async with session.post(url, data=form) as response:
            assert (await response.json())["code"] == 50109
