"""Login, the gateway's session, and what breaks them."""

from __future__ import annotations

from echo_bot import running

from tools.sandbox import Sandbox


async def test_a_bot_reaches_ready_and_sees_its_server(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        assert bot.user is not None
        assert bot.user.name == "fieldmark"
        assert [guild.name for guild in bot.guilds] == ["Naturalists"]
        assert {channel.name for channel in bot.guilds[0].text_channels} == {
            "photos",
            "birds",
            "general",
        }
        assert bot.shard_count == 1
        assert bot.application_flags.gateway_message_content_limited
    assert not sandbox.gateway.online
