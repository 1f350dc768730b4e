"""An answer to a name, as it is sent: its card, its map, and what can be chosen below it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import discord

from bot.taxon.card import MAP_FILE, as_text

_NO_EMBEDS = "I may not embed links here, so this is the plain form of the card."
_NO_FILES = "I may not attach files here, so the map is not shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its card, the map that belongs to it, and what can be chosen below it."""

    embed: discord.Embed
    world_map: bytes | None = field(default=None, repr=False)
    map_description: str = ""
    options: tuple[discord.SelectOption, ...] = ()

    def to_edit(self, permissions: discord.Permissions) -> dict[str, Any]:
        """Return the arguments of an ``edit`` that shows as much as ``permissions`` allow."""
        if not permissions.embed_links:
            text = as_text(self.embed, _NO_EMBEDS)
            return {"content": text, "embeds": [], "attachments": []}
        files = []
        embed = self.embed.copy()
        if self.world_map is not None and permissions.attach_files:
            picture = io.BytesIO(self.world_map)
            files = [discord.File(picture, MAP_FILE, description=self.map_description)]
        elif self.world_map is not None:
            embed.set_image(url=None).set_footer(text=f"{embed.footer.text}\n{_NO_FILES}")
        return {"content": None, "embeds": [embed], "attachments": files}
