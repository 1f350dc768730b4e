"""Photos posted as messages."""

from __future__ import annotations

from engine import Group
from tests.behaviour.world import JPEG, World


async def test_a_photo_with_a_mention_gets_a_card(world: World) -> None:
    photo = await world.alice.send(
        world.channel, f"{world.mention} bird?", attachments=[("IMG.jpg", JPEG)]
    )
    (answer,) = world.answers
    assert answer.reference.message_id == photo.id
    assert answer.embeds[0].title == "European robin"
    assert world.engine.asked == [((JPEG,), Group.BIRD)]
