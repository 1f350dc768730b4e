"""Messages in both directions: gateway, REST, multipart, CDN, and who may see how much."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from pathlib import Path

import discord
import pytest
from PIL import Image

from tests.wire.echo_bot import Bot, running
from tools.sandbox import NotPossible, Sandbox, Settings
from tools.sandbox.member import File


def picture(size: tuple[int, int] = (64, 48)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "olive").save(data, "PNG")
    return data.getvalue()


def text_channel(bot: Bot, sandbox: Sandbox) -> discord.TextChannel:
    channel = bot.get_channel(sandbox.channel.id)
    assert isinstance(channel, discord.TextChannel)
    return channel


async def test_a_photo_by_mention_is_read_from_the_cdn_and_answered(sandbox: Sandbox) -> None:
    photo = picture()
    async with running(sandbox) as bot:
        posted = await sandbox.member.post(
            sandbox.channel, f"{sandbox.mention} what is this?", files=[("a photo.png", photo)]
        )
        answer = await sandbox.wait_for(lambda m: m["content"] == f"sizes [{len(photo)}]")
        attachment = bot.heard[0].attachments[0]
    assert (attachment.filename, attachment.content_type) == ("a_photo.png", "image/png")
    assert (attachment.width, attachment.height) == (64, 48)
    assert answer["message_reference"]["message_id"] == posted["id"]
    assert answer["mentions"] == []
    assert answer["author"]["bot"]
    assert sandbox.cdn.served == [attachment.id]
    assert sandbox.file(attachment.url) == photo


async def test_the_claimed_type_is_passed_on_unchecked(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        files: list[File] = [("photo.jpg", b"MZ no photo", "image/jpeg"), ("list.xyz", b"?")]
        await sandbox.member.post(sandbox.channel, sandbox.mention, files=files, spoiler=True)
        await sandbox.wait_for(lambda m: m["content"] == "sizes [11, 1]")
        first, second = bot.heard[0].attachments
    assert (first.content_type, first.width, first.is_spoiler()) == ("image/jpeg", None, True)
    assert second.filename == "SPOILER_list.xyz"


@pytest.mark.parametrize("intent", [True, False])
async def test_content_needs_its_intent_a_mention_a_ping_or_a_dm(
    sandbox: Sandbox, intent: bool
) -> None:
    you, channel = sandbox.member, sandbox.channel
    async with running(sandbox, message_content=intent) as bot:
        await you.post(channel, "plain", files=[("a.png", b"1")])
        await you.post(channel, f"mention {sandbox.mention}", files=[("a.png", b"1")])
        answer = await sandbox.wait_for(lambda m: m["content"] == "sizes [1]")
        await you.post(channel, "ping", files=[("a.png", b"1")], reply_to=answer)
        await you.post(channel, "no ping", reply_to=answer, ping=False)
        await you.post(you.dm, "direct", files=[("a.png", b"1")])
        await you.post(channel, f"last {sandbox.mention}")
        await sandbox.wait_for(lambda m: m["content"] == "sizes []")
        heard = [(m.content.split(" <")[0], len(m.attachments)) for m in bot.heard]
    mine = [line for line in heard if not line[0].startswith("sizes")]
    hidden = (("plain", 1), ("no ping", 0)) if intent else (("", 0), ("", 0))
    assert mine == [hidden[0], ("mention", 1), ("ping", 1), hidden[1], ("direct", 1), ("last", 0)]


async def test_rest_hides_content_when_the_portal_does(spec: Path) -> None:
    settings = Settings(privileged=frozenset({"members"}))
    async with Sandbox(spec, settings=settings) as sandbox:
        async with running(sandbox, message_content=False) as bot:
            posted = await sandbox.member.post(sandbox.channel, "secret", files=[("a.png", b"1")])
            read = await text_channel(bot, sandbox).fetch_message(int(posted["id"]))
            assert (read.content, read.attachments) == ("", [])
        assert sandbox.violations == []


async def test_edits_and_deletions_reach_the_bot_and_the_page(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        posted = await sandbox.member.post(sandbox.channel, "a robin")
        edited = bot.wait_for("raw_message_edit", timeout=5)
        await sandbox.member.edit(posted, "a wren")
        assert (await edited).message.content == "a wren"
        deleted = bot.wait_for("raw_message_delete", timeout=5)
        await sandbox.member.delete(posted)
        assert (await deleted).message_id == int(posted["id"])
    assert sandbox.said() == []


async def test_the_bot_sends_edits_reacts_and_deletes(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        channel = text_channel(bot, sandbox)
        async with channel.typing():
            sent = await channel.send(
                "two files",
                files=[discord.File(io.BytesIO(picture()), name) for name in ("a.png", "b.png")],
                silent=True,
            )
        assert [(a.filename, a.width) for a in sent.attachments] == [("a.png", 64), ("b.png", 64)]
        embed = discord.Embed(title="A wren", url="https://example.org", colour=0x336699)
        embed.set_footer(text="sure").add_field(name="n", value="v").set_thumbnail(
            url="attachment://c.png"
        )
        added = discord.File(io.BytesIO(picture()), "c.png", description="a drawing")
        changed = await sent.edit(embed=embed, attachments=[sent.attachments[1], added])
        assert [a.filename for a in changed.attachments] == ["b.png"]
        thumbnail = changed.embeds[0].thumbnail
        assert (thumbnail.width, thumbnail.url) == (
            64,
            sandbox.said()[0]["embeds"][0]["thumbnail"]["url"],
        )
        again = await changed.edit(content="once more", embed=changed.embeds[0])
        assert again.content == "once more"
        await again.add_reaction("\N{BIRD}")
        read = await channel.fetch_message(sent.id)
        assert [(r.emoji, r.count, r.me) for r in read.reactions] == [("\N{BIRD}", 1, True)]
        await again.remove_reaction("\N{BIRD}", channel.guild.me)
        history = [message.id async for message in channel.history(limit=5)]
        assert history == [sent.id]
        await again.delete()
        with pytest.raises(discord.NotFound) as missing:
            await channel.fetch_message(sent.id)
        assert missing.value.code == 10008


async def test_messages_deleted_together_are_told_together(sandbox: Sandbox) -> None:
    sandbox.world.add_member(sandbox.guild, sandbox.world.bot, sandbox.guild.roles[1])
    async with running(sandbox) as bot:
        channel = text_channel(bot, sandbox)
        told = asyncio.create_task(bot.wait_for("raw_bulk_message_delete", timeout=5))
        posted = [await sandbox.member.post(sandbox.channel, text) for text in ("one", "two")]
        numbers = {int(message["id"]) for message in posted}
        await channel.delete_messages([discord.Object(number) for number in numbers])
        assert (await told).message_ids == numbers
    assert sandbox.said() == []


async def test_layout_views_resolve_their_media(sandbox: Sandbox) -> None:
    view = discord.ui.LayoutView()
    gallery: discord.ui.MediaGallery[discord.ui.LayoutView] = discord.ui.MediaGallery(
        discord.MediaGalleryItem("attachment://a.png")
    )
    text: discord.ui.TextDisplay[discord.ui.LayoutView] = discord.ui.TextDisplay("A wren")
    view.add_item(discord.ui.Container(text, discord.ui.Separator(), gallery))
    async with running(sandbox) as bot:
        await text_channel(bot, sandbox).send(
            view=view, file=discord.File(io.BytesIO(picture()), "a.png")
        )
        message = await sandbox.wait_for(lambda m: m["components"])
        gone = asyncio.create_task(sandbox.gone(message))
        await (await text_channel(bot, sandbox).fetch_message(int(message["id"]))).delete()
        await gone
        await sandbox.gone(message)
    container = message["components"][0]
    assert [c["type"] for c in container["components"]] == [10, 14, 12]
    assert message["attachments"] == []
    media = container["components"][2]["items"][0]["media"]
    assert media["url"].startswith("https://cdn.discordapp.com/attachments/")


async def test_direct_messages_can_be_opened_by_the_bot(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        user = await bot.fetch_user(sandbox.other.id)
        await user.send("hello")
        message = await sandbox.wait_for(lambda m: m["content"] == "hello")
    assert int(message["channel_id"]) == sandbox.other.dm.id


async def test_the_rest_of_the_world_can_be_read(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        guild = await bot.fetch_guild(sandbox.guild.id)
        assert guild.approximate_member_count == 5
        assert len(await guild.fetch_channels()) == 3
        moderator = await guild.fetch_member(sandbox.moderator.id)
        assert [role.name for role in moderator.roles] == ["@everyone", "moderator"]
        assert len(await guild.fetch_roles()) == 3
        fetched = await bot.fetch_channel(sandbox.channel.id)
        assert isinstance(fetched, discord.TextChannel)
        assert fetched.topic == "Post a photo and mention the bot"
        assert [g.id async for g in bot.fetch_guilds()] == [guild.id]
        members = await bot.guilds[0].query_members("mod")
        assert [member.name for member in members] == ["moderator"]


@pytest.mark.parametrize(
    ("denied", "send", "code"),
    [
        ("view_channel", {"content": "x"}, 50001),
        ("send_messages", {"content": "x"}, 50013),
        ("embed_links", {"embed": discord.Embed(title="x")}, 50013),
        ("attach_files", {"file": "x.png"}, 50013),
    ],
)
async def test_missing_permissions_refuse(
    sandbox: Sandbox, denied: str, send: dict[str, object], code: int
) -> None:
    sandbox.deny(sandbox.channel, denied)
    if "file" in send:
        send = {"file": discord.File(io.BytesIO(b"x"), "x.png")}
    async with running(sandbox) as bot:
        await sandbox.member.post(sandbox.channel, "hello")
        await sandbox.member.post(sandbox.channels["birds"], "hello")
        with pytest.raises(discord.Forbidden) as refusal:
            await bot.get_partial_messageable(sandbox.channel.id).send(**send)  # type: ignore[call-overload]
        assert refusal.value.code == code
        assert len(bot.heard) == (1 if denied == "view_channel" else 2)


async def test_a_reply_needs_the_message_and_its_history(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        posted = await sandbox.member.post(sandbox.channel, "hello")
        message = await text_channel(bot, sandbox).fetch_message(int(posted["id"]))
        sandbox.deny(sandbox.channel, "read_message_history")
        with pytest.raises(discord.HTTPException) as refusal:
            await message.reply("hi")
        assert refusal.value.code == 160002
        sandbox.deny(sandbox.channel)
        await sandbox.member.delete(posted)
        with pytest.raises(discord.HTTPException, match="Unknown message") as gone:
            await message.reply("hi")
        assert gone.value.code == 50035
        [violation] = sandbox.violations
        assert "REPLIES_UNKNOWN_MESSAGE" in violation.message
        sandbox.violations.clear()


async def test_the_bot_may_not_touch_what_is_not_its_own(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        posted = await sandbox.member.post(sandbox.channel, "mine")
        message = await text_channel(bot, sandbox).fetch_message(int(posted["id"]))
        with pytest.raises(discord.Forbidden) as edit:
            await message.edit(content="yours")
        with pytest.raises(discord.Forbidden) as delete:
            await message.delete()
        assert (edit.value.code, delete.value.code) == (50005, 50013)


async def test_uploads_above_the_limit_are_refused(spec: Path) -> None:
    async with Sandbox(spec, settings=Settings(upload_limit=1000)) as sandbox:
        async with running(sandbox) as bot:
            channel = text_channel(bot, sandbox)
            await channel.send(file=discord.File(io.BytesIO(b"x" * 1000), "fits.bin"))
            with pytest.raises(discord.HTTPException) as refusal:
                await channel.send(file=discord.File(io.BytesIO(b"x" * 1001), "large.bin"))
            assert (refusal.value.status, refusal.value.code) == (413, 40005)
        with pytest.raises(NotPossible, match="larger"):
            await sandbox.member.post(sandbox.channel, files=[("large.bin", b"x" * 1001)])
        assert sandbox.violations == []


@pytest.mark.parametrize("everywhere", [True, False])
async def test_rate_limits_are_waited_out_and_tried_again(
    sandbox: Sandbox, everywhere: bool
) -> None:
    async with running(sandbox) as bot:
        pattern = "/channels/*/messages"
        sandbox.faults.rate_limit("POST", pattern, retry_after=0.01, times=2, everywhere=everywhere)
        await text_channel(bot, sandbox).send("at last")
        sent = [e.status for e in sandbox.exchanges if e.route == "/channels/{channel}/messages"]
    assert sent == [429, 429, 200]
    assert [message["content"] for message in sandbox.said()] == ["at last"]


async def test_answers_can_be_replaced_by_failures(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        body = {"code": 50001, "message": "Missing Access"}
        sandbox.faults.fail("POST", "/channels/*/messages", status=403, body=body)
        with pytest.raises(discord.Forbidden):
            await text_channel(bot, sandbox).send("lost")
        await text_channel(bot, sandbox).send("found")
    assert [message["content"] for message in sandbox.said()] == ["found"]


async def test_an_answer_can_be_lost_after_the_request_was_served(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        sandbox.faults.fail("POST", "/channels/*/messages", status=403, served=True)
        with pytest.raises(discord.Forbidden):
            await text_channel(bot, sandbox).send("said all the same")
    assert [message["content"] for message in sandbox.said()] == ["said all the same"]


async def test_a_nonce_that_is_enforced_makes_one_message(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        channel = text_channel(bot, sandbox)
        first = await channel.send("first", nonce=7)
        again = await channel.send("again", nonce="7")
        assert (again.id, again.content) == (first.id, "first")
        await channel.send("another", nonce="8")
        await first.delete()
        await channel.send("after its deletion", nonce="7")
        path = f"/channels/{channel.id}/messages"
        for _ in range(2):
            unforced = discord.http.Route("POST", path)
            await bot.http.request(unforced, json={"content": "not enforced", "nonce": "9"})
    assert [message["content"] for message in sandbox.said()] == [
        "another",
        "after its deletion",
        "not enforced",
        "not enforced",
    ]


async def test_a_nonce_is_forgotten_after_some_minutes(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        channel = text_channel(bot, sandbox)
        first = await channel.send("first", nonce="7")
        sandbox.channel.messages[first.id].timestamp -= timedelta(minutes=6)
        await channel.send("later", nonce="7")
    assert [message["content"] for message in sandbox.said()] == ["first", "later"]


async def test_a_forward_is_a_snapshot_of_what_was_said(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        said = await sandbox.member.post(sandbox.channel, "a robin", [("a.png", picture())])
        heard = bot.wait_for("message", check=lambda m: m.flags.forwarded, timeout=5)
        forward = await sandbox.member.forward(said, sandbox.channels["birds"])
        await sandbox.member.edit(said, "a wren")
        channel = bot.get_partial_messageable(sandbox.channels["birds"].id)
        read = await channel.fetch_message(int(forward["id"]))
        for message in (read, await heard):
            (snapshot,) = message.message_snapshots
            assert (message.content, message.attachments) == ("", [])
            assert (snapshot.content, snapshot.attachments[0].filename) == ("a robin", "a.png")
            assert message.flags.forwarded
            assert message.reference is not None
            assert message.reference.type is discord.MessageReferenceType.forward
            assert message.reference.message_id == int(said["id"])


async def test_a_forward_hides_its_content_without_the_intent(sandbox: Sandbox) -> None:
    async with running(sandbox, message_content=False) as bot:
        said = await sandbox.member.post(sandbox.channel, "a robin", [("a.png", b"1")])
        await sandbox.member.forward(said, sandbox.channel)
        await sandbox.member.forward(said, sandbox.member.dm)
        await sandbox.member.post(sandbox.channel, f"{sandbox.mention} and now?")
        await sandbox.wait_for(lambda m: m["content"] == "sizes []")
        seen = [m.message_snapshots[0] for m in bot.heard if m.message_snapshots]
    assert [(s.content, len(s.attachments)) for s in seen] == [("", 0), ("a robin", 1)]


async def test_what_one_person_sees_cannot_be_forwarded(sandbox: Sandbox) -> None:
    async with running(sandbox):
        private = await (await sandbox.member.run_command("look", {"name": "x"})).answer()
        with pytest.raises(NotPossible, match="forwarded"):
            await sandbox.member.forward(private, sandbox.channel)


async def test_waiting_for_a_message_that_never_comes_says_what_was_said(sandbox: Sandbox) -> None:
    await sandbox.member.post(sandbox.channel, "something else")
    with pytest.raises(TimeoutError, match="something else"):
        await sandbox.wait_for(lambda m: False, timeout=0.01)
    with pytest.raises(KeyError):
        await sandbox.wait_for(lambda m: m["no such field"], timeout=0.01)
