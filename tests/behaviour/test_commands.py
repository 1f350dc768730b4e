"""/identify and Apps > Identify."""

from __future__ import annotations

import asyncio

import discord
import pytest

from bot.photos import request
from engine import EngineBusy, Group
from tests.behaviour.world import JPEG, PNG, World

PHOTO = ("IMG_1.jpg", JPEG)
with_content = pytest.mark.parametrize("settings", [{"message_content": True}], indirect=True)


async def test_an_attachment_is_identified_and_echoed(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO)
    assert not result.ephemeral
    assert result.response is not None
    (embed,) = result.response.embeds
    assert embed.title == "European robin"
    assert [file.filename for file in result.response.attachments] == ["photo.jpg"]
    assert embed.image.url == "attachment://photo.jpg"
    assert world.engine.asked == [((JPEG,), Group.AUTO)]


async def test_the_command_is_acknowledged_before_anything_else(world: World) -> None:
    await world.alice.slash(world.channel, "identify", photo=PHOTO)
    first, *_ = [call for call in world.env.http_requests if "/interactions/" in call.path]
    assert first.path.endswith("/callback")
    assert first.json == {"type": 5}


@pytest.mark.parametrize("group", list(Group))
async def test_every_group_can_be_chosen(world: World, group: Group) -> None:
    await world.alice.slash(world.channel, "identify", photo=PHOTO, group=group.value)
    assert world.engine.groups == [group]


async def test_a_link_is_identified(world: World) -> None:
    world.web.pages["https://example.org/robin"] = PNG
    result = await world.alice.slash(world.channel, "identify", url="https://example.org/robin")
    assert result.response is not None
    assert result.response.embeds[0].title == "European robin"
    assert world.engine.asked == [((PNG,), Group.AUTO)]


@pytest.mark.parametrize(
    ("page", "said"), [(None, "could not reach"), (b"<html>", "is a web page, not a photo")]
)
async def test_a_bad_link_is_said(world: World, page: bytes | None, said: str) -> None:
    if page is not None:
        world.web.pages["https://example.org/"] = page
    result = await world.alice.slash(world.channel, "identify", url="https://example.org/")
    assert result.response is not None
    assert said in result.response.content
    assert world.engine.asked == []


async def test_where_too_many_wait_that_is_said_before_anything_is_fetched(world: World) -> None:
    world.engine.no_room = EngineBusy(7)
    result = await world.alice.slash(world.channel, "identify", url="https://nowhere.example/")
    assert result.response is not None
    assert "try again in 7 s" in result.response.content


async def test_neither_or_both_is_refused_for_the_asker_alone(world: World) -> None:
    neither = await world.alice.slash(world.channel, "identify")
    both = await world.alice.slash(
        world.channel, "identify", photo=PHOTO, url="https://example.org/"
    )
    for result in (neither, both):
        assert result.ephemeral
        assert result.response is not None
        assert "Give me one photo" in result.response.content


async def test_a_private_answer_is_the_askers_alone(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO, private=True)
    assert result.ephemeral
    assert result.response is not None
    assert result.response.embeds[0].title == "European robin"
    assert result.response.components == []


async def test_a_file_that_is_no_photo_is_said(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=("a.jpg", b"%PDF-1.7"))
    assert result.response is not None
    assert "`a.jpg` is a PDF" in result.response.content


async def test_a_busy_engine_is_said(world: World) -> None:
    world.engine.error = EngineBusy(3)
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO)
    assert result.response is not None
    assert "try again in 3 s" in result.response.content


async def test_a_spoilered_photo_is_echoed_behind_a_spoiler(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=("SPOILER_IMG.jpg", JPEG))
    assert result.response is not None
    (embed,) = result.response.embeds
    assert embed.image.url is None
    assert [file.filename for file in result.response.attachments] == ["SPOILER_photo.jpg"]
    assert "||**European robin**||" in (embed.description or "")


async def test_without_files_the_card_says_why_there_is_no_photo(world: World) -> None:
    channel = world.channel_where(attach_files=False)
    result = await world.alice.slash(channel, "identify", photo=PHOTO)
    assert result.response is not None
    assert result.response.attachments == []
    assert "I may not attach files here" in (result.response.embeds[0].footer.text or "")


async def test_without_embeds_the_answer_is_text(world: World) -> None:
    channel = world.channel_where(embed_links=False)
    result = await world.alice.slash(channel, "identify", photo=PHOTO)
    assert result.response is not None
    assert result.response.embeds == []
    assert "**European robin**" in result.response.content


async def test_it_works_in_direct_messages(world: World) -> None:
    result = await world.alice.user.slash("identify", photo=PHOTO)
    assert result.response.embeds[0].title == "European robin"
    assert [file.filename for file in result.response.attachments] == ["photo.jpg"]


async def test_the_asker_can_remove_the_answer(world: World) -> None:
    result = await world.alice.slash(world.channel, "identify", photo=PHOTO)
    assert result.response is not None
    await world.alice.click(result.response, label="Remove")
    assert result.response is None


async def test_the_menu_of_a_message_identifies_its_photo(world: World) -> None:
    photo = await world.alice.send(world.channel, "look", attachments=[PHOTO])
    bob = world.guild.add_member(world.env.create_user("bob"))
    result = await bob.context_menu(world.channel, "Identify", photo)
    assert result.response is not None
    (embed,) = result.response.embeds
    assert embed.title == "European robin"
    assert f"[Go to the photo]({photo.jump_url})" in (embed.description or "")
    assert result.response.attachments == []


async def test_the_menu_of_a_message_without_a_photo_says_so(world: World) -> None:
    text = await world.alice.send(world.channel, "look")
    result = await world.alice.context_menu(world.channel, "Identify", text)
    assert result.ephemeral
    assert result.response is not None
    assert "no photo in that message" in result.response.content


async def test_the_menu_of_an_answer_identifies_the_photo_that_it_answers(world: World) -> None:
    photo = await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    bob = world.guild.add_member(world.env.create_user("bob"))
    question = await bob.send(world.channel, "which robin?", reply_to=photo)
    for message in (question, world.answers[0]):
        result = await bob.context_menu(world.channel, "Identify", message)
        assert result.response is not None
        (embed,) = result.response.embeds
        assert f"[Go to the photo]({photo.jump_url})" in (embed.description or "")


@with_content
async def test_the_menu_is_acknowledged_before_the_photo_is_looked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await world.alice.send(world.channel, attachments=[PHOTO])
    question = await world.alice.send(world.channel, "which robin?", reply_to=photo)
    found = hold_answered(world, monkeypatch)
    result = await world.alice.context_menu(world.channel, "Identify", question)
    assert result.deferred
    assert world.engine.asked == []
    found.set()
    await world.env.settle()
    assert result.response is not None
    assert result.response.embeds[0].title == "European robin"


def hold_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let no message that is answered be found before the event is set."""
    find, found = request.answered_by, asyncio.Event()

    async def answered_by(message: discord.Message) -> discord.Message | None:
        await world.env.external_wait(found.wait(), reason="Discord is slow")
        return await find(message)

    monkeypatch.setattr(request, "answered_by", answered_by)
    return found


async def test_the_menu_of_an_answer_to_no_photo_says_so(world: World) -> None:
    text = await world.alice.send(world.channel, "look")
    question = await world.alice.send(world.channel, "where?", reply_to=text)
    result = await world.alice.context_menu(world.channel, "Identify", question)
    assert result.response is not None
    assert "no photo in that message" in result.response.content
    await world.alice.click(result.response, label="Remove")
    assert world.answers == []


async def test_an_answer_that_a_moderator_deleted_is_not_taken_for_an_error(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.engine.hold(world.env)
    await world.alice.slash(world.channel, "identify", photo=PHOTO)
    (thinking,) = world.answers
    world.env.backend.delete_message(world.channel.id, thinking.id)
    world.engine.answering.set()
    with caplog.at_level("INFO", logger="bot.errors"):
        await world.env.settle()
    assert "An answer is not wanted any more" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(world.env.errors) == 1


async def test_the_menu_takes_the_picture_of_a_links_preview(world: World) -> None:
    world.web.pages["https://example.org/og.png"] = PNG
    hook = world.guild.create_webhook(world.channel)
    preview = discord.Embed().set_image(url="https://example.org/og.png")
    shared = await hook.send("https://example.org/", embed=preview)
    result = await world.alice.context_menu(world.channel, "Identify", shared)
    assert result.response is not None
    assert result.response.embeds[0].title == "European robin"
    assert world.engine.asked == [((PNG,), Group.AUTO)]


async def test_a_link_behind_a_spoiler_gets_a_spoilered_card(world: World) -> None:
    world.web.pages["https://example.org/og.png"] = PNG
    hook = world.guild.create_webhook(world.channel)
    preview = discord.Embed(url="https://example.org/").set_image(url="https://example.org/og.png")
    shared = await hook.send("guess: ||https://example.org/||", embed=preview)
    result = await world.alice.context_menu(world.channel, "Identify", shared)
    assert result.response is not None
    assert result.response.embeds[0].title == "Behind the spoiler"


async def test_an_answer_from_the_menu_goes_with_its_photo(world: World) -> None:
    photo = await world.alice.send(world.channel, attachments=[PHOTO])
    result = await world.alice.context_menu(world.channel, "Identify", photo)
    assert result.response is not None
    await world.alice.delete(photo)
    assert result.response is None
