"""The page's API: what a browser can see and do, and who else may not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.wire.echo_bot import running
from tools.sandbox import Sandbox, Settings

Json = dict[str, Any]


class Browser:
    """The page's side of its API."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: Sandbox) -> None:
        self.session = session
        self.sandbox = sandbox
        self.messages = f"/api/channels/{sandbox.channel.id}/messages"

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def send(
        self, path: str, payload: Json, *files: tuple[str, bytes], method: str = "POST"
    ) -> Any:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(payload), content_type="application/json")
        for index, (name, data) in enumerate(files):
            form.add_field(f"files[{index}]", data, filename=name, content_type="image/png")
        async with self.session.request(method, path, data=form) as response:
            return response.status, await response.json()

    async def interact(self, payload: Json, *files: tuple[str, bytes]) -> Json:
        place = {"channel_id": str(self.sandbox.channel.id)}
        status, body = await self.send("/api/interactions", place | payload, *files)
        assert status == 200, body
        answer: Json = body
        return answer

    def command(self, name: str) -> str:
        identifier: str = next(c["id"] for c in self.sandbox.commands if c["name"] == name)
        return identifier


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(base_url=sandbox.page_url) as session:
        yield Browser(session, sandbox)


async def test_the_state_names_people_places_and_commands(browser: Browser) -> None:
    empty = await browser.get("/api/state")
    assert (empty["commands"], empty["bot_online"]) == ([], False)
    async with running(browser.sandbox):
        state = await browser.get("/api/state")
    assert [user["username"] for user in state["members"]][:2] == ["you", "moderator"]
    assert (state["bot"]["global_name"], state["bot_online"]) == ("Fieldmark", True)
    [guild] = state["guilds"]
    assert guild["name"] == "Naturalists"
    assert guild["channels"][0] == {
        "id": str(browser.sandbox.channel.id),
        "name": "photos",
        "type": 0,
        "topic": "Post a photo and mention the bot",
    }
    assert state["dms"] == [{"id": str(browser.sandbox.dm.id), "name": "Fieldmark"}]
    assert "echo" in [command["name"] for command in state["commands"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "sandbox.example"},
        {"Host": "localhost.example:80"},
        {"Host": ""},
        {"Host": "[::"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_other_sites_are_refused(browser: Browser, headers: dict[str, str]) -> None:
    for path in ("/api/state", "/", "/api/events"):
        async with browser.session.get(path, headers=headers) as response:
            assert response.status == 403


async def test_the_page_and_its_parts_are_served(browser: Browser) -> None:
    async with browser.session.get("/") as response:
        assert response.content_type == "text/html"
    async with browser.session.get("/page/../server.py") as response:
        assert response.status == 404
    async with browser.session.get("/page/%2e%2e/server.py") as response:
        assert response.status in (403, 404)


async def test_messages_are_posted_listed_edited_and_deleted(browser: Browser) -> None:
    payload = {"content": "look", "attachments": [{"id": 0, "filename": "b.png", "spoiler": True}]}
    status, posted = await browser.send(browser.messages, payload, ("a.png", b"12345"))
    assert status == 200
    [attachment] = posted["attachments"]
    assert (attachment["filename"], attachment["content_type"]) == ("SPOILER_b.png", "image/png")
    address = attachment["url"].replace("https://cdn.discordapp.com", "/cdn").split("?")[0]
    async with browser.session.get(address) as response:
        assert await response.read() == b"12345"
    reply = {"content": "nice", "message_reference": {"message_id": posted["id"]}}
    moderator = {"member_id": str(browser.sandbox.moderator.id)}
    _, answer = await browser.send(browser.messages, reply | moderator)
    assert answer["referenced_message"]["id"] == posted["id"]
    assert answer["author"]["username"] == "moderator"
    listed = await browser.get(browser.messages)
    assert [message["id"] for message in listed] == [posted["id"], answer["id"]]
    own = f"{browser.messages}/{posted['id']}"
    _, edited = await browser.send(own, {"content": "look again"}, method="PATCH")
    assert edited["content"] == "look again"
    assert edited["edited_timestamp"] is not None
    status, refusal = await browser.send(own, {"content": "mine"} | moderator, method="PATCH")
    assert (status, refusal["message"]) == (400, "only one's own messages can be edited")
    other = {"member_id": str(browser.sandbox.other.id)}
    async with browser.session.delete(own, params=other) as response:
        assert response.status == 400
    async with browser.session.delete(own) as response:
        assert response.status == 204
    assert [message["id"] for message in await browser.get(browser.messages)] == [answer["id"]]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"content": ""}, "empty message"),
        ({"content": "x" * 2001}, "at most 2000"),
        ({"content": "x", "member_id": "5"}, "no such member"),
        ({"content": "x", "message_reference": {"message_id": "5"}}, "does not exist any more"),
        ({"content": "x", "message_reference": {"message_id": "soon"}}, "not understood"),
    ],
)
async def test_what_cannot_be_said_answers_with_a_sentence(
    browser: Browser, payload: Json, why: str
) -> None:
    status, body = await browser.send(browser.messages, payload)
    assert status == 400
    assert why in body["message"]
    assert browser.sandbox.said() == []


async def test_a_file_above_the_limit_answers_413(spec: Path) -> None:
    async with (
        Sandbox(spec, settings=Settings(upload_limit=10)) as sandbox,
        aiohttp.ClientSession(base_url=sandbox.page_url) as session,
    ):
        browser = Browser(session, sandbox)
        status, body = await browser.send(browser.messages, {}, ("a.png", b"x" * 11))
        assert (status, body["message"]) == (413, "Request entity too large")


async def test_commands_with_files_and_choices(browser: Browser) -> None:
    async with running(browser.sandbox):
        photo = {"name": "photo", "type": 11, "value": 0}
        group = {"name": "group", "type": 3, "value": "plant"}
        echo = {"type": 2, "command_id": browser.command("echo"), "options": [photo, group]}
        asked = await browser.interact(echo, ("a.png", b"12345"))
        answer = await browser.sandbox.wait_for(lambda m: m["embeds"])
        assert answer["embeds"][0]["title"] == "5 bytes"
        assert answer["interaction_metadata"]["id"] == asked["interaction_id"]
        typed = {"name": "name", "type": 3, "value": "wr", "focused": True}
        look = {"type": 4, "command_id": browser.command("look"), "options": [typed]}
        offered = await browser.interact(look)
        assert [choice["value"] for choice in offered["choices"]] == ["wr0", "wr1", "wr2"]
        nested = {"name": "channel", "type": 7, "value": str(browser.sandbox.channel.id)}
        watch = {
            "type": 2,
            "command_id": browser.command("watch"),
            "options": [{"name": "add", "type": 1, "options": [nested]}],
        }
        status, body = await browser.send(
            "/api/interactions", watch | {"channel_id": str(browser.sandbox.channel.id)}
        )
        assert (status, "no permission" in body["message"]) == (400, True)
        await browser.interact(watch | {"member_id": str(browser.sandbox.moderator.id)})
        await browser.sandbox.wait_for(lambda m: m["content"].startswith("watching"))


async def test_message_commands_components_and_modals(browser: Browser) -> None:
    sandbox = browser.sandbox
    async with (
        running(sandbox),
        browser.session.ws_connect("/api/events") as events,
    ):
        _, posted = await browser.send(browser.messages, {"content": "a wren"})
        measure = {"type": 2, "command_id": browser.command("Measure"), "target_id": posted["id"]}
        await browser.interact(measure)
        await sandbox.wait_for(lambda m: m["content"] == "'a wren' []")
        await browser.interact({"type": 2, "command_id": browser.command("rank")})
        question = await sandbox.wait_for(lambda m: m["content"] == "which?")
        button = {"custom_id": "open-remark", "component_type": 2}
        await browser.interact({"type": 3, "message_id": question["id"], "component": button})
        modal = await first(events, "MODAL")
        assert modal["title"] == "Remark"
        field = modal["components"][0]["components"][0]
        row = {"type": 1, "components": [field | {"value": "moulting"}]}
        await browser.interact({"type": 5, "custom_id": modal["custom_id"], "components": [row]})
        noted = await sandbox.wait_for(lambda m: m["content"] == "noted: moulting")
        assert noted["flags"] == 64
        menu = {"custom_id": "rank", "component_type": 3, "values": ["genus"]}
        await browser.interact({"type": 3, "message_id": question["id"], "component": menu})
        await sandbox.wait_for(lambda m: m["content"] == "chose ['genus']")


async def test_events_tell_everything_in_order(browser: Browser) -> None:
    sandbox = browser.sandbox
    async with browser.session.ws_connect("/api/events") as events:
        assert await events.receive_json() == {"t": "GATEWAY", "d": {"bot_online": False}}
        async with running(sandbox):
            assert "commands" in await first(events, "COMMANDS_UPDATE")
            assert await first(events, "GATEWAY") == {"bot_online": True}
            asked = await sandbox.member.run_command("echo", attachments={"photo": ("a.png", b"1")})
            assert asked.original is None
            created = await first(events, "MESSAGE_CREATE")
            assert created["flags"] & 128
            assert created["interaction"]["user"]["username"] == "you"
            updated = await first(events, "MESSAGE_UPDATE")
            assert (updated["id"], updated["flags"]) == (created["id"], 0)
            await sandbox.owner.delete(updated)
            assert (await first(events, "MESSAGE_DELETE"))["id"] == created["id"]
        assert await first(events, "GATEWAY") == {"bot_online": False}


async def test_an_unanswered_interaction_is_reported(browser: Browser) -> None:
    async with running(browser.sandbox) as bot:
        browser.sandbox.settings.acknowledge_within = 0.02
        async with browser.session.ws_connect("/api/events") as events:
            asked = await browser.interact({"type": 2, "command_id": browser.command("slow")})
            assert await first(events, "INTERACTION_FAILED") == {
                "interaction_id": asked["interaction_id"],
                "reason": "The application did not respond",
            }
        bot.may_answer.set()
        assert (await bot.refusal).code == 10062
    option = {"name": "name", "type": 3, "value": "", "focused": True}
    look = {"type": 4, "command_id": browser.command("look"), "options": [option]}
    assert await browser.interact(look) == {"choices": []}


async def first(events: aiohttp.ClientWebSocketResponse, name: str) -> Json:
    """Read on to the next event called ``name``."""
    while True:
        event = await events.receive_json(timeout=5)
        if event["t"] == name:
            data: Json = event["d"]
            return data
