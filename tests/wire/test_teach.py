"""/teach over the wire, with the real starter: what is taught is named, what is undone is not."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine import Engine, EngineSettings
from engine.index.species_index import SpeciesIndex
from engine.networks.samples import bundled_photos
from engine.starter import starter_index
from tools.sandbox import Member, Sandbox
from tools.sandbox.places import Channel
from tools.sandboxed import sandbox_settings, sandboxed_bot

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]

FLOWER = next(path for path in bundled_photos() if "flower" in path.name)
PHOTO = ("flower.jpg", FLOWER.read_bytes())
DAHLIA = "Dahlia coccinea"
"""A species of the taxon table that the starter lacks."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """A bot with the starter in a sandbox, and a channel of this test's own."""

    sandbox: Sandbox
    home: Path
    channel: Channel

    async def teach(self, who: Member, **options: Any) -> Json:
        asked = await who.run_command(
            "teach",
            {"species": DAHLIA, **options},
            attachments={} if "url" in options else {"photo": PHOTO},
            channel=self.channel,
        )
        return await asked.answer()

    async def named(self) -> list[str]:
        """Return what /identify makes of the flower, the likeliest first."""
        asked = await self.sandbox.member.run_command(
            "identify", {"group": "plant"}, attachments={"photo": PHOTO}, channel=self.channel
        )
        lines = card(await asked.answer())["description"].split("\n")
        return [line for line in lines if line.startswith("`")]

    async def press(self, who: Member, message: Json, label: str) -> Json:
        """Press a button of a message and return what became of the message."""
        await (await who.press(message, buttons(message)[label])).acknowledged()
        return await self.sandbox.wait_for(
            lambda m: m["id"] == message["id"] and label not in buttons(m)
        )

    @property
    def index(self) -> SpeciesIndex:
        return SpeciesIndex.open(starter_index(EngineSettings(home=self.home)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("teach")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(folder: Path) -> AsyncIterator[Sandbox]:
    root = Path(__file__).parents[2]
    spec = Path(os.environ.get("FIELDMARK_SHARED", root / "../shared")) / "discord/openapi.json"
    engine = Engine(EngineSettings(home=folder / "home", workers=1, threads=1))
    async with (
        Sandbox(spec=spec if spec.is_file() else None) as sandbox,
        sandboxed_bot(sandbox, engine, sandbox_settings(folder)),
    ):
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def stage(served: Sandbox, folder: Path) -> AsyncIterator[Stage]:
    channel = served.add_channel(f"test-{len(served.guild.channels)}")
    stage = Stage(sandbox=served, home=folder / "home", channel=channel)
    before = len(stage.index)
    yield stage
    assert len(stage.index) == before, "every test forgets what it taught"
    assert [str(violation) for violation in served.violations] == []
    assert served.unserved == []


def card(message: Json) -> Json:
    (embed,) = message["embeds"]
    return dict(embed)


def buttons(message: Json) -> dict[str, str]:
    """Return the ids of the buttons below a message by what they say."""
    below = [button for row in message["components"] for button in row["components"]]
    return {button["label"]: button["custom_id"] for button in below}


async def test_what_a_moderator_teaches_is_named_and_no_more_once_it_is_undone(
    stage: Stage,
) -> None:
    mod = stage.sandbox.moderator
    assert not any(DAHLIA in line for line in await stage.named())
    offered = await mod.autocomplete("teach", "species", "dahlia", channel=stage.channel)
    assert offered[0]["value"] == DAHLIA
    taught = await stage.teach(mod)
    assert card(taught)["title"] == "Learned: Red Dahlia"
    assert "It is the first photo of this species" in card(taught)["description"]
    echo = stage.sandbox.file(card(taught)["image"]["url"])
    assert echo.startswith(b"\xff\xd8\xff")
    assert DAHLIA in (await stage.named())[0]
    again = await stage.teach(mod)
    assert card(again)["title"] == "Known already: Red Dahlia"
    undone = await stage.press(mod, taught, "Undo")
    assert card(undone)["title"] == "Forgotten: Red Dahlia"
    assert card(undone)["image"]["url"].startswith("https://cdn.discordapp.com/attachments/")
    assert undone["attachments"] == [], "the photo is in the card still"
    assert not any(DAHLIA in line for line in await stage.named())
    assert list(buttons(undone)) == ["Remove"]


async def test_a_message_is_taught_from_its_menu_and_undone_by_who_posted_it(
    stage: Stage,
) -> None:
    mod, member = stage.sandbox.moderator, stage.sandbox.member
    posted = await member.post(stage.channel, "what is it?", [PHOTO])
    asked = await mod.use_message_command("Teach", posted)
    answered = await mod.submit(asked, {"species": "red dalia"})
    offered = await answered.answer()
    (menu,) = [c for row in offered["components"] for c in row["components"] if "options" in c]
    assert DAHLIA in [option["value"] for option in menu["options"]]
    await (await mod.select(offered, menu["custom_id"], [DAHLIA])).acknowledged()
    learnt = await stage.sandbox.wait_for(lambda m: m["id"] == offered["id"] and bool(m["embeds"]))
    assert card(learnt)["title"] == "Learned: Red Dahlia"
    assert learnt["attachments"] == []
    assert DAHLIA in (await stage.named())[0]
    undone = await stage.press(member, learnt, "Undo")
    assert card(undone)["title"] == "Forgotten: Red Dahlia"
    assert not any(DAHLIA in line for line in await stage.named())


async def test_a_card_is_corrected_from_its_own_menu(stage: Stage) -> None:
    mod, member = stage.sandbox.moderator, stage.sandbox.member
    posted = await member.post(stage.channel, f"{stage.sandbox.mention} plant", [PHOTO])
    answer = await stage.sandbox.wait_for(
        lambda m: (m.get("message_reference") or {}).get("message_id") == posted["id"]
    )
    asked = await mod.use_message_command("Teach", answer)
    learnt = await (await mod.submit(asked, {"species": DAHLIA})).answer()
    assert card(learnt)["title"] == "Learned: Red Dahlia"
    assert f"/{posted['id']})" in card(learnt)["description"]
    await stage.press(mod, learnt, "Undo")


async def test_a_suggestion_is_accepted_from_its_own_message(stage: Stage) -> None:
    suggested = await stage.teach(stage.sandbox.member)
    assert card(suggested)["title"] == "Suggested: Red Dahlia"
    (shown,) = suggested["attachments"]
    assert not any(DAHLIA in line for line in await stage.named())
    refused = await stage.sandbox.other.press(suggested, buttons(suggested)["Accept"])
    assert "may manage messages here" in (await refused.answer())["content"]
    learnt = await stage.press(stage.sandbox.moderator, suggested, "Accept")
    assert int(shown["id"]) in stage.sandbox.cdn.served
    assert card(learnt)["title"] == "Learned: Red Dahlia"
    assert f"Suggested by <@{stage.sandbox.member.id}>" in card(learnt)["description"]
    assert DAHLIA in (await stage.named())[0]
    await stage.press(stage.sandbox.member, learnt, "Undo")
    assert not any(DAHLIA in line for line in await stage.named())


async def test_a_suggestion_is_declined_or_withdrawn(stage: Stage) -> None:
    declined = await stage.press(
        stage.sandbox.moderator, await stage.teach(stage.sandbox.member), "Decline"
    )
    assert card(declined)["title"] == "Declined: Red Dahlia"
    assert len(declined["attachments"]) == 1
    withdrawn = await stage.teach(stage.sandbox.member)
    await stage.sandbox.member.press(withdrawn, buttons(withdrawn)["Decline"])
    await stage.sandbox.gone(withdrawn)


async def test_of_members_and_messages_nothing_is_kept(stage: Stage) -> None:
    mod = stage.sandbox.moderator
    segments = stage.index.folder / "segments"
    before = set(segments.iterdir())
    suggested = await stage.teach(stage.sandbox.member)
    learnt = await stage.press(mod, suggested, "Accept")
    (new,) = set(segments.iterdir()) - before
    kept = b"".join(path.read_bytes() for path in new.iterdir())
    assert b"discord" in kept
    ids = [stage.sandbox.member.id, mod.id, stage.sandbox.guild.id, stage.channel.id]
    for secret in (*map(str, ids), suggested["id"], "cdn.", "flower", "member"):
        assert secret.encode() not in kept
    await stage.press(mod, learnt, "Undo")
    assert set(segments.iterdir()) == before, "not on the disk either"


async def test_without_permissions_it_still_teaches_and_says_what_it_may_not(stage: Stage) -> None:
    mod = stage.sandbox.moderator
    stage.sandbox.deny(stage.channel, "embed_links", "attach_files")
    taught = await stage.teach(mod)
    assert taught["embeds"] == []
    assert taught["content"].startswith("**Learned: Red Dahlia**")
    undone = await stage.press(mod, taught, "Undo")
    assert undone["content"].startswith("**Forgotten: Red Dahlia**")
    refused = await stage.teach(stage.sandbox.member)
    assert refused["flags"] & 64
    assert "I may not attach files here" in refused["content"]
