"""Apps > Teach: a moderator says what the photo of somebody's message shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import discord
import pytest
import simcord

from engine import EngineFailed
from tests.behaviour.test_commands import hold_answered, with_content
from tests.behaviour.test_teach import card, labels, mod, moderator
from tests.behaviour.world import JPEG, PNG, World

__all__ = ["mod"]

PHOTOS = [("IMG_1.jpg", JPEG), ("IMG_2.png", PNG)]


async def post(world: World, *photos: tuple[str, bytes]) -> discord.Message:
    return await world.alice.send(world.channel, "what is this?", attachments=list(photos))


async def teach(
    who: simcord.MemberActor, world: World, message: discord.Message, species: str
) -> simcord.ResponseMessage:
    asked = await who.context_menu(world.channel, "Teach", message)
    assert asked.modal is not None
    answered = await who.submit_modal(asked, {"species": species})
    assert answered.response is not None
    return answered.response


def offered(message: simcord.ResponseMessage) -> dict[str, str]:
    """Return what the menu below a message offers, by its value."""
    menus = [c for row in message.components for c in row["components"] if "options" in c]
    return {option["value"]: option["label"] for menu in menus for option in menu["options"]}


async def test_the_photo_of_a_message_is_learnt_and_not_shown_again(
    world: World, mod: simcord.MemberActor
) -> None:
    photo = await post(world, *PHOTOS)
    message = await teach(mod, world, photo, " painted  lady ")
    assert not message.ephemeral
    assert card(message).title == "Learned: Painted Lady"
    assert card(message).description == (
        f"*Vanessa cardui*\nTaught by {mod.mention} from [this message]({photo.jump_url})."
        " It is the first photo of this species in the index."
    )
    assert (card(message).image.url, message.attachments) == (None, [])
    assert card(message).footer.text == "Of the message's 2 photos, the first."
    assert [photo for photo, _ in world.engine.learnt.values()] == [JPEG]


async def test_a_card_is_corrected_by_its_own_menu(world: World, mod: simcord.MemberActor) -> None:
    photo = await world.alice.send(
        world.channel, f"{world.mention} what is this?", attachments=PHOTOS[:1]
    )
    (answer,) = world.answers
    assert card(answer).title == "European robin"
    message = await teach(mod, world, answer, "Vanessa cardui")
    assert f"from [this message]({photo.jump_url})" in (card(message).description or "")
    assert [photo for photo, _ in world.engine.learnt.values()] == [JPEG]
    await world.alice.click(message, label="Undo")
    assert world.engine.learnt == {}


async def test_whoever_asked_for_the_card_may_undo_it(
    world: World, mod: simcord.MemberActor
) -> None:
    asked = await world.alice.slash(world.channel, "identify", photo=PHOTOS[0])
    assert asked.response is not None
    message = await teach(mod, world, world.answers[-1], "Vanessa cardui")
    await world.alice.click(message, label="Undo")
    assert world.engine.learnt == {}


async def test_whoever_posted_it_may_undo_it(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanessa cardui")
    bob = world.guild.add_member(world.env.create_user("bob"))
    refused = await bob.click(message, label="Undo")
    assert refused.response is not None
    assert refused.response.ephemeral
    await world.alice.click(message, label="Undo")
    assert world.engine.learnt == {}
    assert card(message).title == "Forgotten: Painted Lady"


async def test_what_a_misspelt_name_may_mean_is_offered_to_who_typed_it(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    assert "“Vanesa carduii”" in message.content
    assert "Painted Lady" in offered(message)["Vanessa cardui"]
    refused = await moderator(world, "another").select(message, ["Vanessa cardui"])
    assert refused.response is not None
    assert refused.response.ephemeral
    assert world.engine.learnt == {}
    await mod.select(message, ["Vanessa cardui"])
    assert message.content == ""
    assert card(message).title == "Learned: Painted Lady"
    assert labels(message) == ["Undo"]
    await world.env.advance_time(3600)
    assert card(message).title == "Learned: Painted Lady", "nobody is late any more"


async def test_a_name_that_is_refused_stays_behind_the_spoiler_of_its_photo(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, await post(world, ("SPOILER_1.jpg", JPEG)), "Vanesa carduii")
    assert message.content.startswith("||I have no species “Vanesa carduii”")
    assert message.content.endswith("||")
    assert "Vanessa cardui" in offered(message)


async def test_a_name_like_no_other_is_refused(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "qqqqqqqqqq")
    assert message.content.startswith("I have no species “qqqqqqqqqq” in my own list")
    assert message.content.endswith("`/teach` offers names as they are typed.")
    assert labels(message) == ["Remove"]


async def test_who_chooses_too_late_is_told_so(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    await world.env.advance_time(14 * 60 + 1)
    assert message.content.startswith("Nobody chose in time")
    assert [c["label"] for row in message.components for c in row["components"]] == ["Remove"]
    await mod.click(message, label="Remove")
    assert message not in world.answers


@pytest.mark.parametrize("chosen", [True, False])
async def test_the_end_of_the_menu_leaves_other_cards_their_remove_button(
    world: World, mod: simcord.MemberActor, chosen: bool
) -> None:
    await world.alice.send(world.channel, world.mention, attachments=PHOTOS[:1])
    (older,) = world.answers
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    if chosen:
        await mod.select(message, ["Vanessa cardui"])
    else:
        await world.env.advance_time(14 * 60 + 1)
    await world.alice.click(older, label="Remove")
    assert older.id not in [answer.id for answer in world.answers]


@pytest.mark.parametrize("restarted", [True, False])
async def test_the_menu_can_be_removed_instead(
    world: World,
    mod: simcord.MemberActor,
    restart: Callable[[], Awaitable[None]],
    restarted: bool,
) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    refused = await world.alice.click(message, label="Remove")
    assert refused.response is not None
    assert refused.response.ephemeral
    assert world.env.errors == []
    if restarted:
        await restart()
    await mod.click(message, label="Remove")
    assert world.answers == []


async def test_the_menu_is_gone_while_what_was_chosen_is_learnt(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    world.engine.hold(world.env)
    await mod.select(message, ["Vanessa cardui"])
    assert message.content == "I'm looking at the photo."
    assert labels(message) == ["Remove"]
    world.engine.answering.set()
    await world.env.settle()
    assert message.content == ""
    assert labels(message) == ["Undo"]


async def test_what_is_removed_while_it_is_learnt_is_not_kept(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    world.engine.hold(world.env)
    await mod.select(message, ["Vanessa cardui"])
    await mod.click(message, label="Remove")
    world.engine.answering.set()
    await world.env.settle()
    assert world.answers == []
    assert world.engine.learnt == {}
    assert world.env.errors == []


async def test_what_goes_wrong_after_the_choice_is_said_in_the_place_of_the_menu(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, await post(world, *PHOTOS), "Vanesa carduii")
    world.engine.error = EngineFailed("The index cannot be written: make room.")
    await mod.select(message, ["Vanessa cardui"])
    assert message.content == "The index cannot be written: make room."
    assert labels(message) == ["Remove"]


@with_content
async def test_the_form_does_not_wait_for_the_photo_to_be_found(
    world: World, mod: simcord.MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await post(world, *PHOTOS)
    question = await world.alice.send(world.channel, "who knows?", reply_to=photo)
    found = hold_answered(world, monkeypatch)
    asked = await mod.context_menu(world.channel, "Teach", question)
    assert asked.modal is not None
    found.set()
    answered = await mod.submit_modal(asked, {"species": "Vanessa cardui"})
    assert answered.response is not None
    assert f"from [this message]({photo.jump_url})" in (card(answered.response).description or "")


async def test_an_answer_to_a_message_without_a_photo_is_refused(
    world: World, mod: simcord.MemberActor
) -> None:
    text = await world.alice.send(world.channel, "look")
    question = await world.alice.send(world.channel, "where?", reply_to=text)
    message = await teach(mod, world, question, "Vanessa cardui")
    assert "no photo in that message" in message.content


async def test_a_message_without_a_photo_is_refused(world: World, mod: simcord.MemberActor) -> None:
    text = await world.alice.send(world.channel, "look")
    result = await mod.context_menu(world.channel, "Teach", text)
    assert result.ephemeral
    assert result.response is not None
    assert "no photo in that message" in result.response.content


async def test_who_may_not_manage_messages_is_led_to_the_command(world: World) -> None:
    commands = await world.bot.tree.fetch_commands()
    (command,) = (command for command in commands if command.name == "Teach")
    world.guild.set_command_permissions(command, {world.alice: True})
    result = await world.alice.context_menu(world.channel, "Teach", await post(world, *PHOTOS))
    assert result.ephemeral
    assert result.response is not None
    assert "suggest it with `/teach`" in result.response.content


@pytest.mark.parametrize("settings", [{"servers": [123456789012345678]}], indirect=True)
async def test_a_server_that_may_not_teach_is_told_so(
    world: World, mod: simcord.MemberActor
) -> None:
    result = await mod.context_menu(world.channel, "Teach", await post(world, *PHOTOS))
    assert result.ephemeral
    assert result.response is not None
    assert "may not teach me species" in result.response.content
