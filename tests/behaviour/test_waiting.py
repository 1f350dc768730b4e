"""Who has to wait is told how many are ahead, and in whose name photos wait."""

from __future__ import annotations

import asyncio
from unittest.mock import create_autospec

import discord
import pytest

from bot.waiting import wait_shown
from engine import Requester
from tests.behaviour.world import JPEG, World

PHOTO = ("IMG_1.jpg", JPEG)


def texts(world: World) -> list[str]:
    return [message.content for message in world.answers]


@pytest.mark.parametrize("command", ["/identify", "Apps > Identify"])
async def test_the_place_in_the_queue_is_shown_until_the_card_is_there(
    world: World, command: str
) -> None:
    photo = await world.alice.send(world.channel, attachments=[PHOTO])
    world.engine.hold(world.env)
    world.engine.ahead = 3
    if command == "/identify":
        await world.alice.slash(world.channel, "identify", photo=PHOTO)
    else:
        await world.alice.context_menu(world.channel, "Identify", photo)
    assert texts(world) == [""]
    await world.env.advance_time(100)
    assert texts(world) == ["3 requests are ahead of yours."]
    world.engine.ahead = 1
    await world.env.advance_time(100)
    assert texts(world) == ["3 requests are ahead of yours."]
    await world.env.advance_time(100)
    assert texts(world) == ["1 request is ahead of yours."]
    world.engine.ahead = None
    await world.env.advance_time(200)
    assert texts(world) == ["I'm looking at it now."]
    world.engine.answering.set()
    await world.env.settle()
    await world.env.advance_time(1000)
    (answer,) = world.answers
    assert answer.content == ""
    assert answer.embeds[0].title == "European robin"


async def test_a_wait_for_the_pixels_alone_is_not_worth_a_word(world: World) -> None:
    world.engine.hold(world.env)
    await world.alice.slash(world.channel, "identify", photo=PHOTO)
    await world.env.advance_time(500)
    assert texts(world) == [""]
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers[0].embeds[0].title == "European robin"


async def test_an_answer_is_not_given_up_because_its_place_cannot_be_shown(world: World) -> None:
    world.engine.hold(world.env)
    world.engine.ahead = 2
    await world.alice.slash(world.channel, "identify", photo=PHOTO)
    world.env.inject_error("PATCH", "/webhooks/*/*/messages/@original", status=500, code=0)
    await world.env.advance_time(100)
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers[0].embeds[0].title == "European robin"


async def test_photos_wait_in_the_name_of_their_member_and_server(world: World) -> None:
    photo = await world.alice.send(world.channel, f"{world.mention}", attachments=[PHOTO])
    bob = world.guild.add_member(world.env.create_user("bob"))
    await bob.slash(world.channel, "identify", photo=PHOTO)
    await bob.context_menu(world.channel, "Identify", photo)
    await world.alice.user.slash("identify", photo=PHOTO)
    alice_id, bob_id, guild_id = world.alice.id, bob.id, world.guild.id
    assert world.engine.requesters == [
        Requester(member=alice_id, server=guild_id),
        Requester(member=bob_id, server=guild_id),
        Requester(member=bob_id, server=guild_id),
        Requester(member=alice_id, server=None),
    ]


async def test_nobody_goes_on_telling_where_the_answer_is_stopped_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.waiting._FIRST_AFTER_S", 0)
    edited, may_end = asyncio.Event(), asyncio.Event()

    async def edit(**_: object) -> None:
        edited.set()
        await may_end.wait()

    interaction = create_autospec(discord.Interaction, instance=True)
    interaction.edit_original_response = edit
    others = asyncio.all_tasks()

    async def answer() -> None:
        async with wait_shown(interaction) as ticket:
            ticket.issue(lambda: 3)
            await edited.wait()

    answering = asyncio.create_task(answer())
    await edited.wait()
    await asyncio.sleep(0)  # lets it come to the end of its block
    (teller,) = asyncio.all_tasks() - others - {answering}
    answering.cancel()
    await asyncio.wait({answering})
    with pytest.raises(asyncio.CancelledError):
        await teller
