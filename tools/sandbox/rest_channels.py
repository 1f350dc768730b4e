"""Routes about channels: reading, saying, editing, deleting, reacting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tools.sandbox.compose import write
from tools.sandbox.errors import ApiError, missing_access, missing_permissions, unknown
from tools.sandbox.limits import check_message, check_not_empty
from tools.sandbox.messages import Message, without_content
from tools.sandbox.people import Json, Permission
from tools.sandbox.places import Channel
from tools.sandbox.rest import Call, Reply, Route
from tools.sandbox.state import World

_SILENT = 1 << 12
_NONCE_LIFETIME = timedelta(minutes=5)


class ChannelRoutes:
    """Answer for channels and the messages in them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """List the routes."""
        messages = "/channels/{channel}/messages"
        message = f"{messages}/{{message}}"
        reaction = f"{message}/reactions/{{emoji}}"
        table: list[tuple[str, str, Any]] = [
            ("GET", "/channels/{channel}", self.channel),
            ("POST", "/channels/{channel}/typing", self.typing),
            ("GET", messages, self.history),
            ("POST", messages, self.create),
            ("POST", f"{messages}/bulk-delete", self.bulk_delete),
            ("GET", message, self.read),
            ("PATCH", message, self.edit),
            ("DELETE", message, self.delete),
            ("PUT", f"{reaction}/@me", self.react),
            ("DELETE", f"{reaction}/@me", self.unreact),
        ]
        return [Route(method=m, path=p, answer=answer) for m, p, answer in table]

    def channel(self, call: Call) -> Reply:
        """Answer what a channel is."""
        return Reply(body=self._channel(call).payload())

    def typing(self, call: Call) -> Reply:
        """Show that the bot is typing."""
        channel = self._channel(call, Permission.SEND_MESSAGES)
        self._world.typing(channel, self._world.bot)
        return Reply()

    def history(self, call: Call) -> Reply:
        """List messages, newest first."""
        channel = self._channel(call, Permission.READ_MESSAGE_HISTORY)
        limit = int(call.query.get("limit", 50))
        said = sorted((m for m in channel.messages.values() if not m.ephemeral), key=lambda m: m.id)
        if "after" in call.query:
            said = [m for m in said if m.id > int(call.query["after"])][:limit]
        elif "around" in call.query:
            centre = int(call.query["around"])
            nearest = sorted(said, key=lambda m: abs(m.id - centre))[:limit]
            said = sorted(nearest, key=lambda m: m.id)
        else:
            before = int(call.query.get("before", 1 << 63))
            said = [m for m in said if m.id < before][-limit:]
        return Reply(body=[self._seen(message) for message in reversed(said)])

    def read(self, call: Call) -> Reply:
        """Answer what a message says."""
        channel = self._channel(call, Permission.READ_MESSAGE_HISTORY)
        return Reply(body=self._seen(self._world.message(channel, call.number("message"))))

    def create(self, call: Call) -> Reply:
        """Say something."""
        payload = call.body
        channel = self._channel(call, Permission.SEND_MESSAGES)
        check_message(payload, uploads=call.files)
        self._check_content_permissions(channel, call)
        check_not_empty(payload, uploads=call.files)
        if payload.get("enforce_nonce") and (made := self._made_with(payload.get("nonce"))):
            return Reply(body=self._seen(made))
        flags = (payload.get("flags") or 0) & _SILENT
        message = self._world.blank(channel, self._world.bot, flags=flags)
        message.nonce, message.tts = payload.get("nonce"), bool(payload.get("tts"))
        if payload.get("message_reference"):
            self._reply_to(message, payload["message_reference"])
        write(message, payload, call.files, self._world)
        self._world.say(message)
        return Reply(body=self._seen(message))

    def edit(self, call: Call) -> Reply:
        """Change one of the bot's own messages."""
        payload = call.body
        channel = self._channel(call)
        message = self._world.message(channel, call.number("message"))
        if message.author is not self._world.bot:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        check_message(payload, uploads=call.files)
        self._check_content_permissions(channel, call)
        check_not_empty(payload, uploads=call.files, before=message)
        write(message, payload, call.files, self._world)
        self._world.change(message)
        return Reply(body=self._seen(message))

    def delete(self, call: Call) -> Reply:
        """Delete a message: the bot's own, or anyone's with the permission to."""
        channel = self._channel(call)
        message = self._world.message(channel, call.number("message"))
        self._check_may_delete(channel, message)
        self._world.delete(message)
        return Reply()

    def bulk_delete(self, call: Call) -> Reply:
        """Delete 2 to 100 messages of a server at once."""
        channel = self._channel(call, Permission.MANAGE_MESSAGES)
        if channel.guild is None:
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        numbers = [int(number) for number in call.body["messages"]]
        if not 2 <= len(numbers) <= 100:
            raise ApiError(400, 50016, "Provided too few or too many messages to delete.")
        found = [channel.messages[number] for number in numbers if number in channel.messages]
        self._world.delete_together(channel, [m for m in found if not m.ephemeral])
        return Reply()

    def react(self, call: Call) -> Reply:
        """Add the bot's reaction."""
        channel = self._channel(call, Permission.ADD_REACTIONS | Permission.READ_MESSAGE_HISTORY)
        message = self._world.message(channel, call.number("message"))
        self._world.react(message, self._world.bot, unquote(call.ids["emoji"]), present=True)
        return Reply()

    def unreact(self, call: Call) -> Reply:
        """Take the bot's reaction back."""
        message = self._world.message(self._channel(call), call.number("message"))
        self._world.react(message, self._world.bot, unquote(call.ids["emoji"]), present=False)
        return Reply()

    def _channel(self, call: Call, needed: Permission = Permission(0)) -> Channel:  # noqa: B008
        """Return the channel of the path, where the bot may see it and has ``needed``."""
        channel = self._world.channels.get(call.number("channel"))
        if channel is None:
            raise unknown("Channel")
        if channel.guild is not None and not channel.guild.installed:
            raise missing_access()
        granted = channel.permissions(self._world.bot)
        if Permission.VIEW_CHANNEL not in granted:
            raise missing_access()
        if needed not in granted:
            raise missing_permissions()
        return channel

    def _check_content_permissions(self, channel: Channel, call: Call) -> None:
        granted = channel.permissions(self._world.bot)
        if call.body.get("embeds") and Permission.EMBED_LINKS not in granted:
            raise missing_permissions()
        if call.files and Permission.ATTACH_FILES not in granted:
            raise missing_permissions()

    def _check_may_delete(self, channel: Channel, message: Message) -> None:
        if message.author is self._world.bot:
            return
        if channel.guild is None:
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        if Permission.MANAGE_MESSAGES not in channel.permissions(self._world.bot):
            raise missing_permissions()

    def _made_with(self, nonce: str | int | None) -> Message | None:
        """Return the bot's message of the last minutes that carries this nonce."""
        earliest = datetime.now(UTC) - _NONCE_LIFETIME
        for message in self._world.everything_said():
            same = message.nonce is not None and str(message.nonce) == str(nonce)
            if same and message.author is self._world.bot and message.timestamp > earliest:
                return message
        return None

    def _reply_to(self, message: Message, reference: Json) -> None:
        channel = message.channel
        if Permission.READ_MESSAGE_HISTORY not in channel.permissions(message.author):
            raise ApiError(400, 160002, "Cannot reply without permission to read message history")
        target = channel.messages.get(int(reference["message_id"]))
        if target is None or target.ephemeral:
            if reference.get("fail_if_not_exists") is False:
                return
            raise ApiError(
                400,
                50035,
                "Invalid Form Body",
                {
                    "message_reference": {
                        "_errors": [
                            {"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}
                        ]
                    }
                },
            )
        self._world.refer(message, target)

    def _seen(self, message: Message) -> Json:
        """Return a message as the bot may read it."""
        payload = message.payload(bot_id=self._world.bot.id)
        if message.channel.guild is None or "message_content" in self._world.settings.privileged:
            return payload
        return without_content(payload, self._world.bot.id)
