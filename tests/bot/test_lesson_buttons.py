"""The buttons of teaching are what their ids say, whatever those say."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import create_autospec

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.features.lesson_buttons import (
    LONGEST_NAME,
    AcceptButton,
    DeclineButton,
    LessonAnswers,
    UndoButton,
    buttons_of,
)
from bot.teacher import new_identity
from engine import SPECIES_RANKS, TaxonTable

MAX_CUSTOM_ID = 100
PRESSED = create_autospec(discord.Interaction, instance=True)
BUTTONS = (UndoButton, AcceptButton, DeclineButton)
IDS = st.integers(min_value=0, max_value=2**64 - 1)
IDENTITIES = st.text("ABCxyz019-_", min_size=11, max_size=11)
NAMES = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"]),
    min_size=1,
    max_size=LONGEST_NAME,
)


async def rebuilt(kind: type[Any], custom_id: str) -> Any:
    match = re.fullmatch(kind.__discord_ui_compiled_template__, custom_id)
    if match is None:
        return None
    return await kind.from_custom_id(PRESSED, discord.ui.Button(label="x"), match)


@given(IDS, IDENTITIES, NAMES)
async def test_a_button_comes_back_from_its_id_alone(member: int, identity: str, name: str) -> None:
    undo, accept, decline = (
        UndoButton(member, identity),
        AcceptButton(member, identity, name),
        DeclineButton(member),
    )
    for button in (undo, accept, decline):
        assert len(button.custom_id) <= MAX_CUSTOM_ID
        kinds = [kind for kind in BUTTONS if await rebuilt(kind, button.custom_id) is not None]
        assert kinds == [type(button)]
        again = await rebuilt(type(button), button.custom_id)
        assert (again.member_id, again.custom_id) == (member, button.custom_id)
    again = await rebuilt(AcceptButton, accept.custom_id)
    assert (again.identity, again.name) == (identity, name)
    assert (await rebuilt(UndoButton, undo.custom_id)).identity == identity


@given(st.from_regex(r"fieldmark:(undo|accept|decline):[-\w:. ]*", fullmatch=True) | st.text())
async def test_an_id_is_understood_whole_or_not_at_all(custom_id: str) -> None:
    found = [button for kind in BUTTONS if (button := await rebuilt(kind, custom_id))]
    assert len(found) <= 1
    for button in found:
        assert await rebuilt(type(button), button.custom_id) is not None
        assert re.sub(r":0*(?=\d)", ":", custom_id, count=2) == re.sub(
            r":0*(?=\d)", ":", button.custom_id, count=2
        )


def test_an_identity_is_drawn_anew_each_time() -> None:
    drawn = {new_identity() for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", identity) for identity in drawn)


def test_every_species_of_the_table_can_be_suggested() -> None:
    names = (taxon.scientific_name for taxon in TaxonTable.load() if taxon.rank in SPECIES_RANKS)
    assert max(map(len, names)) <= LONGEST_NAME


def test_a_name_that_is_too_long_makes_no_button() -> None:
    with pytest.raises(ValueError, match="must match the template"):
        AcceptButton(1, "A" * 11, "")


async def test_a_press_goes_to_who_answers_it() -> None:
    lessons = create_autospec(LessonAnswers, instance=True)
    undo, accept, decline = buttons_of(lessons)
    pressed = undo(1, "A" * 11), accept(1, "A" * 11, "Vanessa cardui"), decline(1)
    for button in pressed:
        await button.callback(PRESSED)
    lessons.undo.assert_awaited_once_with(PRESSED, pressed[0])
    lessons.accept.assert_awaited_once_with(PRESSED, pressed[1])
    lessons.decline.assert_awaited_once_with(PRESSED, pressed[2])
