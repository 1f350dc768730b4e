"""Photos posted as messages: which ones ask for a card, and what is answered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import discord
import pytest

from bot.config import Settings
from engine import (
    EngineBusy,
    EngineFailed,
    EngineTimeout,
    Group,
    ModelUnavailable,
    PhotoRejected,
)
from tests.behaviour.world import ANSWER, JPEG, PNG, World

PHOTO = [("IMG_1.jpg", JPEG)]
with_content = pytest.mark.parametrize("settings", [{"message_content": True}], indirect=True)


async def test_a_photo_with_a_mention_gets_a_card(world: World) -> None:
    photo = await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers
    assert answer.reference is not None
    assert answer.reference.message_id == photo.id
    assert answer.embeds[0].title == "European robin"
    assert "93 %" in (answer.embeds[0].description or "")
    assert answer.attachments == []
    assert world.engine.asked == [((JPEG,), Group.AUTO)]
    assert ("POST", f"/channels/{world.channel.id}/typing") in [
        (request.method, request.path) for request in world.env.http_requests
    ]


@pytest.mark.parametrize(
    ("text", "group"),
    [("bird", Group.BIRD), ("what plant is that?", Group.PLANT), ("Insects!", Group.INSECT)],
)
async def test_a_word_names_the_group(world: World, text: str, group: Group) -> None:
    await world.alice.send(world.channel, f"{world.mention} {text}", attachments=PHOTO)
    assert world.engine.groups == [group]


@with_content
async def test_a_photo_without_a_mention_is_left_alone(world: World) -> None:
    await world.alice.send(world.channel, "my bird", attachments=PHOTO)
    await world.alice.send(world.channel, "hello")
    assert world.answers == []
    assert world.engine.asked == []


@pytest.mark.parametrize("settings", [{}, {"message_content": True}], indirect=True)
async def test_a_mention_of_the_bots_role_does_or_it_is_said_why_not(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = world.guild.create_role(world.user.name, mentionable=True)
    own = property(lambda guild: guild.get_role(role.id))
    monkeypatch.setattr(discord.Guild, "self_role", own)
    text = f"<@&{role.id}> bird"
    photo = await world.alice.send(world.channel, text, attachments=PHOTO)
    (answer,) = world.answers
    if settings.discord.message_content:
        assert world.engine.groups == [Group.BIRD]
        return
    assert answer.content.startswith("You mentioned my role")
    await world.alice.edit(photo, f"{world.mention} bird")
    assert [answer.embeds[0].title for answer in world.answers] == ["European robin"]


async def test_bots_are_not_answered(world: World) -> None:
    hook = world.guild.create_webhook(world.channel)
    await hook.send(f"{world.mention} bird")
    assert world.answers == []


async def test_several_photos_are_one_individual_and_get_one_card(world: World) -> None:
    photos = [("a.jpg", JPEG), ("b.png", PNG), ("c.jpg", JPEG), ("v.mp4", b"video")]
    await world.alice.send(world.channel, world.mention, attachments=photos)
    (answer,) = world.answers
    assert world.engine.asked == [((JPEG, PNG), Group.AUTO)]
    footer = answer.embeds[0].footer.text or ""
    assert "2 photos, taken as views of one individual." in footer
    assert "Only the first 2 photos were looked at." in footer
    assert "Videos are left out." in footer


async def test_a_bad_file_among_good_ones_is_left_out(world: World) -> None:
    photos = [("a.jpg", b"<html>"), ("b.png", PNG)]
    await world.alice.send(world.channel, world.mention, attachments=photos)
    (answer,) = world.answers
    assert world.engine.asked == [((PNG,), Group.AUTO)]
    assert "Left out: “a.jpg” is a web page" in (answer.embeds[0].footer.text or "")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("bird.jpg", b"%PDF-1.7", "`bird.jpg` is a PDF, not a photo"),
        ("bird.png", b"<svg xmlns='...'/>", "is an SVG drawing"),
        ("bird.jpg", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "is a video"),
        ("bird.jpg", b"", "is an empty file"),
        ("bird.jpg", JPEG + bytes(5000), "I read at most"),
        ("clip.mp4", b"\0\0\0\x18ftypmp42", "I can't watch videos"),
        ("notes.pdf", b"%PDF-1.7", "`notes.pdf` is not a photo"),
    ],
)
async def test_what_is_no_photo_is_said(world: World, name: str, data: bytes, said: str) -> None:
    await world.alice.send(world.channel, world.mention, attachments=[(name, data)])
    (answer,) = world.answers
    assert said in answer.content
    assert answer.embeds == []
    assert world.engine.asked == []


async def test_a_mention_without_a_photo_explains_how_to(world: World) -> None:
    await world.alice.send(world.channel, f"{world.mention} hello")
    (answer,) = world.answers
    assert "/identify" in answer.content


async def test_thanking_the_bot_is_not_answered(world: World) -> None:
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    await world.alice.send(world.channel, "thanks!", reply_to=world.answers[0])
    assert len(world.answers) == 1


@with_content
async def test_a_mention_in_a_reply_identifies_the_photo_replied_to(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    bob = world.guild.add_member(world.env.create_user("bob"))
    asking = await bob.send(world.channel, f"{world.mention} bird", reply_to=photo)
    (answer,) = world.answers
    assert answer.reference is not None
    assert answer.reference.message_id == asking.id
    assert world.engine.asked == [((JPEG,), Group.BIRD)]


async def test_a_mention_in_a_reply_to_a_card_identifies_its_photo_again(world: World) -> None:
    photo = await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    (card,) = world.answers
    await world.alice.send(world.channel, f"{world.mention} plant", reply_to=card)
    assert len(world.answers) == 2
    assert world.engine.asked == [((JPEG,), Group.AUTO), ((JPEG,), Group.PLANT)]
    await world.alice.delete(photo)
    assert world.answers == []


async def test_a_photo_that_discord_hides_is_said(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    await world.alice.send(world.channel, world.mention, reply_to=photo)
    assert "hold that message down (or right-click it)" in world.answers[0].content
    assert "Apps > Identify" in world.answers[0].content


@pytest.mark.parametrize("settings", [{}, {"message_content": True}], indirect=True)
async def test_only_what_works_is_advised(world: World, settings: Settings) -> None:
    await world.alice.send(world.channel, world.mention)
    (advice,) = world.answers
    assert ("in a reply to a photo" in advice.content) is settings.discord.message_content
    assert "hold its message down (or right-click it)" in advice.content


async def test_a_forwarded_photo_is_a_photo(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=PHOTO)
    dm = world.alice.user.dm_channel
    await world.alice.forward(photo, dm)
    assert world.answers_in(dm)[0].embeds[0].title == "European robin"


async def test_the_picture_of_a_forwarded_links_preview_is_a_photo(world: World) -> None:
    world.web.pages["https://example.org/og.png"] = PNG
    hook = world.guild.create_webhook(world.channel)
    preview = discord.Embed().set_image(url="https://example.org/og.png")
    shared = await hook.send("https://example.org/", embed=preview)
    await world.alice.forward(shared, world.alice.user.dm_channel)
    assert world.engine.asked == [((PNG,), Group.AUTO)]


@pytest.mark.parametrize(
    ("files", "said"),
    [([], "no photo in what you forwarded"), ([("v.mp4", b"video")], "I can't watch videos")],
)
async def test_what_is_forwarded_without_a_photo_is_said(
    world: World, files: list[tuple[str, bytes]], said: str
) -> None:
    source = await world.alice.send(world.channel, "look", attachments=files)
    dm = world.alice.user.dm_channel
    await world.alice.forward(source, dm)
    (answer,) = world.answers_in(dm)
    assert said in answer.content
    asked_for = [call.path for call in world.env.http_requests if call.method == "GET"]
    assert f"/channels/{dm.id}/messages/{source.id}" not in asked_for


async def test_thanking_the_bot_in_a_direct_message_is_not_answered(world: World) -> None:
    user = world.alice.user
    stored = world.env.backend.store_attachments(user.dm_channel.id, PHOTO)
    await user.send_dm("", attachments=stored)
    (card,) = world.answers_in(user.dm_channel)
    to_card = {"channel_id": str(user.dm_channel.id), "message_id": str(card.id)}
    await user.send_dm("thanks!", reference=to_card)
    assert world.answers_in(user.dm_channel) == [card]
    await user.send_dm("is it a plant?", reference=to_card)
    assert world.engine.groups == [Group.AUTO, Group.PLANT]


async def test_a_direct_message_needs_no_mention(world: World) -> None:
    stored = world.env.backend.store_attachments(world.alice.user.dm_channel.id, PHOTO)
    await world.alice.send_dm("bird", attachments=stored)
    await world.alice.send_dm("hello")
    card, how_to = world.answers_in(world.alice.user.dm_channel)
    assert card.embeds[0].title == "European robin"
    assert world.engine.groups == [Group.BIRD]
    assert how_to.content.startswith("Send me a photo, and I'll name the species")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineBusy(7), "try again in 7 s"),
        (EngineTimeout("That took too long."), "That took too long."),
        (EngineFailed("The worker died."), "The worker died."),
        (PhotoRejected("It is 80 megapixels."), "It is 80 megapixels."),
        (ModelUnavailable(Group.PLANT, "No plant model."), "No plant model."),
    ],
)
async def test_the_engines_refusals_are_one_sentence(
    world: World, error: Exception, said: str
) -> None:
    world.engine.error = error
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers
    assert said in answer.content
    assert answer.embeds == []


async def test_an_unexpected_error_is_told_with_its_id_and_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.engine.error = ZeroDivisionError("secret detail")
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers
    identifier = answer.content.rstrip(".").rsplit(" ", 1)[1]
    assert "secret" not in answer.content
    assert identifier in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text


async def test_a_spoilered_photo_gets_a_spoilered_card(world: World) -> None:
    await world.alice.send(world.channel, world.mention, attachments=[("SPOILER_bird.jpg", JPEG)])
    embed = world.answers[0].embeds[0]
    assert embed.title == "Behind the spoiler"
    assert "||**European robin**||" in (embed.description or "")


async def test_without_embeds_the_card_is_text(world: World) -> None:
    channel = world.channel_where(embed_links=False)
    await world.alice.send(channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers_in(channel)
    assert answer.embeds == []
    assert "**European robin**" in answer.content
    assert "I may not embed links here" in answer.content


async def test_where_embeds_turn_out_to_be_forbidden_the_card_is_text(world: World) -> None:
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50013)
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers
    assert answer.embeds == []
    assert "I may not embed links here" in answer.content


async def test_without_history_the_card_is_no_reply(world: World) -> None:
    channel = world.channel_where(read_message_history=False)
    await world.alice.send(channel, world.mention, attachments=PHOTO)
    (answer,) = world.answers_in(channel)
    assert answer.reference is None
    assert answer.embeds


async def test_where_the_bot_may_not_write_it_stays_quiet(world: World) -> None:
    channel = world.channel_where(send_messages=False)
    await world.alice.send(channel, world.mention, attachments=PHOTO)
    assert world.answers_in(channel) == []
    assert world.engine.asked == []
    assert world.env.errors == []


async def test_a_message_that_discord_tells_of_twice_is_answered_once(world: World) -> None:
    backend = world.env.backend
    world.engine.hold(world.env)
    photo = await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    stored = backend.messages[photo.channel.id][photo.id]
    backend.announce_message_create(stored)
    await world.env.settle()
    world.engine.answering.set()
    await world.env.settle()
    backend.announce_message_create(stored)
    await world.env.settle()
    assert len(world.answers) == 1
    assert len(world.engine.asked) == 1


async def test_a_failure_of_the_typing_indicator_costs_no_answer(world: World) -> None:
    world.env.inject_error("POST", "/channels/*/typing", status=500)
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert len(world.answers) == 1


async def test_a_typing_indicator_that_hangs_delays_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(channel_id: int) -> None:
        await world.env.external_wait(asyncio.Event().wait(), reason="Discord is slow")

    monkeypatch.setattr(world.bot.http, "send_typing", hang)
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert len(world.answers) == 1


async def test_an_answer_that_cannot_be_sent_is_given_up(world: World) -> None:
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50013, times=2)
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert world.answers == []
    assert world.env.errors == []


async def test_an_answer_that_the_network_loses_is_a_line_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def lose(*args: object, **kwargs: object) -> None:
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(world.bot.http, "send_message", lose)
    with caplog.at_level("INFO", logger="bot.delivery"):
        await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert f"No answer in channel {world.channel.id}: Server disconnected" in caplog.messages
    assert world.env.errors == []


async def test_nobody_is_pinged(world: World) -> None:
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    sent: list[Any] = [
        request.json
        for request in world.env.http_requests
        if (request.method, request.path) == ("POST", f"/channels/{world.channel.id}/messages")
    ]
    assert [message["allowed_mentions"] for message in sent] == [{"parse": []}]


async def test_an_animation_is_said(world: World) -> None:
    world.engine.answer = replace(ANSWER, notes=("First frame of an animation.",))
    await world.alice.send(world.channel, world.mention, attachments=PHOTO)
    assert "First frame of an animation." in (world.answers[0].embeds[0].footer.text or "")
