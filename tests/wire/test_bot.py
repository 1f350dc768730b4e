"""The whole bot over the wire: TLS, gateway, CDN, multipart, and real worker processes.

Every REST request that the bot makes, and every answer of the sandbox, is judged by
Discord's own description of its API where that is at hand (``shared``).
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from PIL.ExifTags import IFD

from engine import Engine, EngineSettings
from tests.hub_modules import HubModules
from tools.sandbox import Member, Sandbox
from tools.sandbox.places import Channel
from tools.sandboxed import sandbox_settings, sandboxed_bot

pytestmark = pytest.mark.asyncio(loop_scope="module")

GBIF = "https://www.gbif.org/species/"
CASSINS_FINCH = f"{GBIF}8255548"
CHICKADEE = f"{GBIF}2487805"
HALYOMORPHA = "Halyomorpha halys"

Json = dict[str, Any]


def photo(colour: str) -> tuple[str, bytes]:
    """Return a photo of which the tiny networks know what it shows: red is their label 0."""
    out = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(out, "JPEG", quality=95)
    return f"{colour}.jpg", out.getvalue()


@dataclass(slots=True, kw_only=True)
class Stage:
    """A bot online in a sandbox, and a channel of this test's own."""

    sandbox: Sandbox
    engine: Engine
    channel: Channel

    @property
    def member(self) -> Member:
        return self.sandbox.member

    async def post(self, content: str, *files: tuple[str, bytes]) -> Json:
        return await self.member.post(self.channel, f"{self.sandbox.mention} {content}", files)

    async def reply_to(self, message: Json) -> Json:
        return await self.sandbox.wait_for(
            lambda m: (m.get("message_reference") or {}).get("message_id") == message["id"]
        )

    async def identify(self, photo: tuple[str, bytes] | None = None, **options: object) -> Json:
        files = {"photo": photo} if photo else {}
        asked = await self.member.run_command(
            "identify", options, attachments=files, channel=self.channel
        )
        return await asked.answer()


@asynccontextmanager
async def serve(
    models: Path, spec: Path | None, folder: Path
) -> AsyncIterator[tuple[Sandbox, Engine]]:
    """Run the bot in a sandbox, exactly as the demo does."""
    engine = Engine(EngineSettings(home=folder / "home", models_dir=models, workers=1))
    async with (
        Sandbox(spec=spec) as sandbox,
        sandboxed_bot(sandbox, engine, sandbox_settings(folder)),
    ):
        yield sandbox, engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    hub_modules: HubModules, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Sandbox, Engine]]:
    root = Path(__file__).parents[2]
    spec = Path(os.environ.get("FIELDMARK_SHARED", root / "../shared")) / "discord/openapi.json"
    folder = tmp_path_factory.mktemp("bot")
    async with serve(hub_modules.no_plants, spec if spec.is_file() else None, folder) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="module")
async def stage(served: tuple[Sandbox, Engine]) -> AsyncIterator[Stage]:
    sandbox, engine = served
    channel = sandbox.add_channel(f"test-{len(sandbox.guild.channels)}")
    yield Stage(sandbox=sandbox, engine=engine, channel=channel)
    assert [str(violation) for violation in sandbox.violations] == []
    assert sandbox.unserved == []


def card(message: Json) -> Json:
    (embed,) = message["embeds"]
    return dict(embed)


async def test_a_mention_with_a_photo_gets_a_card(stage: Stage) -> None:
    message = await stage.post("bird", photo("red"))
    embed = card(await stage.reply_to(message))
    assert embed["title"] == "Cassin's Finch"
    assert embed["url"] == CASSINS_FINCH
    assert f"]({CASSINS_FINCH})" in embed["description"]
    assert "*Haemorhous cassinii*" in embed["description"]
    assert embed["footer"]["text"].startswith("Bird · ")


async def test_identify_with_an_attachment_echoes_the_photo(stage: Stage) -> None:
    answer = await stage.identify(photo=photo("red"), group="bird")
    embed = card(answer)
    assert embed["title"] == "Cassin's Finch"
    assert answer["flags"] & 64 == 0
    echoed = stage.sandbox.file(embed["image"]["url"])
    assert Image.open(io.BytesIO(echoed)).size == (320, 240)


@pytest.mark.parametrize(
    ("group", "says"),
    [("auto", "Haemorhous"), ("bird", "Haemorhous cassinii"), ("insect", "Nicrophorus tomentosus")],
)
async def test_each_group_that_has_a_network_answers(stage: Stage, group: str, says: str) -> None:
    embed = card(await stage.identify(photo=photo("red"), group=group))
    assert says in embed["description"]


async def test_a_place_is_taken_and_without_gbif_said_to_count_for_nothing(stage: Stage) -> None:
    embed = card(await stage.identify(photo=photo("red"), group="bird", place="at"))
    assert embed["title"] == "Cassin's Finch"
    assert (
        "That it is from Austria was not taken into account: asking GBIF is switched off here."
        in embed["footer"]["text"]
    )


async def test_a_photos_own_gps_names_the_country_where_asked(stage: Stage) -> None:
    exif = Image.Exif()
    exif[IFD.GPSInfo] = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 12.0)}
    out = io.BytesIO()
    Image.new("RGB", (320, 240), "red").save(out, "JPEG", quality=95, exif=exif.tobytes())
    located = await stage.identify(photo=("red.jpg", out.getvalue()), group="bird", place="gps")
    assert "from Austria (by the photo's GPS)" in card(located)["footer"]["text"]
    echo = stage.sandbox.file(card(located)["image"]["url"])
    assert not Image.open(io.BytesIO(echo)).getexif()
    without = await stage.identify(photo=photo("red"), group="bird", place="gps")
    assert "The photo carries no coordinates" in card(without)["footer"]["text"]


@pytest.mark.parametrize("group", ["plant", "generic"])
async def test_a_group_without_a_network_says_which_have_one(stage: Stage, group: str) -> None:
    answer = await stage.identify(photo=photo("red"), group=group)
    assert answer["embeds"] == []
    assert f"no model for the group {group}" in answer["content"]
    assert "bird, insect" in answer["content"]


async def test_a_private_answer_is_ephemeral(stage: Stage) -> None:
    answer = await stage.identify(photo=photo("red"), group="bird", private=True)
    assert answer["flags"] & 64
    assert card(answer)["title"] == "Cassin's Finch"


async def test_the_message_command_identifies(stage: Stage) -> None:
    message = await stage.member.post(stage.channel, "what is it?", [photo("red")])
    asked = await stage.member.use_message_command("Identify", message)
    assert "Haemorhous cassinii" in card(await asked.answer())["description"]


async def test_a_forwarded_photo_is_identified(stage: Stage) -> None:
    message = await stage.member.post(stage.channel, "what is it?", [photo("red")])
    direct = await stage.member.forward(message, stage.member.dm)
    assert "Haemorhous" in card(await stage.reply_to(direct))["description"]
    forward = await stage.member.forward(message, stage.channel)
    asked = await stage.member.use_message_command("Identify", forward)
    assert "Haemorhous" in card(await asked.answer())["description"]


async def test_photos_of_one_message_make_one_card(stage: Stage) -> None:
    message = await stage.post("bird", photo("red"), photo("lime"))
    embed = card(await stage.reply_to(message))
    assert "Cassin's Finch" in embed["description"]
    assert "Limpkin" in embed["description"]
    assert "2 photos" in embed["footer"]["text"]


async def test_what_is_in_no_network_is_said_to_be_unknown(stage: Stage) -> None:
    message = await stage.post("", photo("grey"))
    assert "I don't think" in card(await stage.reply_to(message))["title"]


async def test_a_watched_channel_needs_no_mention(stage: Stage) -> None:
    asked = await stage.sandbox.moderator.run_command(
        "settings watch",
        {"channel": str(stage.channel.id), "group": "insect"},
        channel=stage.channel,
    )
    assert "From now on" in (await asked.answer())["content"]
    message = await stage.member.post(stage.channel, "", [photo("lime")])
    assert HALYOMORPHA in card(await stage.reply_to(message))["description"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("page.jpg", b"<!DOCTYPE html><html></html>", "page"),
        ("half.jpg", photo("red")[1][:700], "cut off"),
        ("empty.png", b"", "empty"),
    ],
)
async def test_a_bad_file_gets_one_clear_sentence(
    stage: Stage, name: str, data: bytes, says: str
) -> None:
    answer = await stage.identify(photo=(name, data))
    assert says in answer["content"]
    assert answer["embeds"] == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/photo.jpg", "http://[::1]/photo.jpg", "http://169.254.169.254/x"]
)
async def test_an_inner_address_is_refused(stage: Stage, url: str) -> None:
    answer = await stage.identify(url=url)
    assert "address that is not public" in answer["content"]
    assert answer["embeds"] == []


async def test_gbif_answers_from_the_local_table(stage: Stage) -> None:
    asked = await stage.member.run_command("gbif", {"name": "Great Tit"}, channel=stage.channel)
    answer = await asked.answer()
    embed = card(answer)
    assert "Great Tit" in embed["title"]
    assert "Parus major" in embed["title"]
    assert embed["url"] == f"{GBIF}9705453"


async def test_gbif_suggests_names(stage: Stage) -> None:
    choices = await stage.member.autocomplete("gbif", "name", "great ti", channel=stage.channel)
    assert 1 <= len(choices) <= 25
    assert any("Parus major" in choice["name"] for choice in choices)


async def test_the_reply_follows_its_message(stage: Stage) -> None:
    message = await stage.post("bird", photo("red"))
    reply = await stage.reply_to(message)
    await stage.member.delete(message)
    await stage.sandbox.gone(reply)
    assert [m["id"] for m in stage.sandbox.said(stage.channel)] == []


async def test_only_the_asker_may_remove_the_card(stage: Stage) -> None:
    reply = await stage.reply_to(await stage.post("bird", photo("red")))
    (button,) = reply["components"][0]["components"]
    refused = await stage.sandbox.other.press(reply, button["custom_id"])
    assert "asked" in (await refused.answer())["content"]
    await stage.member.press(reply, button["custom_id"])
    await stage.sandbox.gone(reply)
    assert reply["id"] not in [m["id"] for m in stage.sandbox.said(stage.channel)]


async def test_without_leave_to_embed_the_card_is_text(stage: Stage) -> None:
    stage.sandbox.deny(stage.channel, "embed_links")
    reply = await stage.reply_to(await stage.post("bird", photo("red")))
    assert reply["embeds"] == []
    assert "Cassin's Finch" in reply["content"]
    assert "may not embed" in reply["content"]


async def test_a_worker_killed_in_mid_request_loses_no_answer(stage: Stage) -> None:
    messages = [await stage.post("bird", photo("red")) for _ in range(4)]
    for pid in stage.engine.worker_pids():
        os.kill(pid, signal.SIGKILL)
    replies = [await stage.reply_to(message) for message in messages]
    after = await stage.reply_to(await stage.post("bird", photo("lime")))
    assert {card(reply)["title"] for reply in replies} == {"Cassin's Finch"}
    assert card(after)["title"] == "Limpkin"


async def test_who_has_to_wait_is_told_how_many_are_ahead(stage: Stage) -> None:
    (pid,) = stage.engine.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        asked = [
            await stage.member.run_command(
                "identify",
                {"group": "bird"},
                attachments={"photo": photo("red")},
                channel=stage.channel,
            )
            for _ in range(2)
        ]
        told = await stage.sandbox.wait_for(
            lambda m: m["content"] == "1 request is ahead of yours."
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    for _ in asked:
        await stage.sandbox.wait_for(lambda m: m["id"] == told["id"] and m["embeds"])
    answers = stage.sandbox.said(stage.channel)
    assert [m["content"] for m in answers] == ["", ""]
    assert {card(m)["title"] for m in answers} == {"Cassin's Finch"}


async def test_the_bots_process_holds_nothing_that_sees_pixels(tmp_path: Path) -> None:
    script = Path(__file__).with_name("start_bot.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert said.decode().split() == ["ready", "[]"]


async def test_the_real_networks_name_a_real_bird(shared: Path, tmp_path: Path) -> None:
    bird = (shared / "photos/odd/real/bird_black_capped_chickadee.bmp").read_bytes()
    spec = shared / "discord/openapi.json"
    async with serve(shared / "models", spec, tmp_path) as (sandbox, _):
        asked = await sandbox.member.run_command(
            "identify", {"group": "auto"}, attachments={"photo": ("bird.bmp", bird)}
        )
        embed = card(await asked.answer())
        assert sandbox.violations == []
    assert embed["title"] == "Black-capped Chickadee"
    assert embed["url"] == CHICKADEE
