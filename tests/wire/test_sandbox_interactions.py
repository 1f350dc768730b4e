"""Commands, buttons, menus, modals and the clocks of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
import pytest

from tests.wire.echo_bot import Bot, running
from tools.sandbox import Member, NoResponse, NotPossible, Sandbox, Settings
from tools.sandbox.places import Channel

PHOTO = {"photo": ("photo.png", b"not quite a photo")}


async def deferred(
    sandbox: Sandbox, bot: Bot, *, channel: Channel | None = None
) -> discord.Interaction[Any]:
    """Have a command run that the bot answers with "thinking"; return it as the bot has it."""
    received = bot.wait_for("interaction", timeout=5)
    bot.may_answer.set()
    asked = await sandbox.member.run_command("slow", channel=channel)
    await asked.acknowledged()
    return await received


async def test_commands_are_registered_as_the_bot_describes_them(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        await bot.tree.sync()
        fetched = await bot.tree.fetch_commands()
    assert sorted(c.name for c in fetched) == [
        "Measure",
        "echo",
        "look",
        "rank",
        "remark",
        "slow",
        "watch",
    ]
    by_name = {command["name"]: command for command in sandbox.commands}
    photo, group, private = by_name["echo"]["options"]
    assert (photo["type"], photo["required"]) == (11, True)
    assert [choice["value"] for choice in group["choices"]] == ["bird", "plant"]
    assert "required" not in private
    assert by_name["watch"]["default_member_permissions"] == "32"
    first, second = (
        [command["id"] for command in exchange.answer]
        for exchange in sandbox.exchanges
        if exchange.method == "PUT"
    )
    assert first == second


@pytest.mark.parametrize("private", [True, False])
async def test_a_deferred_answer_with_embed_and_file(sandbox: Sandbox, private: bool) -> None:
    async with running(sandbox):
        options = {"group": "bird", "private": private}
        asked = await sandbox.member.run_command("echo", options, attachments=PHOTO)
        answer = await asked.answer()
        placeholder = asked.original
    assert placeholder is not None
    assert answer["embeds"][0]["title"] == "17 bytes"
    assert answer["embeds"][0]["description"] == "bird"
    assert "/attachments/" in answer["embeds"][0]["image"]["url"]
    assert answer["attachments"] == []
    assert answer["flags"] == (64 if private else 0)
    assert answer["edited_timestamp"] is None
    assert answer["interaction"]["name"] == "echo"
    assert answer["interaction_metadata"]["user"]["id"] == str(sandbox.member.id)
    callback = next(e for e in sandbox.exchanges if e.path.endswith("/callback"))
    assert callback.answer["interaction"]["response_message_loading"] is True
    assert callback.answer["interaction"]["response_message_ephemeral"] is private


async def test_the_bot_hears_of_public_answers_only(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        await (await sandbox.member.run_command("look", {"name": "wren"})).answer()
        more = await sandbox.wait_for(lambda m: m["content"] == "and more")
        await sandbox.member.post(sandbox.channel, f"done {sandbox.mention}")
        await sandbox.wait_for(lambda m: m["content"] == "sizes []")
        heard = [message.content for message in bot.heard]
    assert heard[:2] == ["and more", f"done {sandbox.mention}"]
    assert more["flags"] == 0
    private = next(m for m in sandbox.said() if m["content"] == "you asked for wren")
    assert private["flags"] == 64


async def test_a_command_in_a_direct_message(sandbox: Sandbox) -> None:
    async with running(sandbox):
        asked = await sandbox.member.run_command("echo", attachments=PHOTO, channel=sandbox.dm)
        answer = await asked.answer()
    assert answer["channel_id"] == str(sandbox.dm.id)
    assert answer["embeds"][0]["title"] == "17 bytes"


async def test_autocomplete(sandbox: Sandbox) -> None:
    async with running(sandbox):
        choices = await sandbox.member.autocomplete("look", "name", "wr")
    assert choices == [{"name": f"wr{n}", "value": f"wr{n}"} for n in range(3)]


async def test_a_message_command_sees_the_whole_message(sandbox: Sandbox) -> None:
    async with running(sandbox, message_content=False):
        posted = await sandbox.other.post(sandbox.channel, "unseen", files=[("a.png", b"12345")])
        asked = await sandbox.member.use_message_command("Measure", posted)
        answer = await asked.answer()
    assert answer["content"] == "'unseen' [5]"
    assert answer["interaction_metadata"]["target_message_id"] == posted["id"]


async def test_a_button_works_through_its_custom_id_alone(sandbox: Sandbox) -> None:
    async with running(sandbox):
        await sandbox.member.post(sandbox.channel, sandbox.mention)
        answer = await sandbox.wait_for(lambda m: m["content"] == "sizes []")
    async with running(sandbox):
        await sandbox.member.press(answer, "keep:it")
        kept = await sandbox.wait_for(lambda m: m["content"] == "kept it")
        assert kept["id"] == answer["id"]
        assert kept["components"] == []
        with pytest.raises(NotPossible, match="no component"):
            await sandbox.member.press(answer, "keep:it")


async def test_a_menu_is_acknowledged_then_edited(sandbox: Sandbox) -> None:
    async with running(sandbox):
        question = await (await sandbox.member.run_command("rank")).answer()
        with pytest.raises(NotPossible, match="offers"):
            await sandbox.member.select(question, "rank", ["kingdom"])
        await sandbox.member.select(question, "rank", ["genus"])
        chosen = await sandbox.wait_for(lambda m: m["content"] == "chose ['genus']")
    assert chosen["id"] == question["id"]


async def test_modals_from_a_command_and_from_a_button(sandbox: Sandbox) -> None:
    async with running(sandbox):
        asked = await sandbox.member.run_command("remark")
        noted = await (await sandbox.member.submit(asked, {"text": "first year"})).answer()
        assert (noted["content"], noted["flags"]) == ("noted: first year", 64)
        question = await (await sandbox.member.run_command("rank")).answer()
        pressed = await sandbox.member.press(question, "open-remark")
        again = await (await sandbox.member.submit(pressed, {"text": "moulting"})).answer()
    assert again["content"] == "noted: moulting"
    triggering = again["interaction_metadata"]["triggering_interaction_metadata"]
    assert triggering["interacted_message_id"] == question["id"]


async def test_subcommands_and_permissions(sandbox: Sandbox) -> None:
    async with running(sandbox):
        options = {"channel": sandbox.channels["birds"].id}
        asked = await sandbox.moderator.run_command("watch add", options)
        answer = await asked.answer()
        assert answer["content"] == f"watching {options['channel']}"
        assert answer["interaction"]["name"] == "watch add"
        [chosen] = asked.data["resolved"]["channels"].values()
        granted = discord.Permissions(int(chosen["permissions"]))
        assert granted.manage_messages
        assert not granted.administrator
        with pytest.raises(NotPossible, match="no permission"):
            await sandbox.member.run_command("watch add", options)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("nothing", {}, "no command 'nothing'; it has Measure"),
        ("look", {}, "name is required"),
        ("look", {"nome": "x"}, "no option 'nome'"),
        ("echo", {"group": "fish"}, "group is one of"),
        ("echo", {}, "photo is required"),
    ],
)
async def test_discords_client_would_not_send_it(
    sandbox: Sandbox, name: str, options: dict[str, str], why: str
) -> None:
    async with running(sandbox):
        with pytest.raises(NotPossible, match=why):
            await sandbox.member.run_command(name, options)


async def test_a_late_acknowledgement_is_refused_and_the_person_told(spec: Path) -> None:
    settings = Settings(acknowledge_within=0.05)
    async with Sandbox(spec, settings=settings) as sandbox:
        async with running(sandbox) as bot:
            asked = await sandbox.member.run_command("slow")
            with pytest.raises(NoResponse, match="did not respond"):
                await asked.answer()
            bot.may_answer.set()
            refusal = await bot.refusal
        assert (refusal.status, refusal.code) == (404, 10062)
        assert sandbox.said() == []
        assert sandbox.violations == []


async def test_an_answer_after_fifteen_minutes_is_refused(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        interaction = await deferred(sandbox, bot)
        sandbox.settings.token_lifetime = 0.0
        with pytest.raises(discord.HTTPException) as refusal:
            await interaction.edit_original_response(content="too late")
        assert (refusal.value.status, refusal.value.code) == (401, 50027)


async def test_the_defer_fixes_who_sees_the_answer(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        interaction = await deferred(sandbox, bot)
        first = await interaction.followup.send("the answer", ephemeral=True, wait=True)
        second = await interaction.followup.send("a secret", ephemeral=True, wait=True)
        await first.edit(content="the better answer")
        await second.delete()
        original = await interaction.original_response()
        assert original.id == first.id
        with pytest.raises(discord.NotFound):
            await interaction.followup.fetch_message(second.id)
        with pytest.raises(discord.HTTPException) as again:
            await bot.http.request(
                discord.http.Route(
                    "POST", f"/interactions/{interaction.id}/{interaction.token}/callback"
                ),
                json={"type": 4, "data": {"content": "twice"}},
            )
        assert (again.value.status, again.value.code) == (400, 40060)
        await interaction.delete_original_response()
        with pytest.raises(discord.NotFound):
            await interaction.followup.fetch_message(first.id)
    assert first.flags.ephemeral is False
    assert second.flags.ephemeral is True
    assert sandbox.said() == []


async def test_an_answer_deleted_before_it_came_is_not_brought_back(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        interaction = await deferred(sandbox, bot)
        await interaction.delete_original_response()
        secret = await interaction.followup.send("a secret", ephemeral=True, wait=True)
        assert secret.flags.ephemeral is True
    assert [message["content"] for message in sandbox.said()] == ["a secret"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": 4, "data": {"content": ""}}, 50006),
        ({"type": 4, "data": {"content": "x" * 2001}}, 50035),
        ({"type": 6}, 50035),
        ({"type": 8, "data": {"choices": []}}, 50035),
        ({"type": 99}, 50035),
        ({}, 50035),
    ],
)
async def test_a_wrong_acknowledgement_is_refused_and_may_be_repeated(
    spec: Path, body: dict[str, Any], code: int
) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox) as bot:
        received = bot.wait_for("interaction", timeout=5)
        asked = await sandbox.member.run_command("slow")
        interaction = await received
        callback = f"/interactions/{interaction.id}/{interaction.token}/callback"
        with pytest.raises(discord.HTTPException) as refusal:
            await bot.http.request(discord.http.Route("POST", callback), json=body)
        assert (refusal.value.status, refusal.value.code) == (400, code)
        assert sandbox.violations != []
        bot.may_answer.set()
        await asked.acknowledged()


async def test_more_choices_than_fit_are_refused(spec: Path) -> None:
    async with Sandbox(spec) as sandbox, running(sandbox) as bot:
        bot.many = 26
        sandbox.settings.acknowledge_within = 0.2
        with pytest.raises(NoResponse):
            await sandbox.member.autocomplete("look", "name", "x")
        assert any("25 or fewer" in violation.message for violation in sandbox.violations)
        bot.many = 25
        sandbox.settings.acknowledge_within = 3.0
        assert len(await sandbox.member.autocomplete("look", "name", "x")) == 25


async def test_commands_of_one_server(sandbox: Sandbox) -> None:
    elsewhere = sandbox.add_guild("Elsewhere")
    place = sandbox.add_channel("general", guild=elsewhere)
    sandbox.add_member("", guild=elsewhere, user=sandbox.member.user)
    async with running(sandbox) as bot:
        bot.tree.copy_global_to(guild=discord.Object(elsewhere.id))
        bot.tree.clear_commands(guild=None)
        await bot.tree.sync()
        await bot.tree.sync(guild=discord.Object(elsewhere.id))
        answer = await (await sandbox.member.run_command("rank", channel=place)).answer()
        assert answer["content"] == "which?"
        with pytest.raises(NotPossible, match="no command"):
            await sandbox.member.run_command("rank")


async def test_a_private_answer_is_nobody_elses(sandbox: Sandbox) -> None:
    async with running(sandbox):
        answer = await (await sandbox.member.run_command("look", {"name": "wren"})).answer()
        with pytest.raises(NotPossible, match="only the person who asked"):
            await sandbox.other.press(answer, "keep:it")


async def test_an_unacknowledged_token_opens_nothing(sandbox: Sandbox) -> None:
    async with running(sandbox) as bot:
        received = bot.wait_for("interaction", timeout=5)
        asked = await sandbox.member.run_command("slow")
        interaction = await received
        with pytest.raises(discord.NotFound) as refusal:
            await interaction.followup.send("too early")
        assert refusal.value.code == 10015
        bot.may_answer.set()
        await asked.acknowledged()


async def test_a_server_without_the_application(sandbox: Sandbox) -> None:
    elsewhere = sandbox.add_guild("Elsewhere", installed=False)
    place = sandbox.add_channel("general", guild=elsewhere)
    sandbox.add_member("", guild=elsewhere, user=sandbox.member.user)
    async with running(sandbox) as bot:
        with pytest.raises(NotPossible, match="has not installed"):
            await sandbox.member.run_command("slow", channel=place)
        bot.tree.allowed_installs = discord.app_commands.AppInstallationType(guild=True, user=True)
        await bot.tree.sync()
        interaction = await deferred(sandbox, bot, channel=place)
        assert interaction.is_user_integration()
        assert not interaction.is_guild_integration()
        for number in range(6):
            await interaction.followup.send(f"answer {number}")
        with pytest.raises(discord.HTTPException) as refusal:
            await interaction.followup.send("one too many")
        assert refusal.value.code == 40094
        with pytest.raises(discord.Forbidden) as direct:
            await bot.get_partial_messageable(place.id).send("hello")
        assert direct.value.code == 50001


async def test_people_have_names_for_what_they_may(sandbox: Sandbox) -> None:
    people: list[Member] = sandbox.people
    assert [person.user.username for person in people] == ["you", "moderator", "member", "owner"]
    posted = await sandbox.member.post(sandbox.channel, "mine")
    with pytest.raises(NotPossible, match="own messages"):
        await sandbox.other.edit(posted, "yours")
    with pytest.raises(NotPossible, match="may not delete"):
        await sandbox.other.delete(posted)
    await sandbox.moderator.delete(posted)
    with pytest.raises(NotPossible, match="empty"):
        await sandbox.member.post(sandbox.channel)
