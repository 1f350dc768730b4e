"""A small discord.py bot that goes through every part of the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from tools.sandbox import Sandbox


class Keep(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"keep:(?P<name>\w+)"
):
    """A button that works without the view that once showed it."""

    def __init__(self, name: str) -> None:
        super().__init__(discord.ui.Button(label="Keep", custom_id=f"keep:{name}"))
        self.name = name

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any) -> Keep:
        return cls(match["name"])

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(content=f"kept {self.name}", view=None)


class Remark(discord.ui.Modal, title="Remark"):
    text: discord.ui.TextInput[Remark] = discord.ui.TextInput(label="Text", custom_id="text")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"noted: {self.text.value}", ephemeral=True)


class Ranks(discord.ui.View):
    """A menu whose choice is acknowledged first and shown later."""

    @discord.ui.select(
        custom_id="rank",
        placeholder="Rank",
        options=[discord.SelectOption(label=name) for name in ("species", "genus")],
    )
    async def choose(self, interaction: discord.Interaction, select: Any) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content=f"chose {select.values}", view=None)

    @discord.ui.button(label="Remark", custom_id="open-remark")
    async def remark(self, interaction: discord.Interaction, _: Any) -> None:
        await interaction.response.send_modal(Remark())


class Bot(commands.AutoShardedBot):
    """A bot whose handlers are replaced by the tests that need another."""

    def __init__(self, sandbox: Sandbox, intents: discord.Intents) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            connector=sandbox.connector(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.05,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.heard: list[discord.Message] = []
        self.running: asyncio.Task[None] | None = None
        self.may_answer = asyncio.Event()
        self.many = 3
        self.refusal: asyncio.Future[discord.HTTPException] = (
            asyncio.get_running_loop().create_future()
        )

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Keep)
        add_commands(self.tree)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify at once; the pause of discord.py spares a Discord that is not here."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)
        if message.author.bot or self.user not in message.mentions:
            return
        sizes = [len(await attachment.read()) for attachment in message.attachments]
        view = discord.ui.View().add_item(Keep("it"))
        await message.reply(f"sizes {sizes}", view=view, mention_author=False)


def add_commands(tree: app_commands.CommandTree[Any]) -> None:
    @tree.command(description="Echo a photo")
    @app_commands.choices(
        group=[app_commands.Choice(name=n.title(), value=n) for n in ("bird", "plant")]
    )
    async def echo(
        interaction: discord.Interaction,
        photo: discord.Attachment,
        group: app_commands.Choice[str] | None = None,
        private: bool = False,
    ) -> None:
        await interaction.response.defer(thinking=True, ephemeral=private)
        data = await photo.read()
        file = await photo.to_file(filename="back.png")
        embed = discord.Embed(title=f"{len(data)} bytes", description=group and group.value)
        embed.set_image(url="attachment://back.png")
        await interaction.edit_original_response(embed=embed, attachments=[file])

    @tree.command(description="Look a name up")
    async def look(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(f"you asked for {name}", ephemeral=True)
        await interaction.followup.send("and more")

    @look.autocomplete("name")
    async def names(interaction: discord.Interaction, typed: str) -> list[Any]:
        bot = interaction.client
        assert isinstance(bot, Bot)
        names = [f"{typed}{number}" for number in range(bot.many)]
        return [app_commands.Choice(name=name, value=name) for name in names]

    @tree.context_menu(name="Measure")
    async def measure(interaction: discord.Interaction, message: discord.Message) -> None:
        sizes = [attachment.size for attachment in message.attachments]
        await interaction.response.send_message(f"{message.content!r} {sizes}")

    @tree.command(description="Say something about it")
    async def remark(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Remark())

    @tree.command(description="Answer when the test says so")
    async def slow(interaction: discord.Interaction) -> None:
        bot = interaction.client
        assert isinstance(bot, Bot)
        await bot.may_answer.wait()
        try:
            await interaction.response.defer()
        except discord.HTTPException as error:
            bot.refusal.set_result(error)

    @tree.command(description="Choose a rank")
    async def rank(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("which?", view=Ranks())

    group = app_commands.Group(name="watch", description="Watched channels")

    @group.command(name="add", description="Watch a channel")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def add(interaction: discord.Interaction, channel: discord.TextChannel) -> None:
        await interaction.response.send_message(f"watching {channel.id}")

    group.default_permissions = discord.Permissions(manage_guild=True)
    tree.add_command(group)


@contextlib.asynccontextmanager
async def running(sandbox: Sandbox, *, message_content: bool = True) -> AsyncIterator[Bot]:
    """Run a bot until READY and close it afterwards."""
    intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    intents.message_content = message_content
    async with Bot(sandbox, intents) as bot:
        bot.running = asyncio.create_task(bot.start(sandbox.token))
        await sandbox.online()
        await bot.wait_until_ready()
        yield bot
    await asyncio.gather(bot.running, return_exceptions=True)
