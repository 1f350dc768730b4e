"""Cards that follow their source, and the button that removes them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace

import discord
import pytest

from bot.store import GuildSettings, Reply, Store
from engine import Group
from tests.behaviour.world import ANSWER, JPEG, LARUS_VERDICT, PNG, World

PHOTO = [("IMG_1.jpg", JPEG)]
with_content = pytest.mark.parametrize("settings", [{"message_content": True}], indirect=True)


async def ask(world: World, text: str = "") -> discord.Message:
    return await world.alice.send(world.channel, f"{world.mention} {text}", attachments=PHOTO)


async def edit(world: World, message: discord.Message, **fields: object) -> None:
    """Change a message as its author's client would, attachments included."""
    world.env.backend.edit_message(message.channel.id, message.id, fields)
    await world.env.settle()


async def delete_together(world: World, *messages: discord.Message) -> None:
    """Delete messages as a moderation bot does, in one request."""
    ids = [str(message.id) for message in messages]
    for message in messages:
        del world.env.backend.messages[message.channel.id][message.id]
    world.env.backend.emit(
        "MESSAGE_DELETE_BULK",
        {"ids": ids, "channel_id": str(world.channel.id), "guild_id": str(world.guild.id)},
    )
    await world.env.settle()


async def edit_quietly(world: World, message: discord.Message) -> None:
    """Take the photos from a message without telling the bot."""
    world.env.backend.messages[message.channel.id][message.id].attachments = []


async def test_a_deleted_photo_takes_its_card_along(world: World) -> None:
    photo = await ask(world)
    await world.alice.delete(photo)
    assert world.answers == []


async def test_a_bulk_deletion_takes_the_cards_along(world: World) -> None:
    photos = [await ask(world), await ask(world)]
    await delete_together(world, *photos)
    assert world.answers == []


async def test_cards_that_are_deleted_together_do_not_wait_for_one_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await ask(world)
    remember, go_on = Store.remember, asyncio.Event()

    async def slowly(self: Store, reply: Reply) -> None:
        await world.env.external_wait(go_on.wait(), reason="the disk is slow")
        await remember(self, reply)

    monkeypatch.setattr(Store, "remember", slowly)
    first = await ask(world)
    await delete_together(world, first, second)
    assert [answer.reference and answer.reference.message_id for answer in world.answers] == [
        first.id
    ]
    go_on.set()
    await world.env.settle()
    assert world.answers == []


async def test_a_deletion_that_fails_keeps_no_other_card(world: World) -> None:
    photo = await ask(world)
    bob = world.guild.add_member(world.env.create_user("bob"))
    await bob.send(world.channel, world.mention, reply_to=photo)
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=400, code=50083, times=1)
    await world.alice.delete(photo)
    assert len(world.answers) == 1
    assert world.env.errors == []


@with_content
async def test_a_card_is_redone_once_where_its_question_and_its_photo_are_edited(
    world: World,
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    asking = await world.alice.send(world.channel, world.mention, reply_to=photo)
    stored = world.env.backend.store_attachments(world.channel.id, [("b.png", PNG)])
    world.engine.hold(world.env)
    await world.alice.edit(asking, f"{world.mention} plant")
    change = world.env.backend.edit_message
    change(world.channel.id, photo.id, {"attachments": stored})
    change(world.channel.id, asking.id, {"content": f"{world.mention} bird"})
    await world.env.settle()
    world.engine.answering.set()
    await world.env.settle()
    assert world.engine.asked[-1] == ((PNG,), Group.BIRD)
    assert [call.method for call in world.env.http_requests].count("PATCH") == 1


async def test_a_photo_put_in_after_another_was_taken_out_is_answered(world: World) -> None:
    photo = await ask(world)
    await edit(world, photo, attachments=[])
    assert not any(answer.embeds for answer in world.answers)
    stored = world.env.backend.store_attachments(world.channel.id, [("b.png", PNG)])
    await edit(world, photo, attachments=stored)
    assert sum(bool(answer.embeds) for answer in world.answers) == 1


async def test_a_card_that_was_removed_stays_away(world: World) -> None:
    photo = await ask(world, "plant")
    (card,) = world.answers
    await world.alice.click(card, label="Remove")
    await world.alice.edit(photo, f"{world.mention} bird, please")
    assert world.answers == []


async def test_a_card_that_was_removed_stays_away_after_a_restart(
    world: World, restart: Callable[[], Awaitable[None]]
) -> None:
    photo = await ask(world, "plant")
    (card,) = world.answers
    await world.alice.click(card, label="Remove")
    await restart()
    await world.alice.edit(photo, f"{world.mention} bird, please")
    assert world.answers == []


@with_content
@pytest.mark.parametrize("by_menu", [True, False])
async def test_a_photo_exchanged_while_somebody_elses_card_of_it_is_made_is_the_one_shown(
    world: World, by_menu: bool
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    bob = world.guild.add_member(world.env.create_user("bob"))
    world.engine.hold(world.env)
    if by_menu:
        await bob.context_menu(world.channel, "Identify", photo)
    else:
        await bob.send(world.channel, f"{world.mention} bird", reply_to=photo)
    stored = world.env.backend.store_attachments(world.channel.id, [("b.png", PNG)])
    await edit(world, photo, attachments=stored)
    world.engine.answering.set()
    await world.env.settle()
    group = Group.AUTO if by_menu else Group.BIRD
    assert world.engine.asked == [((JPEG,), group), ((PNG,), group)]
    assert len(world.answers) == 1


@with_content
async def test_a_photo_taken_out_while_somebody_elses_card_of_it_is_made_gets_no_card(
    world: World,
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    bob = world.guild.add_member(world.env.create_user("bob"))
    world.engine.hold(world.env)
    await bob.send(world.channel, world.mention, reply_to=photo)
    await edit(world, photo, attachments=[])
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers == []


@with_content
async def test_an_edit_of_the_photos_text_does_not_stop_what_a_reply_asked_for(
    world: World,
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    asking = await world.alice.send(world.channel, world.mention, reply_to=photo)
    world.engine.hold(world.env)
    world.engine.answer = replace(ANSWER, verdict=LARUS_VERDICT)
    await world.alice.edit(asking, f"{world.mention} bird")
    await world.alice.edit(photo, "seen this morning")
    world.engine.answering.set()
    await world.env.settle()
    (answer,) = world.answers
    assert answer.embeds[0].title == "A bird of the genus Larus"


async def test_a_photo_is_answered_though_the_database_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: Store, message_id: int) -> list[Reply]:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "replies_to", fail)
    await ask(world)
    assert len(world.answers) == 1
    assert "cannot be read" in caplog.text


async def test_another_group_word_redoes_the_card(world: World) -> None:
    photo = await ask(world, "plant")
    world.engine.answer = replace(ANSWER, verdict=LARUS_VERDICT)
    await world.alice.edit(photo, f"{world.mention} bird")
    (answer,) = world.answers
    assert answer.embeds[0].title == "A bird of the genus Larus"
    assert world.engine.groups == [Group.PLANT, Group.BIRD]


async def test_an_edit_that_changes_nothing_is_ignored(world: World) -> None:
    photo = await ask(world, "bird")
    await world.alice.edit(photo, f"{world.mention} is this a bird?")
    assert world.engine.groups == [Group.BIRD]


async def test_a_changed_photo_redoes_the_card(world: World) -> None:
    photo = await ask(world)
    stored = world.env.backend.store_attachments(world.channel.id, [("b.png", PNG)])
    await edit(world, photo, attachments=stored)
    assert len(world.answers) == 1
    assert world.engine.asked == [((JPEG,), Group.AUTO), ((PNG,), Group.AUTO)]


async def test_a_removed_photo_takes_its_card_along(world: World) -> None:
    photo = await ask(world)
    await edit(world, photo, attachments=[])
    assert world.answers == []


@with_content
async def test_a_card_follows_the_photo_replied_to(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    await world.alice.send(world.channel, world.mention, reply_to=photo)
    assert len(world.answers) == 1
    await world.alice.delete(photo)
    assert world.answers == []


@with_content
async def test_a_reply_that_names_another_group_redoes_the_card(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    asking = await world.alice.send(world.channel, world.mention, reply_to=photo)
    await world.alice.edit(asking, f"{world.mention} plant")
    assert world.engine.groups == [Group.AUTO, Group.PLANT]
    assert len(world.answers) == 1


async def test_a_photo_deleted_while_it_is_looked_at_gets_no_card(world: World) -> None:
    world.engine.hold(world.env)
    photo = await ask(world)
    assert len(world.engine.asked) == 1
    await world.alice.delete(photo)
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers == []


async def test_a_photo_deleted_before_it_is_read_is_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(self: Store, guild_id: int | None) -> GuildSettings:
        await world.env.external_wait(asyncio.Event().wait(), reason="the disk is slow")
        return GuildSettings()

    monkeypatch.setattr(Store, "settings_of", slowly)
    photo = await ask(world)
    await world.alice.delete(photo)
    # Python would warn of a reading that was prepared and never begun, which fails the test.
    assert world.answers == []


async def test_a_group_named_while_the_photo_is_looked_at_starts_over(world: World) -> None:
    world.engine.hold(world.env)
    photo = await ask(world)
    await world.alice.edit(photo, f"{world.mention} bird")
    world.engine.answering.set()
    await world.env.settle()
    assert len(world.answers) == 1
    assert world.engine.groups == [Group.AUTO, Group.BIRD]


async def test_a_photo_deleted_while_its_menu_is_answered_gets_no_card(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    world.engine.hold(world.env)
    await world.alice.context_menu(world.channel, "Identify", photo)
    assert len(world.engine.asked) == 1
    await world.alice.delete(photo)
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers == []
    assert world.env.errors == []


@pytest.mark.parametrize("by_menu", [True, False])
async def test_a_photo_deleted_while_its_card_is_shown_takes_it_along(
    world: World, monkeypatch: pytest.MonkeyPatch, by_menu: bool
) -> None:
    remember, go_on = Store.remember, asyncio.Event()

    async def slowly(self: Store, reply: Reply) -> None:
        await world.env.external_wait(go_on.wait(), reason="the disk is slow")
        await remember(self, reply)

    monkeypatch.setattr(Store, "remember", slowly)
    if by_menu:
        photo = await world.alice.send(world.channel, attachments=PHOTO)
        await world.alice.context_menu(world.channel, "Identify", photo)
    else:
        photo = await ask(world)
    assert len(world.answers) == 1
    await world.alice.delete(photo)
    go_on.set()
    await world.env.settle()
    assert world.answers == []


async def test_of_two_edits_the_last_one_wins(world: World) -> None:
    photo = await ask(world, "plant")
    world.engine.hold(world.env)
    await world.alice.edit(photo, f"{world.mention} bird")
    world.engine.held_by = None
    await world.alice.edit(photo, f"{world.mention} insect")
    world.engine.answer = replace(ANSWER, verdict=LARUS_VERDICT)
    world.engine.answering.set()
    await world.env.settle()
    assert world.engine.groups == [Group.PLANT, Group.BIRD, Group.INSECT]
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]


async def test_an_edit_taken_back_while_the_card_is_redone_leaves_the_card(world: World) -> None:
    photo = await ask(world, "plant")
    world.engine.hold(world.env)
    world.engine.answer = replace(ANSWER, verdict=LARUS_VERDICT)
    await world.alice.edit(photo, f"{world.mention} bird")
    await world.alice.edit(photo, f"{world.mention} plant")
    world.engine.answering.set()
    await world.env.settle()
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]


async def test_an_edit_of_the_photo_leaves_alone_who_else_asked_about_it(world: World) -> None:
    photo = await ask(world, "plant")
    world.engine.hold(world.env)
    bob = world.guild.add_member(world.env.create_user("bob"))
    await bob.send(world.channel, world.mention, reply_to=photo)
    await world.alice.edit(photo, f"{world.mention} bird")
    world.engine.answering.set()
    await world.env.settle()
    assert len(world.answers) == 2
    assert world.engine.groups == [Group.PLANT, Group.AUTO, Group.BIRD]


async def test_a_card_that_cannot_be_remembered_is_a_card(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    assert world.bot._store is not None
    await world.bot._store._database.execute("PRAGMA query_only = ON")
    result = await world.alice.context_menu(world.channel, "Identify", photo)
    await ask(world)
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"] * 2
    assert result.response is not None
    assert f"Reply {result.response.id} will not follow its message" in caplog.text
    assert world.env.errors == []


async def test_a_deletion_the_bot_may_not_follow_is_survived(world: World) -> None:
    photo = await ask(world)
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=403, code=50013)
    await world.alice.delete(photo)
    assert len(world.answers) == 1
    assert world.env.errors == []


async def test_changes_that_the_network_loses_are_lines_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def lose(*args: object, **kwargs: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    photo = await ask(world)
    monkeypatch.setattr(world.bot.http, "edit_message", lose)
    monkeypatch.setattr(world.bot.http, "delete_message", lose)
    with caplog.at_level("INFO", logger="bot.conversation"):
        await world.alice.edit(photo, f"{world.mention} bird")
        await world.alice.delete(photo)
    assert [message.partition(" could")[2].partition(":")[0] for message in caplog.messages] == [
        " not be edited", " not be deleted",
    ]  # fmt: skip
    assert world.env.errors == []


async def test_how_to_goes_with_its_question_and_outlives_an_edit(world: World) -> None:
    question = await world.alice.send(world.channel, f"{world.mention} helo")
    await world.alice.edit(question, f"{world.mention} hello")
    assert len(world.answers) == 1
    await world.alice.delete(question)
    assert world.answers == []


@with_content
async def test_a_mention_added_by_an_edit_is_answered(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    question = await world.alice.send(world.channel, "which bird?", reply_to=photo)
    await world.alice.edit(question, f"{world.mention} which bird?")
    await world.alice.edit(question, f"{world.mention} which bird is it?")
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]
    assert world.engine.groups == [Group.BIRD]


async def test_a_photo_added_by_an_edit_gets_a_card_in_place_of_the_advice(world: World) -> None:
    question = await world.alice.send(world.channel, world.mention)
    assert "/identify" in world.answers[0].content
    stored = world.env.backend.store_attachments(world.channel.id, PHOTO)
    await edit(world, question, attachments=stored)
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]


async def test_a_photo_taken_out_while_it_is_looked_at_gets_advice(world: World) -> None:
    world.engine.hold(world.env)
    photo = await ask(world)
    await edit(world, photo, attachments=[])
    world.engine.answering.set()
    await world.env.settle()
    (answer,) = world.answers
    assert "/identify" in answer.content


@with_content
async def test_an_edit_of_the_photos_text_while_it_is_looked_at_changes_nothing(
    world: World,
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    world.engine.hold(world.env)
    await world.alice.send(world.channel, world.mention, reply_to=photo)
    await world.alice.edit(photo, "seen this morning")
    world.engine.answering.set()
    await world.env.settle()
    assert len(world.answers) == 1
    assert len(world.engine.asked) == 1


@with_content
async def test_a_question_whose_photo_cannot_be_seen_any_more_keeps_its_card(
    world: World,
) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    asking = await world.alice.send(world.channel, world.mention, reply_to=photo)
    await edit_quietly(world, photo)
    await world.alice.edit(asking, f"{world.mention} bird")
    assert len(world.answers) == 1
    assert world.engine.groups == [Group.AUTO]


async def test_following_survives_a_restart(
    world: World, restart: Callable[[], Awaitable[None]]
) -> None:
    photo = await ask(world)
    await restart()
    await world.alice.delete(photo)
    assert world.answers == []


async def test_the_asker_can_remove_the_card(world: World) -> None:
    await ask(world)
    await world.alice.click(world.answers[0], label="Remove")
    assert world.answers == []


async def test_others_cannot_remove_the_card(world: World) -> None:
    bob = world.guild.add_member(world.env.create_user("bob"))
    await ask(world)
    pressed = await bob.click(world.answers[0], label="Remove")
    assert len(world.channel.history(viewer=world.alice)) == 2
    assert pressed.ephemeral
    assert pressed.response is not None
    assert "Only the person who asked" in pressed.response.content


async def test_a_moderator_can_remove_the_card(world: World) -> None:
    role = world.guild.create_role("mods", permissions=discord.Permissions(manage_messages=True))
    mod = world.guild.add_member(world.env.create_user("mod"), roles=[role])
    await ask(world)
    await mod.click(world.answers[0], label="Remove")
    assert world.answers == []


async def test_the_button_survives_a_restart(
    world: World, restart: Callable[[], Awaitable[None]]
) -> None:
    await ask(world)
    await restart()
    await world.alice.click(world.answers[0], label="Remove")
    assert world.answers == []
