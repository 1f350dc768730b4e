"""Routes that answer interactions; the token in the path is all the proof they need."""

from __future__ import annotations

from tools.sandbox.compose import write
from tools.sandbox.errors import ApiError, unknown
from tools.sandbox.interactions import Callback, Interaction
from tools.sandbox.limits import check_message, check_not_empty
from tools.sandbox.people import Json
from tools.sandbox.responses import Responses
from tools.sandbox.rest import Call, Reply, Route
from tools.sandbox.state import World

_WITH_MESSAGE = (Callback.MESSAGE, Callback.DEFERRED_MESSAGE, Callback.UPDATE)


class InteractionRoutes:
    """Answer for acknowledgements, ``@original`` and follow-ups."""

    def __init__(self, world: World, responses: Responses) -> None:
        self._world = world
        self._responses = responses

    def routes(self) -> list[Route]:
        """List the routes."""
        webhook = "/webhooks/{application}/{token}"
        table = [
            ("POST", "/interactions/{interaction}/{token}/callback", self.acknowledge),
            ("POST", webhook, self.follow_up),
            ("GET", f"{webhook}/messages/{{message}}", self.read),
            ("PATCH", f"{webhook}/messages/{{message}}", self.edit),
            ("DELETE", f"{webhook}/messages/{{message}}", self.delete),
        ]
        return [Route(method=m, path=p, answer=answer, bot_only=False) for m, p, answer in table]

    def acknowledge(self, call: Call) -> Reply:
        """Take the first answer to an interaction."""
        interaction = self._responses.acknowledge(
            call.number("interaction"), call.ids["token"], call.body, call.files
        )
        if call.query.get("with_response", "").lower() not in ("1", "true"):
            return Reply()
        return Reply(body=self._callback(interaction))

    def follow_up(self, call: Call) -> Reply:
        """Say more, or finish a deferred answer."""
        message = self._responses.follow_up(self._token(call), call.body, call.files)
        return Reply(body=message.payload(bot_id=self._world.bot.id))

    def read(self, call: Call) -> Reply:
        """Answer what an answer says."""
        message = self._responses.answered(self._token(call), call.ids["message"])
        return Reply(body=message.payload(bot_id=self._world.bot.id))

    def edit(self, call: Call) -> Reply:
        """Change an answer; the first change of a deferred one finishes it."""
        message = self._responses.answered(self._token(call), call.ids["message"])
        check_message(call.body, uploads=call.files)
        check_not_empty(call.body, uploads=call.files, before=message)
        write(message, call.body, call.files, self._world)
        self._world.change(message)
        return Reply(body=message.payload(bot_id=self._world.bot.id))

    def delete(self, call: Call) -> Reply:
        """Delete an answer."""
        message = self._responses.answered(self._token(call), call.ids["message"])
        if message.author is not self._world.bot:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        self._world.delete(message)
        return Reply()

    def _token(self, call: Call) -> str:
        if call.number("application") != self._world.bot.id:
            raise unknown("Webhook")
        return call.ids["token"]

    def _callback(self, interaction: Interaction) -> Json:
        summary: Json = {"id": str(interaction.id), "type": int(interaction.kind)}
        body: Json = {"interaction": summary}
        message, callback = interaction.original, interaction.callback
        if message is None or callback not in _WITH_MESSAGE:
            return body
        summary |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.loading,
            "response_message_ephemeral": message.ephemeral,
        }
        kind = Callback.UPDATE if callback is Callback.UPDATE else Callback.MESSAGE
        body["resource"] = {
            "type": int(kind),
            "message": message.payload(bot_id=self._world.bot.id),
        }
        return body
