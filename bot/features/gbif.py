"""Look a taxon up: /gbif, and the menu below an answer that lists several taxa."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import discord
from discord import app_commands

from bot.errors import tell
from bot.feature import Feature
from bot.features.failure import failure_told
from bot.features.remove import RemoveButton
from bot.naming import Naming
from bot.photos.request import place_of, requester_of
from bot.readers import Readers
from bot.taxon.lookup import Lookup
from bot.taxon.reply import Reply
from bot.taxon.typed_names import MAX_NAME
from bot.turns import Choices

_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")
_MENU_ID = r"fieldmark:taxon:(?P<asker>[0-9]{1,20})"


class TaxonMenu(discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template=_MENU_ID):
    """Shows the taxon that is chosen in the place of the list, and stays for another choice.

    Its state is its id and its options, which Discord keeps, so it outlives a restart.
    Only who asked, and moderators, may choose; of several choices the last is shown.
    ``taxon_menu`` makes the class that answers.
    """

    choices: ClassVar[Choices]

    def __init__(self, asker_id: int, options: Sequence[discord.SelectOption]) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=f"fieldmark:taxon:{asker_id}",
                placeholder="Which one do you mean?",
                options=list(options),
            )
        )
        self.asker_id = asker_id

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - the library's signature
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> TaxonMenu:
        """Rebuild the menu from the message in which it was used."""
        options = item.options if isinstance(item, discord.ui.Select) else ()
        return cls(int(match["asker"]), options)

    async def answer(
        self, interaction: discord.Interaction[Any], option: discord.SelectOption, *, private: bool
    ) -> Reply:
        """Return what a chosen option stands for."""
        raise NotImplementedError

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Show what was chosen, or say who may choose."""
        if interaction.user.id != self.asker_id and not interaction.permissions.manage_messages:
            await tell(interaction, "Only the person who asked, or a moderator, can choose here.")
            return
        async with failure_told(interaction):
            await interaction.response.defer()
            private = interaction.message is not None and interaction.message.flags.ephemeral
            for option in self.item.options:
                option.default = option.value in self.item.values
            (chosen,) = (option for option in self.item.options if option.default)
            place = place_of(interaction)
            with self.choices.made(place) as is_last:
                reply = await self.answer(interaction, chosen, private=private)
                async with self.choices.turns.of(place):
                    if is_last():
                        menu = type(self)(self.asker_id, self.item.options)
                        await _show(interaction, reply, menu, private=private)


def taxon_menu(lookup: Lookup, naming: Naming) -> type[TaxonMenu]:
    """Make the menu whose choices ``lookup`` answers, in the languages that ``naming`` says."""

    class Menu(TaxonMenu, template=_MENU_ID):
        choices = Choices()

        async def answer(
            self,
            interaction: discord.Interaction[Any],
            option: discord.SelectOption,
            *,
            private: bool,
        ) -> Reply:
            readers = Readers.of_interaction(interaction, private=private)
            languages = await naming.languages(readers, interaction.guild_id)
            return await lookup.by_choice(
                option, languages=languages, requester=requester_of(interaction)
            )

    return Menu


def feature(lookup: Lookup, naming: Naming) -> Feature:
    """Build the feature; ``lookup`` gives the answers, in the languages that ``naming`` says."""
    menu = taxon_menu(lookup, naming)

    @app_commands.command(name="gbif", description="Look up a species or any other taxon.")
    @app_commands.describe(
        name="A scientific or common name",
        rank="What the name is to be the name of",
        private="Show the answer to you alone",
    )
    @app_commands.choices(
        rank=[app_commands.Choice(name=rank.capitalize(), value=rank) for rank in _RANKS]
    )
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def gbif_command(
        interaction: discord.Interaction[Any],
        name: app_commands.Range[str, 1, MAX_NAME],
        rank: str | None = None,
        private: bool = False,
    ) -> None:
        await interaction.response.defer(ephemeral=private, thinking=True)
        readers = Readers.of_interaction(interaction, private=private)
        languages = await naming.languages(readers, interaction.guild_id)
        reply = await lookup.by_name(
            name, rank=rank, languages=languages, requester=requester_of(interaction)
        )
        below = menu(interaction.user.id, reply.options) if reply.options else None
        await _show(interaction, reply, below, private=private)

    @gbif_command.autocomplete("name")
    async def suggest(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        rank = getattr(interaction.namespace, "rank", None)
        ranks = (rank,) if rank in _RANKS else ()
        offered = await lookup.suggest(current, ranks, locale=interaction.locale.value)
        return [app_commands.Choice(name=text, value=name) for text, name in offered]

    return Feature(commands=(gbif_command,), dynamic_items=(menu,))


async def _show(
    interaction: discord.Interaction[Any], reply: Reply, menu: TaxonMenu | None, *, private: bool
) -> None:
    """Put ``reply`` in the place of "thinking...", or of the message the menu stands in."""
    view = discord.ui.View(timeout=None)
    if menu is not None:
        view.add_item(menu)
    if not private:
        view.add_item(RemoveButton(menu.asker_id if menu is not None else interaction.user.id))
    # In a direct message there is nobody to withhold a permission.
    allowed = (
        discord.Permissions.all() if interaction.guild_id is None else interaction.app_permissions
    )
    await interaction.edit_original_response(
        **reply.to_edit(allowed),
        view=view,
        allowed_mentions=discord.AllowedMentions.none(),
    )
