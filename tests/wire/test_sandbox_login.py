"""Login, the gateway's sessions, and what breaks them."""

from __future__ import annotations

import json
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from tests.wire.echo_bot import Bot, running
from tools.sandbox import Sandbox, Settings

GATEWAY = "wss://gateway.discord.gg/?v=10&encoding=json"


async def test_a_bot_reaches_ready_and_sees_its_server(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        assert bot.user is not None
        assert bot.user.name == "fieldmark"
        assert [guild.name for guild in bot.guilds] == ["Naturalists"]
        names = {channel.name for channel in bot.guilds[0].text_channels}
        assert names == {"photos", "birds", "general"}
        assert bot.application_flags.gateway_message_content_limited
        assert bot.latency < 5
    assert [exchange.route for exchange in sandbox.exchanges][:2] == [
        "/users/@me",
        "/oauth2/applications/@me",
    ]


async def test_guild_permissions_are_those_of_roles_and_overwrites(sandbox: Sandbox) -> None:
    sandbox.deny(sandbox.channel, "embed_links")
    async with running(sandbox) as bot:
        channel = bot.get_channel(sandbox.channel.id)
        assert isinstance(channel, discord.TextChannel)
        granted = channel.permissions_for(channel.guild.me)
        assert (granted.send_messages, granted.embed_links) == (True, False)
        updated = bot.wait_for("guild_channel_update", timeout=5)
        sandbox.deny(sandbox.channel)
        await updated
        assert channel.permissions_for(channel.guild.me).embed_links


async def test_a_wrong_token_is_refused(sandbox: Sandbox) -> None:
    async with Bot(sandbox, discord.Intents.none()) as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("not.the.token")
    assert sandbox.exchanges[0].status == 401


async def test_a_privileged_intent_switched_off_closes_with_4014(spec: Path) -> None:
    settings = Settings(privileged=frozenset())
    async with Sandbox(spec, settings=settings) as sandbox:
        async with Bot(sandbox, discord.Intents(guilds=True, message_content=True)) as bot:
            with pytest.raises(discord.PrivilegedIntentsRequired):
                await bot.start(sandbox.token)
        assert sandbox.violations == []


async def test_no_event_is_lost_over_a_dropped_socket(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        resumed = bot.wait_for("shard_resumed", timeout=5)
        sandbox.gateway.drop()
        for number in range(3):
            await sandbox.member.post(sandbox.channel, f"missed {number}")
        await resumed
        assert [m.content for m in bot.heard] == ["missed 0", "missed 1", "missed 2"]
    assert (sandbox.gateway.identifies, sandbox.gateway.resumes) == (1, 1)


async def test_a_request_to_reconnect_is_followed_by_a_resume(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        resumed = bot.wait_for("shard_resumed", timeout=5)
        sandbox.gateway.ask_to_reconnect()
        await resumed
        await sandbox.member.post(sandbox.channel, f"still there, {sandbox.mention}?")
        await sandbox.wait_for(lambda m: m["content"] == "sizes []")
    assert (sandbox.gateway.identifies, sandbox.gateway.resumes) == (1, 1)


async def test_an_invalid_session_is_followed_by_an_identify(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        ready = bot.wait_for("shard_ready", timeout=5)
        sandbox.gateway.invalidate()
        await ready
    assert (sandbox.gateway.identifies, sandbox.gateway.resumes) == (2, 0)


async def test_a_session_that_timed_out_is_followed_by_an_identify(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        ready = bot.wait_for("shard_ready", timeout=5)
        await sandbox.gateway.close_sockets(4009)
        await ready
    assert (sandbox.gateway.identifies, sandbox.gateway.resumes) == (2, 1)


async def test_two_shards_share_the_servers(spec: Path) -> None:
    async with Sandbox(spec, settings=Settings(shards=2)) as sandbox, running(sandbox) as bot:
        assert bot.shard_count == 2
        await sandbox.member.post(sandbox.channel, f"hello {sandbox.mention}")
        await sandbox.wait_for(lambda m: m["content"] == "sizes []")
        assert [message.content for message in bot.heard].count(f"hello {sandbox.mention}") == 1


async def test_joining_and_leaving_a_server_reach_the_bot(sandbox: Sandbox) -> None:
    elsewhere = sandbox.add_guild("Elsewhere", installed=False)
    async with running(sandbox) as bot:
        assert bot.get_guild(elsewhere.id) is None
        made = bot.wait_for("guild_channel_create", timeout=5)
        ferns = sandbox.add_channel("ferns")
        assert (await made).id == ferns.id
        joined = bot.wait_for("guild_join", timeout=5)
        sandbox.install(elsewhere)
        assert (await joined).name == "Elsewhere"
        left = bot.wait_for("guild_remove", timeout=5)
        sandbox.uninstall(elsewhere)
        assert (await left).id == elsewhere.id


async def test_the_connector_leads_nowhere_else(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession(connector=sandbox.connector()) as session:
        for url in ("https://example.org/", "https://127.0.0.1/", sandbox.page_url):
            with pytest.raises(aiohttp.ClientConnectorError, match="no way to"):
                await session.get(url)


async def test_a_client_without_the_authority_refuses_the_certificate(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession(connector=sandbox.connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(
                "https://discord.com/api/v10/gateway", ssl=ssl.create_default_context()
            )


@asynccontextmanager
async def gateway_socket(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession(connector=sandbox.connector()) as session,
        session.ws_connect(GATEWAY) as socket,
    ):
        hello = await socket.receive_json()
        assert hello["op"] == 10
        yield socket


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 2, "d": {"token": "wrong", "intents": 0}}, 4004),
        ({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}, 4004),
        ({"op": 8, "d": {}}, 4003),
        ({"op": 77, "d": {}}, 4001),
        ({"op": 2, "d": {"token": "TOKEN", "intents": 1 << 40}}, 4013),
        ({"op": 2, "d": {"token": "TOKEN", "intents": 1, "shard": [2, 2]}}, 4010),
        ("no json", 4002),
        ([], 4002),
        ({"d": {}}, 4002),
    ],
)
async def test_a_broken_protocol_closes_with_its_code(
    sandbox: Sandbox, frame: Any, code: int
) -> None:
    async with gateway_socket(sandbox) as socket:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await socket.send_str(text.replace("TOKEN", sandbox.token))
        closing = await socket.receive(timeout=5)
        assert closing.type is aiohttp.WSMsgType.CLOSE
        assert closing.data == code


async def test_heartbeats_are_acknowledged_and_dead_sessions_refused(sandbox: Sandbox) -> None:
    async with gateway_socket(sandbox) as socket:
        await socket.send_json({"op": 1, "d": None})
        assert (await socket.receive_json())["op"] == 11
        lost = {"token": sandbox.token, "session_id": "forgotten", "seq": 9}
        await socket.send_json({"op": 6, "d": lost})
        assert await socket.receive_json() == {"op": 9, "d": False, "s": None, "t": None}


async def test_frames_are_one_compressed_stream(sandbox: Sandbox) -> None:
    async with (
        aiohttp.ClientSession(connector=sandbox.connector()) as session,
        session.ws_connect(f"{GATEWAY}&compress=zlib-stream") as socket,
    ):
        inflate = zlib.decompressobj()
        identify = {"token": sandbox.token, "intents": 1, "shard": [0, 1]}
        await socket.send_json({"op": 2, "d": identify})
        names = []
        for _ in range(3):
            packed = await socket.receive_bytes()
            assert packed.endswith(b"\x00\x00\xff\xff")
            names.append(json.loads(inflate.decompress(packed))["t"])
        assert names == [None, "READY", "GUILD_CREATE"]


async def test_connections_can_be_refused(sandbox: Sandbox) -> None:
    sandbox.gateway.refuse_next = 1
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with gateway_socket(sandbox):
            pass
    assert refusal.value.status == 503
    async with gateway_socket(sandbox):
        assert sandbox.gateway.refuse_next == 0
