"""A small bot that shows the page every kind of answer a bot can give."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import discord
from discord import app_commands

CARD_LINK = "https://www.gbif.org/species/9705453"
NAMES = ("Parus major", "Parus minor", "Pica pica")
HOSTILE = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'> "
    "[run](javascript:window.pwned=1) [data](data:text/html,<script>window.pwned=1</script>) "
    "[fine](https://example.org/fine)"
)


class Correction(discord.ui.Modal, title="What is it?"):
    """Ask for a name, as a member who knows better would give it."""

    name: discord.ui.Label[Correction] = discord.ui.Label(
        text="Scientific name", component=discord.ui.TextInput(placeholder="Parus major")
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.name.component, discord.ui.TextInput)
        await interaction.response.edit_message(content=f"Noted: {self.name.component.value}.")


class CardView(discord.ui.View):
    """The buttons and the menu below a card."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Button(label="GBIF", url=CARD_LINK))

    @discord.ui.button(label="That's it", emoji="✅", style=discord.ButtonStyle.success)
    async def agree(
        self, interaction: discord.Interaction, button: discord.ui.Button[CardView]
    ) -> None:
        button.label = "Thank you"
        button.disabled = True
        await interaction.response.edit_message(view=self)

    @discord.ui.button(label="It is actually…")
    async def correct(
        self, interaction: discord.Interaction, button: discord.ui.Button[CardView]
    ) -> None:
        await interaction.response.send_modal(Correction())

    @discord.ui.button(label="Delete", style=discord.ButtonStyle.danger, disabled=True)
    async def delete(
        self, interaction: discord.Interaction, button: discord.ui.Button[CardView]
    ) -> None:
        raise AssertionError("a disabled button was pressed")

    @discord.ui.button(label="Ignore me", style=discord.ButtonStyle.primary)
    async def ignore(
        self, interaction: discord.Interaction, button: discord.ui.Button[CardView]
    ) -> None:
        """Leave the member without an answer."""

    @discord.ui.select(
        placeholder="Look again as…",
        options=[
            discord.SelectOption(label="Bird", emoji="🐦", description="964 species"),
            discord.SelectOption(label="Insect", emoji="🪲", description="1,021 species"),
            discord.SelectOption(label="Plant", emoji="🌿", description="2,101 species"),
        ],
    )
    async def again(
        self, interaction: discord.Interaction, select: discord.ui.Select[CardView]
    ) -> None:
        await interaction.response.edit_message(content=f"Looked again as {select.values[0]}.")


def card(photo: str) -> discord.Embed:
    """Build a card with everything an embed can hold."""
    bars = [
        ("██████████", 92, "Great Tit", "Parus major"),
        ("█░░░░░░░░░", 5, "Coal Tit", "Periparus ater"),
    ]
    lines = [
        f"`{bar}` **{share} %** [{name}]({CARD_LINK}) *{latin}*" for bar, share, name, latin in bars
    ]
    embed = discord.Embed(
        title="Great Tit",
        url=CARD_LINK,
        description="*Parus major*, a species of the family Paridae.",
        colour=0x3A7D5C,
        timestamp=discord.utils.utcnow(),
    )
    embed.set_author(name="Identified as a bird")
    embed.add_field(name="Candidates", value="\n".join(lines), inline=False)
    for name, value in (("Family", "Paridae"), ("Order", "Passeriformes"), ("Model", "birds V1")):
        embed.add_field(name=name, value=value)
    embed.set_thumbnail(url=f"attachment://{photo}")
    embed.set_footer(text="Data: GBIF.org / Catalogue of Life")
    return embed


class Naturalist(discord.AutoShardedClient):
    """Answers in every way the page must be able to show.

    ``may_answer`` holds a deferred answer back until a test has seen the page wait for it.
    """

    def __init__(self, connector: aiohttp.BaseConnector, guild_ready_timeout: float) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(
            intents=intents, connector=connector, guild_ready_timeout=guild_ready_timeout
        )
        self.tree = app_commands.CommandTree(self)
        self.may_answer = asyncio.Event()
        self.asked: dict[str, object] = {}
        for command in (self.identify(), self.identify_message(), self.gbif(), self.trouble()):
            self.tree.add_command(command)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user and self.user in message.mentions:
            await message.reply(f"You said: {message.clean_content}")

    def identify(self) -> app_commands.Command[Any, ..., None]:
        @app_commands.command(description="Name the species in a photo")
        @app_commands.describe(photo="The photo to look at", group="What is in the photo")
        @app_commands.describe(private="Show the answer to you alone")
        @app_commands.choices(
            group=[
                app_commands.Choice(name=name, value=name) for name in ("bird", "insect", "plant")
            ]
        )
        async def identify(
            interaction: discord.Interaction,
            photo: discord.Attachment,
            group: str | None = None,
            private: bool = False,
        ) -> None:
            await interaction.response.defer(ephemeral=private)
            data = await photo.read()
            self.asked = {"bytes": len(data), "group": group, "private": private}
            await self.may_answer.wait()
            file = discord.File(io.BytesIO(data), "photo.jpg")
            await interaction.followup.send(embed=card(file.filename), file=file, view=CardView())

        return identify

    def identify_message(self) -> app_commands.ContextMenu:
        @app_commands.context_menu(name="Identify")
        async def identify(interaction: discord.Interaction, message: discord.Message) -> None:
            names = ", ".join(file.filename for file in message.attachments) or "no photo"
            await interaction.response.send_message(f"Looked at {names}.", ephemeral=True)

        return identify

    def gbif(self) -> app_commands.Command[Any, ..., None]:
        async def suggest(
            interaction: discord.Interaction, typed: str
        ) -> list[app_commands.Choice[str]]:
            return [
                app_commands.Choice(name=f"{name} (species)", value=name)
                for name in NAMES
                if name.lower().startswith(typed.lower())
            ]

        @app_commands.command(description="Look a name up")
        @app_commands.describe(name="A scientific or an English name", limit="How many to show")
        @app_commands.autocomplete(name=suggest)
        async def gbif(
            interaction: discord.Interaction, name: str, limit: app_commands.Range[int, 1, 5] = 5
        ) -> None:
            await interaction.response.send_message(f"You asked for {name!r}, {limit} at most.")

        return gbif

    def trouble(self) -> app_commands.Group:
        group = app_commands.Group(name="trouble", description="Answers that go wrong")

        @group.command(description="Do not answer")
        async def silence(interaction: discord.Interaction) -> None:
            """Leave the member without an answer."""

        @group.command(description="Answer with text that tries to break out")
        async def hostile(interaction: discord.Interaction) -> None:
            embed = discord.Embed(title=HOSTILE[:256], description=HOSTILE + "\n" + "W" * 3000)
            embed.add_field(name=HOSTILE[:256], value=HOSTILE)
            embed.set_image(url="https://tracker.example/pixel.png")
            await interaction.response.send_message(HOSTILE + "\n" + "**" * 700, embed=embed)

        return group
