"""/teach: moderators teach, others suggest, and whatever was learnt can be undone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
import simcord

from bot.app import FieldmarkBot
from bot.config import Settings
from bot.lesson_card import learnt_card
from bot.teacher import Taught
from engine import (
    EngineBusy,
    EngineFailed,
    Group,
    ModelUnavailable,
    Requester,
    Taxon,
    TaxonTable,
)
from tests.behaviour.world import JPEG, PNG, PREVIEW, CannedEngine, World, build

PHOTO = ("IMG_1.jpg", JPEG)
SPOILERED = ("SPOILER_IMG_1.jpg", JPEG)
GBIF_OFF = "looking names up at GBIF is switched off: choose one that I offer."
PAINTED_LADY = "https://www.gbif.org/species/4299368"


@pytest.fixture
def mod(world: World) -> simcord.MemberActor:
    return moderator(world, "mod")


def moderator(world: World, name: str) -> simcord.MemberActor:
    role = world.guild.create_role(name, permissions=discord.Permissions(manage_messages=True))
    return world.guild.add_member(world.env.create_user(name), roles=[role])


async def teach(
    who: simcord.MemberActor,
    world: World,
    species: str = "Vanessa cardui",
    channel: simcord.ChannelHandle | None = None,
    **options: Any,
) -> simcord.ResponseMessage:
    photo = options or {"photo": PHOTO}
    result = await who.slash(channel or world.channel, "teach", species=species, **photo)
    assert result.response is not None
    return result.response


def labels(message: simcord.ResponseMessage) -> list[str]:
    return [c["label"] for row in message.components for c in row["components"]]


def card(message: discord.Message | simcord.ResponseMessage) -> discord.Embed:
    (embed,) = message.embeds
    return embed


async def test_what_a_moderator_teaches_is_learnt_at_once(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, "painted lady")
    assert not message.ephemeral
    embed = card(message)
    assert (embed.title, embed.url) == ("Learned: Painted Lady", PAINTED_LADY)
    assert embed.description == (
        f"*Vanessa cardui*\nTaught by {mod.mention}."
        " It is the first photo of this species in the index."
    )
    assert embed.image.url == "attachment://photo.jpg"
    assert [file.filename for file in message.attachments] == ["photo.jpg"]
    assert labels(message) == ["Undo"]
    ((photo, taxon),) = world.engine.learnt.values()
    assert (photo, taxon.scientific_name) == (JPEG, "Vanessa cardui")


async def test_what_is_taught_and_suggested_is_called_as_the_server_calls_it(
    world: World,
) -> None:
    powers = discord.Permissions(manage_messages=True, manage_guild=True)
    role = world.guild.create_role("boss", permissions=powers)
    boss = world.guild.add_member(world.env.create_user("boss"), roles=[role])
    await boss.slash(world.channel, "settings language", name="French")
    learnt = card(await teach(boss, world, "painted lady"))
    assert learnt.title == "Learned: Belle-Dame"
    suggested = card(await teach(world.alice, world, "painted lady"))
    assert suggested.title == "Suggested: Belle-Dame"
    assert f"[Belle-Dame]({PAINTED_LADY}) · *Vanessa cardui*" in (suggested.description or "")


async def test_nothing_of_who_taught_it_is_handed_on(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world)
    (credit,) = world.engine.credits
    assert (credit.source, credit.licence, credit.attribution, credit.url) == (
        "discord", "", "", None,
    )  # fmt: skip
    (identity,) = world.engine.learnt
    for number in (mod.id, world.guild.id, world.channel.id, message.id):
        assert str(number) not in identity


async def test_the_command_is_acknowledged_before_anything_else(
    world: World, mod: simcord.MemberActor
) -> None:
    for who in (mod, world.alice):
        before = len(world.env.http_requests)
        await teach(who, world)
        first = world.env.http_requests[before]
        assert first.path.endswith("/callback")
        assert first.json == {"type": 5}


async def test_the_same_photo_again_was_known_already(
    world: World, mod: simcord.MemberActor
) -> None:
    await teach(mod, world)
    again = await teach(mod, world)
    assert card(again).title == "Known already: Painted Lady"
    assert "nothing was added" in (card(again).description or "")
    assert labels(again) == ["Remove"]
    other = await teach(mod, world, photo=("b.png", PNG))
    assert "The index has 2 photos of this species now." in (card(other).description or "")


async def test_a_link_is_taught(world: World, mod: simcord.MemberActor) -> None:
    world.web.pages["https://example.org/lady"] = PNG
    await teach(mod, world, url="https://example.org/lady")
    assert [photo for photo, _ in world.engine.learnt.values()] == [PNG]


async def test_a_spoilered_photo_stays_behind_its_spoiler(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, photo=SPOILERED)
    embed = card(message)
    assert (embed.title, embed.url, embed.image.url) == ("Learned", None, None)
    assert (embed.description or "").startswith(
        f"||[Painted Lady]({PAINTED_LADY}) · *Vanessa cardui*||\n"
    )
    assert [file.filename for file in message.attachments] == ["SPOILER_photo.jpg"]


async def test_a_name_that_is_refused_stays_behind_the_spoiler_of_its_photo(
    world: World, mod: simcord.MemberActor
) -> None:
    for who in (mod, world.alice):
        message = await teach(who, world, "Vanesa", photo=SPOILERED)
        assert re.fullmatch(r"\|\|[^|]*“Vanesa”[^|]*\|\|", message.content)
    assert "||" not in (await teach(mod, world, "Vanesa")).content


async def test_what_could_not_be_learnt_now_is_said_before_anything_is_read(
    world: World, mod: simcord.MemberActor
) -> None:
    suggestion = await teach(world.alice, world)
    world.engine.no_room = EngineFailed("I'm shutting down.")
    for who in (mod, world.alice):
        refused = await teach(who, world, photo=("IMG_1.jpg", b"%PDF-1.7"))
        assert refused.content == "I'm shutting down."
    pressed = await mod.click(suggestion, label="Accept")
    assert [message.content for message in pressed.followups] == ["I'm shutting down."]


async def test_what_was_made_of_a_name_stays_behind_the_spoiler_too() -> None:
    taught = Taught(
        taxon=Taxon(scientific_name="Cyanistes caeruleus", rank="species"),
        spoiler=True,
        notes=("Parus caeruleus is a synonym at GBIF.",),
    )
    for allowed in (discord.Permissions.all(), discord.Permissions.none()):
        rendered = learnt_card(taught, "Taught.", allowed, discord.ui.View())
        shown = (
            (rendered.content or "") if rendered.embed is None else str(rendered.embed.to_dict())
        )
        assert "||Parus caeruleus is a synonym at GBIF.||" in shown
        assert "caeruleus" not in re.sub(r"\|\|.*?\|\|", "", shown)


async def test_without_embeds_the_card_is_text_and_can_be_undone(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, channel=world.channel_where(embed_links=False))
    assert message.embeds == []
    assert message.content.startswith(
        f"**Learned: Painted Lady**\n[Painted Lady]({PAINTED_LADY}) · *Vanessa cardui*\n"
    )
    assert "I may not embed links here" in message.content
    await mod.click(message, label="Undo")
    assert message.content.startswith("**Forgotten: Painted Lady**\n[Painted Lady](")
    assert message.content.endswith(f"Taken out of the index again by {mod.mention}.")


async def test_without_files_the_card_says_why_there_is_no_photo(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world, channel=world.channel_where(attach_files=False))
    assert message.attachments == []
    assert card(message).footer.text == "I may not attach files here, so the photo is not shown."


async def test_undo_has_exactly_that_photo_forgotten(
    world: World, mod: simcord.MemberActor
) -> None:
    first = await teach(mod, world)
    await teach(mod, world, photo=("b.png", PNG))
    await mod.click(first, label="Undo")
    assert [photo for photo, _ in world.engine.learnt.values()] == [PNG]
    embed = card(first)
    assert (embed.title, embed.url) == ("Forgotten: Painted Lady", PAINTED_LADY)
    assert embed.description == (
        f"*Vanessa cardui*\nTaken out of the index again by {mod.mention}."
    )
    assert embed.image.url == "attachment://photo.jpg"
    assert [file.filename for file in first.attachments] == ["photo.jpg"]
    assert labels(first) == ["Remove"]


async def test_undo_waits_in_the_name_of_who_undoes(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world)
    another = moderator(world, "another")
    await another.click(message, label="Undo")
    assert world.engine.requesters == [
        Requester(member=who.id, server=world.guild.id) for who in (mod, another)
    ]


async def test_what_is_not_there_any_more_is_said(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world, photo=SPOILERED)
    world.engine.learnt.clear()
    await mod.click(message, label="Undo")
    assert card(message).title == "Forgotten"
    assert (card(message).description or "").endswith("It was not in the index any more.")


async def test_only_who_taught_it_and_moderators_may_undo(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world)
    refused = await world.alice.click(message, label="Undo")
    assert refused.response is not None
    assert refused.response.ephemeral
    assert refused.response.content.startswith("Only who gave me this photo, or somebody who may")
    assert len(world.engine.learnt) == 1
    await moderator(world, "another").click(message, label="Undo")
    assert world.engine.learnt == {}


async def test_an_undo_that_fails_can_be_tried_again(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(mod, world)
    world.engine.error = EngineFailed("`fieldmark index remove` takes out the species.")
    failed = await mod.click(message, label="Undo")
    assert failed.followups[0].content == "`fieldmark index remove` takes out the species."
    assert failed.followups[0].ephemeral
    world.engine.error = None
    await mod.click(message, label="Undo")
    assert world.engine.learnt == {}


async def test_undo_outlives_a_restart(
    world: World, mod: simcord.MemberActor, restart: Callable[[], Awaitable[None]]
) -> None:
    message = await teach(mod, world)
    await restart()
    await mod.click(message, label="Undo")
    assert world.engine.learnt == {}
    assert card(message).title == "Forgotten: Painted Lady"


async def test_a_photo_whose_card_the_network_lost_is_forgotten_again(
    world: World, mod: simcord.MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = discord.Interaction.edit_original_response

    async def lose_the_card(self: discord.Interaction[FieldmarkBot], **parts: object) -> object:
        if parts.get("embeds"):
            raise aiohttp.ServerDisconnectedError
        return await edit(self, **parts)  # type: ignore[arg-type]

    monkeypatch.setattr(discord.Interaction, "edit_original_response", lose_the_card)
    message = await teach(mod, world)
    assert message.content.startswith("Something went wrong on my side.")
    assert world.engine.credits != []
    assert world.engine.learnt == {}


async def test_a_photo_whose_card_could_not_be_shown_is_forgotten_again(
    world: World, mod: simcord.MemberActor
) -> None:
    await teach(world.alice, world)
    (message,) = world.answers
    world.engine.hold(world.env)
    accepting = await mod.click(message, label="Accept")
    await mod.delete(message)
    world.engine.answering.set()
    await world.env.settle()
    assert world.engine.credits != []
    assert world.engine.learnt == {}
    assert accepting.followups[0].content == "The message is gone, so nothing was learnt."


async def test_others_suggest_and_a_moderator_accepts(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(world.alice, world)
    embed = card(message)
    assert embed.title == "Suggested: Painted Lady"
    assert embed.description == (
        f"{world.alice.mention} suggests that this is"
        f" [Painted Lady]({PAINTED_LADY}) · *Vanessa cardui*.\n"
        "Whoever may manage messages here can accept that, and I learn it."
    )
    assert embed.image.url is None
    assert [file.filename for file in message.attachments] == ["photo.jpg"]
    assert labels(message) == ["Accept", "Decline"]
    assert world.engine.learnt == {}
    assert world.engine.groups == [Group.GENERIC]
    await mod.click(message, label="Accept")
    assert [photo for photo, _ in world.engine.learnt.values()] == [PREVIEW]
    embed = card(message)
    assert embed.title == "Learned: Painted Lady"
    assert embed.description == (
        f"*Vanessa cardui*\nSuggested by {world.alice.mention}, accepted by {mod.mention}."
        " It is the first photo of this species in the index."
    )
    assert embed.image.url == "attachment://photo.jpg"
    assert labels(message) == ["Undo"]
    await world.alice.click(message, label="Undo")
    assert world.engine.learnt == {}, "whose photo it is may take it back"


async def test_a_suggestion_outlives_a_restart(
    world: World, mod: simcord.MemberActor, restart: Callable[[], Awaitable[None]]
) -> None:
    message = await teach(world.alice, world, photo=SPOILERED)
    assert card(message).title == "Suggested"
    assert f"this is ||[Painted Lady]({PAINTED_LADY})" in (card(message).description or "")
    await restart()
    await mod.click(message, label="Accept")
    assert card(message).title == "Learned"
    assert card(message).image.url is None
    assert [file.filename for file in message.attachments] == ["SPOILER_photo.jpg"]


async def test_members_may_not_accept_or_decline(world: World) -> None:
    message = await teach(world.alice, world)
    bob = world.guild.add_member(world.env.create_user("bob"))
    for who, label in ((world.alice, "Accept"), (bob, "Accept"), (bob, "Decline")):
        refused = await who.click(message, label=label)
        assert refused.response is not None
        assert refused.response.ephemeral
        assert "may manage messages here" in refused.response.content
    assert labels(message) == ["Accept", "Decline"]
    assert world.engine.learnt == {}


async def test_a_moderator_declines(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(world.alice, world)
    await mod.click(message, label="Decline")
    embed = card(message)
    assert embed.title == "Declined: Painted Lady"
    assert embed.description is not None
    assert embed.description.startswith(f"{world.alice.mention} suggests that this is")
    assert embed.description.endswith(f"\nDeclined by {mod.mention}.")
    assert labels(message) == ["Remove"]
    assert len(message.attachments) == 1


async def test_who_suggested_it_may_withdraw(world: World) -> None:
    await teach(world.alice, world)
    (message,) = world.answers
    await world.alice.click(message, label="Decline")
    assert world.answers == []
    assert world.engine.learnt == {}


async def test_a_suggestion_is_decided_once(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(world.alice, world)
    world.engine.hold(world.env)
    accepting = await mod.click(message, label="Accept")
    assert accepting.acknowledged
    late = await moderator(world, "another").click(message, label="Decline")
    assert late.followups[0].content.startswith("Somebody else has pressed a button here just now")
    world.engine.answering.set()
    await world.env.settle()
    assert card(message).title == "Learned: Painted Lady"
    assert labels(message) == ["Undo"]


async def test_a_suggestion_waits_while_it_cannot_be_learnt(
    world: World, mod: simcord.MemberActor
) -> None:
    message = await teach(world.alice, world)
    world.engine.error = EngineBusy(3)
    busy = await mod.click(message, label="Accept")
    assert "try again in 3 s" in busy.followups[0].content
    assert labels(message) == ["Accept", "Decline"]
    world.engine.error = None
    await mod.click(message, label="Accept")
    assert labels(message) == ["Undo"]


async def test_two_suggestions_of_one_photo_are_learnt_once(
    world: World, mod: simcord.MemberActor
) -> None:
    messages = [await teach(world.alice, world) for _ in range(2)]
    for message in messages:
        await mod.click(message, label="Accept")
    assert card(messages[1]).title == "Known already: Painted Lady"
    assert len(world.engine.learnt) == 1


async def test_without_files_nothing_is_suggested(world: World) -> None:
    message = await teach(world.alice, world, channel=world.channel_where(attach_files=False))
    assert message.ephemeral
    assert "nobody could see what you suggest" in message.content


async def test_without_embeds_a_suggestion_is_text_beside_its_photo(
    world: World, mod: simcord.MemberActor
) -> None:
    channel = world.channel_where(embed_links=False)
    message = await teach(world.alice, world, channel=channel)
    assert message.content.startswith("**Suggested: Painted Lady**\n")
    assert len(message.attachments) == 1
    await mod.click(message, label="Accept")
    assert message.content.startswith("**Learned: Painted Lady**\n")


async def test_neither_or_both_photos_are_refused_for_the_asker_alone(
    world: World, mod: simcord.MemberActor
) -> None:
    neither = await mod.slash(world.channel, "teach", species="Vanessa cardui")
    both = await mod.slash(
        world.channel, "teach", species="Vanessa cardui", photo=PHOTO, url="https://example.org/"
    )
    for result in (neither, both):
        assert result.ephemeral
        assert result.response is not None
        assert "Give me one photo" in result.response.content


@pytest.mark.parametrize(
    ("species", "says"),
    [
        ("Vanessa", "“Vanessa” is a genus, not a species: name one species of it."),
        ("Nymphalidae", "“Nymphalidae” is a family, not a species: name one species of it."),
        (
            "Vanessa imaginaria",
            f"I have no species “Vanessa imaginaria” in my own list, and {GBIF_OFF}",
        ),
    ],
)
async def test_what_is_no_species_is_said(
    world: World, mod: simcord.MemberActor, species: str, says: str
) -> None:
    message = await teach(mod, world, species)
    assert message.content == says
    assert labels(message) == ["Remove"]
    assert world.engine.credits == []


@pytest.mark.parametrize("who", ["mod", "alice"])
async def test_without_an_index_the_engine_says_why(
    world: World, mod: simcord.MemberActor, who: str
) -> None:
    why = "My index cannot be used: whoever runs me finds the reason in my log."
    world.engine.error = ModelUnavailable(Group.GENERIC, why)
    message = await teach(mod if who == "mod" else world.alice, world)
    assert message.content == why


async def test_a_file_that_is_no_photo_is_said(world: World, mod: simcord.MemberActor) -> None:
    message = await teach(mod, world, photo=("a.jpg", b"%PDF-1.7"))
    assert "`a.jpg` is a PDF" in message.content


@pytest.mark.parametrize("settings", [{"servers": [123456789012345678]}], indirect=True)
async def test_a_server_that_may_not_teach_is_told_so(
    world: World, mod: simcord.MemberActor
) -> None:
    for who in (mod, world.alice):
        message = await teach(who, world)
        assert message.ephemeral
        assert message.content == (
            "This server may not teach me species: whoever runs me can allow it by adding its id,"
            f" {world.guild.id}, to `servers` under `[teach]` in my settings."
        )


@pytest.mark.parametrize("settings", [{"servers": []}], indirect=True)
async def test_where_no_server_may_teach_there_is_no_command(world: World) -> None:
    assert isinstance(world.env.bot, FieldmarkBot)
    assert world.env.bot.tree.get_command("teach") is None


async def test_a_suggestion_is_not_accepted_once_the_server_may_not_teach(
    world: World,
    mod: simcord.MemberActor,
    settings: Settings,
    engine: CannedEngine,
    taxa: TaxonTable,
) -> None:
    taught = await teach(mod, world, photo=("b.png", PNG))
    message = await teach(world.alice, world)
    closed = settings.model_copy(update={"teach": Settings().teach})
    again = build(closed, engine, taxa, world.web)
    await world.env.restart_bot(again)
    refused = await mod.click(message, label="Accept")
    assert refused.response is not None
    assert "may not teach me species" in refused.response.content
    assert len(world.engine.learnt) == 1
    await mod.click(taught, label="Undo")
    assert world.engine.learnt == {}, "what was taught can be undone even so"
    await again.close()


@pytest.mark.parametrize("typed", ["painted la", "vanessa", "kohlmeise", "a", "", "great ti"])
async def test_only_species_are_offered(world: World, taxa: TaxonTable, typed: str) -> None:
    choices = await world.alice.autocomplete(world.channel, "teach", "species", typed)
    assert len(choices) <= 25
    ranks = {taxon.rank for choice in choices for taxon in taxa.named(choice["value"])}
    assert ranks <= {"species", "subspecies", "infraspecies", "hybrid"}
    assert bool(choices) is bool(typed)
