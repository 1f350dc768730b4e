"""A command's option that takes a language."""

from __future__ import annotations

from typing import TypeAlias

from discord import app_commands

from bot.options.code import CodeOption
from bot.options.languages import LANGUAGES

LanguageOption: TypeAlias = app_commands.Transform[
    str,
    CodeOption(
        LANGUAGES,
        kind="language",
        advice="Choose one of those that are offered while you type.",
    ),
]
