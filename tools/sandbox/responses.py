"""The rules for answering an interaction, and what each answer changes.

Acknowledge within 3 seconds, once; the token then works for 15 minutes; whether the answer
is ephemeral is fixed by the acknowledgement; the first follow-up after a plain defer becomes
the answer itself; five follow-ups where the application is not installed.
Source: https://discord.com/developers/docs/interactions/receiving-and-responding.
"""

from __future__ import annotations

import asyncio
import time

from tools.sandbox.compose import write
from tools.sandbox.errors import ApiError, already_acknowledged, invalid_form, unknown
from tools.sandbox.events import Event
from tools.sandbox.interactions import NO_ANSWER, Callback, Interaction, Kind
from tools.sandbox.limits import check_choices, check_message, check_modal, check_not_empty
from tools.sandbox.messages import (
    CHAT_INPUT_COMMAND,
    CONTEXT_MENU_COMMAND,
    DEFAULT,
    EPHEMERAL,
    LOADING,
    Message,
    Upload,
)
from tools.sandbox.people import Json, User
from tools.sandbox.state import World

FOLLOWUPS_WITHOUT_INSTALL = 5
ALLOWED = {
    Kind.COMMAND: {Callback.MESSAGE, Callback.DEFERRED_MESSAGE, Callback.MODAL},
    Kind.COMPONENT: set(Callback) - {Callback.CHOICES},
    Kind.AUTOCOMPLETE: {Callback.CHOICES},
    Kind.MODAL: set(Callback) - {Callback.CHOICES, Callback.MODAL},
}


class Responses:
    """Keep the interactions that are open and apply the rules to every answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def open(self, interaction: Interaction, gateway_data: Json) -> None:
        """Send an interaction to the bot and start the clock of its acknowledgement."""
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        self._timers[interaction.id] = asyncio.get_running_loop().call_later(
            self._world.settings.acknowledge_within, self._give_up, interaction
        )
        self._world.feed.publish(
            Event(
                name="INTERACTION_CREATE",
                data=gateway_data,
                channel=interaction.channel,
                to_bot=True,
                to_page=False,
            )
        )

    def close(self) -> None:
        """Stop every clock."""
        for timer in self._timers.values():
            timer.cancel()

    def _give_up(self, interaction: Interaction) -> None:
        interaction.failure = NO_ANSWER
        interaction.settled.set()
        self._world.feed.publish(
            Event(
                name="INTERACTION_FAILED",
                data={"interaction_id": str(interaction.id), "reason": NO_ANSWER},
                channel=interaction.channel,
            )
        )

    def acknowledge(
        self, interaction_id: int, token: str, payload: Json, files: dict[int, Upload]
    ) -> Interaction:
        """Take the application's first answer.

        Raises:
            ApiError: 10062 too late or unknown, 40060 a second time, 50035 a wrong kind of
                answer or a body that breaks a limit, 50006 an empty message.
        """
        interaction = self._by_id.get(interaction_id)
        if interaction is None or interaction.token != token or interaction.failure:
            raise unknown("Interaction")
        if interaction.callback is not None:
            raise already_acknowledged()
        callback = _callback(interaction, payload)
        data = payload.get("data") or {}
        self._apply(interaction, callback, data, files)
        interaction.callback = callback
        self._timers.pop(interaction.id).cancel()
        interaction.settled.set()
        # Discord's own clients get this too: a silent defer has no other sign for the person.
        self._world.feed.publish(
            Event(
                name="INTERACTION_SUCCESS",
                data={"interaction_id": str(interaction.id)},
                channel=interaction.channel,
            )
        )
        return interaction

    def _apply(
        self, interaction: Interaction, callback: Callback, data: Json, files: dict[int, Upload]
    ) -> None:
        flags = (data.get("flags") or 0) & EPHEMERAL
        if callback is Callback.MESSAGE:
            check_message(data, uploads=files, within="data.")
            check_not_empty(data, uploads=files)
            interaction.original = self._say(interaction, data, files, flags)
        elif callback is Callback.DEFERRED_MESSAGE:
            interaction.original = self._say(interaction, {}, {}, flags | LOADING)
        elif callback in (Callback.DEFERRED_UPDATE, Callback.UPDATE):
            interaction.original = interaction.message
            if callback is Callback.UPDATE and interaction.message is not None:
                check_message(data, uploads=files, within="data.")
                check_not_empty(data, uploads=files, before=interaction.message)
                write(interaction.message, data, files, self._world)
                self._world.change(interaction.message)
        elif callback is Callback.CHOICES:
            check_choices(data.get("choices") or [])
            interaction.choices = data.get("choices") or []
        else:
            check_modal(data)
            interaction.modal = data
            self._world.feed.publish(
                Event(
                    name="MODAL",
                    data=data
                    | {
                        "interaction_id": str(interaction.id),
                        "channel_id": str(interaction.channel.id),
                    },
                )
            )

    def _say(
        self, interaction: Interaction, data: Json, files: dict[int, Upload], flags: int
    ) -> Message:
        message = self._world.blank(interaction.channel, self._world.bot, flags=flags)
        message.interaction = interaction
        message.type = (
            DEFAULT
            if interaction.kind is not Kind.COMMAND
            else CHAT_INPUT_COMMAND
            if interaction.command_type == 1
            else CONTEXT_MENU_COMMAND
        )
        write(message, data, files, self._world)
        self._world.say(message)
        return message

    def with_token(self, token: str) -> Interaction:
        """Return the acknowledged interaction whose token still works.

        Raises:
            ApiError: 10015 not acknowledged or unknown, 50027 older than 15 minutes.
        """
        interaction = self._by_token.get(token)
        if interaction is None or interaction.callback in (None, Callback.CHOICES):
            raise unknown("Webhook")
        if time.monotonic() - interaction.started > self._world.settings.token_lifetime:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        return interaction

    def follow_up(self, token: str, payload: Json, files: dict[int, Upload]) -> Message:
        """Add a message to an answer, or finish a deferred one.

        Raises:
            ApiError: As :meth:`with_token`; 50035 and 50006 for a wrong body; 40094 after
                five follow-ups where the application is not installed.
        """
        interaction = self.with_token(token)
        check_message(payload, uploads=files)
        check_not_empty(payload, uploads=files)
        original = interaction.original
        # One that was deleted while it still said "thinking" is not brought back.
        if original is not None and original.loading and original.id in original.channel.messages:
            write(original, payload, files, self._world)
            self._world.change(original)
            return original
        interaction.followups += 1
        if not interaction.installed and interaction.followups > FOLLOWUPS_WITHOUT_INSTALL:
            raise ApiError(
                400, 40094, "This interaction has reached the maximum number of follow up messages"
            )
        flags = (payload.get("flags") or 0) & EPHEMERAL
        message = self._world.blank(interaction.channel, self._world.bot, flags=flags)
        message.interaction = interaction
        write(message, payload, files, self._world)
        self._world.say(message)
        return message

    def answered(self, token: str, message_id: str) -> Message:
        """Return ``@original`` or a follow-up of the interaction with this token.

        Raises:
            ApiError: As :meth:`with_token`; 10008 where there is no such message.
        """
        interaction = self.with_token(token)
        said = interaction.channel.messages
        original = interaction.original
        if message_id == "@original":
            found = said.get(original.id) if original else None
        else:
            found = said.get(int(message_id)) if message_id.isdigit() else None
        if found is None or not (found is original or found.interaction is interaction):
            raise unknown("Message")
        return found

    def modal_source(self, user: User, custom_id: str) -> Message | None:
        """Return the message whose component last showed ``user`` this modal, if one did."""
        for interaction in reversed(self._by_id.values()):
            modal = interaction.modal
            if interaction.user is user and modal and modal["custom_id"] == custom_id:
                return interaction.message
        return None


def _callback(interaction: Interaction, payload: Json) -> Callback:
    try:
        callback = Callback(payload["type"])
    except (KeyError, ValueError):
        callback = None
    allowed = ALLOWED[interaction.kind]
    if interaction.kind is Kind.MODAL and interaction.message is None:
        allowed = allowed - {Callback.UPDATE, Callback.DEFERRED_UPDATE}
    if callback not in allowed:
        raise invalid_form(
            {
                "type": (
                    "BASE_TYPE_CHOICES",
                    f"Value must be one of {sorted(int(value) for value in allowed)}.",
                )
            }
        )
    return callback
