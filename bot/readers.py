"""In which languages an answer names taxa: those of the people who will read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import discord

from bot.options.languages import language


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Who will read an answer, by their locales as Discord tells them.

    ``server`` is None where only a member reads it, ``member`` where Discord does not tell, as it
    does not of who wrote a message.
    """

    server: str | None = None
    member: str | None = None

    @classmethod
    def of_interaction(cls, interaction: discord.Interaction[Any], *, private: bool) -> Readers:
        """Return who reads the answer to a command; ``private`` if that is only who gave it."""
        server = None if private else interaction.guild_locale
        return cls(server=server and server.value, member=interaction.locale.value)

    @classmethod
    def of_message(cls, message: discord.Message) -> Readers:
        """Return who reads the answer to a message."""
        guild = message.guild
        return cls(server=None if guild is None else guild.preferred_locale.value)

    def languages(self, chosen: str | None) -> tuple[str, ...]:
        """Return their languages, the most of them first.

        ``chosen`` is what the server has chosen in place of its locale, which only servers that
        are communities can set.
        """
        server = self.server and (chosen or self.server)
        return tuple(dict.fromkeys(language(one) for one in (server, self.member) if one))

    def language(self, chosen: str | None) -> str | None:
        """Return the language of most of them, if Discord tells any; see ``languages``."""
        return next(iter(self.languages(chosen)), None)
