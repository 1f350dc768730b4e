"""The groups in people's words: as choices of a command, in a sentence, in a message."""

from __future__ import annotations

import re

from discord import app_commands

from engine import Group

CHOICES = [
    app_commands.Choice(name="Auto: decide from the photo", value=Group.AUTO.value),
    app_commands.Choice(name="Bird", value=Group.BIRD.value),
    app_commands.Choice(name="Insect", value=Group.INSECT.value),
    app_commands.Choice(name="Plant", value=Group.PLANT.value),
    app_commands.Choice(name="Generic: anything else", value=Group.GENERIC.value),
]

PLURALS = {
    Group.AUTO: "anything",
    Group.BIRD: "birds",
    Group.INSECT: "insects",
    Group.PLANT: "plants",
    Group.GENERIC: "other organisms",
}

_WORDS = {group.value: group for group in Group} | {
    "birds": Group.BIRD,
    "insects": Group.INSECT,
    "plants": Group.PLANT,
}


def group_in(text: str) -> Group | None:
    """Return the first group that ``text`` names with a word of its own, if any."""
    words = re.findall(r"[a-z]+", text.lower())
    return next((_WORDS[word] for word in words if word in _WORDS), None)
