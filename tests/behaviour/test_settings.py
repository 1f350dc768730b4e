"""/settings: watched channels, how sure a verdict must be, languages. For places see test_place."""

from __future__ import annotations

import discord
import pytest
import simcord

from bot.store import GuildSettings, WatchedChannel
from engine import CERTAINTY, Group
from tests.behaviour.world import JPEG, World

PHOTO = [("IMG_1.jpg", JPEG)]
with_content = pytest.mark.parametrize("settings", [{"message_content": True}], indirect=True)


@pytest.fixture
def boss(world: World) -> simcord.MemberActor:
    role = world.guild.create_role("boss", permissions=discord.Permissions(manage_guild=True))
    return world.guild.add_member(world.env.create_user("boss"), roles=[role])


async def said(boss: simcord.MemberActor, world: World, name: str, /, **options: object) -> str:
    result = await boss.slash(world.channel, f"settings {name}", **options)
    assert result.ephemeral
    assert result.response is not None
    return result.response.content


@with_content
async def test_every_photo_of_a_watched_channel_gets_a_card(
    world: World, boss: simcord.MemberActor
) -> None:
    text = await said(boss, world, "watch", channel=world.channel, group="bird")
    assert "every photo in" in text
    assert "birds" in text
    await world.alice.send(world.channel, "morning", attachments=PHOTO)
    await world.alice.send(world.channel, "no photo here")
    await world.alice.send(world.channel, "a film", attachments=[("v.mp4", b"video")])
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]
    assert world.engine.groups == [Group.BIRD]


@with_content
async def test_a_thread_of_a_watched_channel_is_watched(
    world: World, boss: simcord.MemberActor
) -> None:
    await said(boss, world, "watch", channel=world.channel)
    thread = await start_thread(world)
    await world.alice.send(thread, attachments=PHOTO)
    assert len(world.answers_in(thread)) == 1


async def start_thread(
    world: World, parent: simcord.ChannelHandle | None = None
) -> simcord.ChannelHandle:
    parent = parent or world.channel
    channel = world.env.bot.get_channel(parent.id)
    assert isinstance(channel, discord.TextChannel)
    with world.env.time_context():
        await channel.create_thread(name="walk", type=discord.ChannelType.public_thread)
    await world.env.settle()
    return parent.threads[0]


@with_content
async def test_unwatching_ends_it(world: World, boss: simcord.MemberActor) -> None:
    assert "not watching" in await said(boss, world, "unwatch", channel=world.channel)
    await said(boss, world, "watch", channel=world.channel)
    assert "no longer watch" in await said(boss, world, "unwatch", channel=world.channel)
    await world.alice.send(world.channel, attachments=PHOTO)
    assert world.answers_in(world.channel) == world.channel.history(viewer=world.alice)[1:]


@with_content
async def test_show_lists_what_is_watched(world: World, boss: simcord.MemberActor) -> None:
    assert "No channel is watched" in await said(boss, world, "show")
    await said(boss, world, "watch", channel=world.channel, group="plant")
    assert f"{world.channel.mention}: plants" in await said(boss, world, "show")


async def watched_ids(world: World) -> list[int]:
    assert world.bot._store is not None
    return [channel.channel_id for channel in await world.bot._store.watched_in(world.guild.id)]


@with_content
async def test_what_is_deleted_is_watched_no_more(world: World, boss: simcord.MemberActor) -> None:
    thread = await start_thread(world)
    parent = world.guild.create_text_channel("walks")
    below = await start_thread(world, parent)
    for channel in (world.channel, thread, parent, below):
        await said(boss, world, "watch", channel=channel)
    world.env.backend.delete_channel(thread.id)
    await world.env.settle()
    assert thread.id not in await watched_ids(world)
    world.env.backend.delete_channel(parent.id)
    await world.env.settle()
    assert await watched_ids(world) == [world.channel.id]


@with_content
async def test_what_was_deleted_unnoticed_is_forgotten_when_shown(
    world: World, boss: simcord.MemberActor
) -> None:
    assert world.bot._store is not None
    gone = WatchedChannel(channel_id=4711, guild_id=world.guild.id, group=Group.BIRD)
    await world.bot._store.watch(gone)
    await said(boss, world, "watch", channel=world.channel)
    assert "4711" not in await said(boss, world, "show")
    assert await watched_ids(world) == [world.channel.id]


@with_content
async def test_a_server_that_removes_the_bot_is_forgotten_but_not_in_an_outage(
    world: World, boss: simcord.MemberActor
) -> None:
    assert world.bot._store is not None
    await said(boss, world, "watch", channel=world.channel)
    await said(boss, world, "certainty", percent=60)
    outage = {"id": str(world.guild.id), "unavailable": True}
    world.env.backend.emit("GUILD_DELETE", outage)
    await world.env.settle()
    assert await watched_ids(world) == [world.channel.id]
    world.env.backend.emit("GUILD_DELETE", {"id": str(world.guild.id)})
    await world.env.settle()
    assert await watched_ids(world) == []
    assert await world.bot._store.settings_of(world.guild.id) == GuildSettings()


async def test_however_many_channels_are_watched_they_are_shown(
    world: World, boss: simcord.MemberActor
) -> None:
    assert world.bot._store is not None
    for number in range(60):
        channel = world.guild.create_text_channel(f"walk-{number}")
        await world.bot._store.watch(
            WatchedChannel(channel_id=channel.id, guild_id=world.guild.id, group=Group.GENERIC)
        )
    text = await said(boss, world, "show")
    assert 1900 < len(text) <= 2000
    shown = text.count("<#")
    assert f"... and {60 - shown} more." in text
    assert "without the Message Content intent" in text


async def test_a_server_chooses_how_sure_a_verdict_must_be(
    world: World, boss: simcord.MemberActor
) -> None:
    assert "A species is named from 60 %." in await said(boss, world, "certainty", percent=60)
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    await world.alice.slash(world.channel, "identify", photo=PHOTO[0])
    await world.alice.user.slash("identify", photo=PHOTO[0])
    assert world.engine.certainties == [0.6, 0.6, CERTAINTY]
    assert "A species is named from 60 %." in await said(boss, world, "show")


async def test_the_default_certainty_comes_back(world: World, boss: simcord.MemberActor) -> None:
    default = f"A species is named from {round(CERTAINTY * 100)} % (the default)."
    assert default in await said(boss, world, "show")
    await said(boss, world, "certainty", percent=95)
    assert default in await said(boss, world, "certainty")
    await world.alice.slash(world.channel, "identify", photo=PHOTO[0])
    assert world.engine.certainties == [CERTAINTY]


@with_content
async def test_an_edited_request_is_redone_under_the_servers_settings(
    world: World, boss: simcord.MemberActor
) -> None:
    photo = await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    await said(boss, world, "certainty", percent=90)
    await world.alice.edit(photo, f"{world.mention} bird")
    assert world.engine.certainties == [CERTAINTY, 0.9]


async def test_species_are_named_in_the_language_that_a_server_chooses(
    world: World, boss: simcord.MemberActor
) -> None:
    text = await said(boss, world, "language", name="German")
    assert text.startswith("Species are named in German. I know 1,")
    assert "Species are named in German." in await said(boss, world, "show")
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    await world.alice.slash(world.channel, "identify", photo=PHOTO[0])
    private = await world.alice.slash(world.channel, "identify", photo=PHOTO[0], private=True)
    assert [answer.embeds[0].title for answer in world.answers] == ["Rotkehlchen"] * 2
    assert "[Rotkehlchen](" in (world.answers[0].embeds[0].description or "")
    assert private.response is not None
    assert private.response.embeds[0].title == "European robin"


async def test_an_edited_request_is_redone_in_the_servers_language(
    world: World, boss: simcord.MemberActor
) -> None:
    photo = await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    await said(boss, world, "language", name="français")
    await world.alice.edit(photo, f"{world.mention} bird")
    (answer,) = world.answers
    assert answer.embeds[0].title == "Rougegorge familier"


async def test_the_servers_own_language_comes_back(world: World, boss: simcord.MemberActor) -> None:
    own = "Species are named in the server's own language"
    assert own in await said(boss, world, "show")
    await said(boss, world, "language", name="de")
    assert own in await said(boss, world, "language")
    await world.alice.slash(world.channel, "identify", photo=PHOTO[0])
    assert world.answers[0].embeds[0].title == "European robin"


async def test_a_server_is_answered_in_its_locale(world: World) -> None:
    guild = world.env.bot.get_guild(world.guild.id)
    assert guild is not None
    guild.preferred_locale = discord.Locale.spain_spanish
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert world.answers[0].embeds[0].title == "Petirrojo europeo"


async def test_what_is_no_language_is_refused_and_the_nearest_offered(
    world: World, boss: simcord.MemberActor
) -> None:
    assert "I know no language called “Germn”. Did you mean German" in await said(
        boss, world, "language", name="Germn"
    )
    assert len(world.env.errors) == 1
    offered = await boss.autocomplete(world.channel, "settings language", "name", "deu")
    assert offered[0] == {"name": "German", "value": "de"}


@with_content
async def test_missing_permissions_are_named(world: World, boss: simcord.MemberActor) -> None:
    channel = world.channel_where(embed_links=False, read_message_history=False)
    text = await said(boss, world, "watch", channel=channel)
    assert "I still need these permissions there: Embed Links, Read Message History." in text


@with_content
async def test_a_thread_needs_the_permission_to_write_in_threads(
    world: World, boss: simcord.MemberActor
) -> None:
    quiet = world.channel_where(send_messages=False, send_messages_in_threads=True)
    barred = world.channel_where(send_messages=True, send_messages_in_threads=False)
    for channel, lacking in ((quiet, None), (barred, "Send Messages in Threads.")):
        thread = await start_thread(world, channel)
        text = await said(boss, world, "watch", channel=thread)
        assert ("I still need" in text) is (lacking is not None)
        assert text.endswith(lacking or "for anything.")


async def test_without_the_intent_watching_is_refused_and_why(
    world: World, boss: simcord.MemberActor
) -> None:
    assert "without the Message Content intent" in await said(
        boss, world, "watch", channel=world.channel
    )
    shown = await said(boss, world, "show")
    assert "No channel is watched" in shown
    assert "without the Message Content intent" in shown


async def test_members_do_not_see_the_command(world: World) -> None:
    assert not [name for name in world.alice.available_commands(world.channel) if "setting" in name]


async def test_a_member_given_the_command_is_still_refused(world: World) -> None:
    commands = await world.bot.tree.fetch_commands()
    settings = next(command for command in commands if command.name == "settings")
    world.guild.set_command_permissions(settings, {world.alice: True})
    result = await world.alice.slash(world.channel, "settings show")
    assert result.ephemeral
    assert result.response is not None
    assert "You need the permission Manage Server" in result.response.content
    assert len(world.env.errors) == 1
