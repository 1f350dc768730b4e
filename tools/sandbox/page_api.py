"""The plain-HTTP site of the web page: what it shows and what a person does there.

Only loopback names are answered, so no other site can reach it through a browser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tools.sandbox.cdn import Cdn
from tools.sandbox.errors import WRONG_SHAPE, ApiError
from tools.sandbox.events import Event
from tools.sandbox.gateway import Gateway
from tools.sandbox.interactions import Kind, NoResponse
from tools.sandbox.invoke import Invoker
from tools.sandbox.member import Member
from tools.sandbox.messages import Message, Upload
from tools.sandbox.options import NotPossible
from tools.sandbox.people import Json
from tools.sandbox.places import Channel
from tools.sandbox.rest import read_form
from tools.sandbox.settings import MIB
from tools.sandbox.state import World

PAGE = Path(__file__).parent / "page"
LOCAL = ("localhost", "127.0.0.1")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageApi:
    """Serve the page, its API and its events.

    Args:
        world: The sandbox's world.
        invoker: What turns a person's actions into interactions.
        gateway: Whether the bot is online.
        cdn: The files, which the page reads over plain HTTP under ``/cdn``.
        people: Who a person may act as; the first unless they say.
    """

    def __init__(
        self,
        world: World,
        invoker: Invoker,
        gateway: Gateway,
        cdn: Cdn,
        people: list[Member],
    ) -> None:
        self._world = world
        self._invoker = invoker
        self._gateway = gateway
        self._cdn = cdn
        self._people = people
        self._sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """Return the site."""
        site = web.Application(middlewares=[_local_only, _explained], client_max_size=128 * MIB)
        channel = "/api/channels/{channel}/messages"
        site.router.add_get("/", self._index)
        site.router.add_get("/cdn/{folder}/{owner}/{number}/{name}", self._cdn.unsigned)
        site.router.add_get("/api/state", self._state)
        site.router.add_get("/api/events", self._events)
        site.router.add_get(channel, self._messages)
        site.router.add_post(channel, self._say)
        site.router.add_patch(f"{channel}/{{message}}", self._edit)
        site.router.add_delete(f"{channel}/{{message}}", self._delete)
        site.router.add_post("/api/interactions", self._interact)
        if PAGE.is_dir():
            site.router.add_static("/page", PAGE)
        return site

    async def close(self) -> None:
        """Close every page's events."""
        for socket in tuple(self._sockets):
            await socket.close()

    async def _index(self, _: web.Request) -> web.StreamResponse:
        index = PAGE / "index.html"
        if not index.is_file():
            return web.Response(status=404, text="the page is not part of this installation")
        return web.FileResponse(index, headers={"Cache-Control": "no-cache"})

    async def _state(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(
            {
                "members": [person.user.payload() for person in self._people],
                "bot": self._world.bot.payload(),
                "bot_online": self._gateway.online,
                "guilds": [
                    {
                        "id": str(guild.id),
                        "name": guild.name,
                        "channels": [
                            {"id": str(c.id), "name": c.name, "type": 0, "topic": c.topic}
                            for c in guild.channels.values()
                        ],
                    }
                    for guild in self._world.guilds.values()
                ],
                "dms": [
                    {"id": str(channel.id), "name": channel.name}
                    for channel in self._world.channels.values()
                    if channel.guild is None
                ],
                "commands": self._world.commands.all(),
            }
        )

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        said = sorted(self._channel(request).messages.values(), key=lambda message: message.id)
        return web.json_response([self._shown(message) for message in said])

    async def _say(self, request: web.Request) -> web.StreamResponse:
        payload, files = await self._form(request)
        channel = self._channel(request)
        speaker = self._person(payload, channel)
        return web.json_response(self._shown(speaker.say(channel, payload, files)))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        payload, _ = await self._form(request)
        message = self._message(request)
        person = self._person(payload, message.channel)
        return web.json_response(
            await person.edit(self._shown(message), payload.get("content") or "")
        )

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        message = self._message(request)
        person = self._person(dict(request.query), message.channel)
        await person.delete(self._shown(message))
        return web.Response(status=204)

    async def _interact(self, request: web.Request) -> web.StreamResponse:
        payload, files = await self._form(request)
        channel = self._world.channels.get(int(payload["channel_id"]))
        if channel is None:
            raise NotPossible("that channel does not exist")
        user = self._person(payload, channel).user
        kind = Kind(payload["type"])
        if kind in (Kind.COMMAND, Kind.AUTOCOMPLETE):
            command = self._world.commands.find(int(payload["command_id"]))
            if command is None:
                raise NotPossible("that command is not registered any more: reload the page")
            target = payload.get("target_id")
            interaction = self._invoker.command(
                user,
                channel,
                command,
                options=payload.get("options"),
                files=files,
                target=channel.messages.get(int(target)) if target else None,
                autocomplete=kind is Kind.AUTOCOMPLETE,
            )
        elif kind is Kind.COMPONENT:
            pressed = payload["component"]
            message = channel.messages.get(int(payload["message_id"]))
            if message is None:
                raise NotPossible("that message does not exist any more")
            interaction = self._invoker.component(
                user, message, pressed["custom_id"], pressed.get("values")
            )
        else:
            interaction = self._invoker.modal(
                user, channel, payload["custom_id"], payload["components"]
            )
        if kind is not Kind.AUTOCOMPLETE:
            return web.json_response({"interaction_id": str(interaction.id)})
        try:
            await interaction.acknowledged()
        except NoResponse:
            return web.json_response({"choices": []})
        return web.json_response({"choices": interaction.choices or []})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        waiting: asyncio.Queue[Event] = asyncio.Queue()
        self._world.feed.listen(waiting.put_nowait)
        self._sockets.add(socket)
        sender = asyncio.create_task(_send(socket, waiting))
        try:
            await socket.send_json({"t": "GATEWAY", "d": {"bot_online": self._gateway.online}})
            async for _ in socket:
                continue
        finally:
            sender.cancel()
            self._sockets.discard(socket)
            self._world.feed.forget(waiting.put_nowait)
        return socket

    async def _form(self, request: web.Request) -> tuple[Json, dict[int, Upload]]:
        if request.content_type.startswith("multipart/"):
            payload, files = await read_form(request, self._world.settings.upload_limit)
        else:
            payload, files = await request.json(), {}
        if not isinstance(payload, dict):
            raise NotPossible("the request needs a JSON object, as payload_json or as its body")
        return payload, files

    def _person(self, payload: Json, channel: Channel) -> Member:
        wanted = channel.recipient.id if channel.recipient else payload.get("member_id")
        if wanted is None:
            return self._people[0]
        for person in self._people:
            if person.id == int(wanted):
                return person
        raise NotPossible("there is no such member")

    def _channel(self, request: web.Request) -> Channel:
        channel = self._world.channels.get(int(request.match_info["channel"]))
        if channel is None:
            raise NotPossible("that channel does not exist")
        return channel

    def _message(self, request: web.Request) -> Message:
        message = self._channel(request).messages.get(int(request.match_info["message"]))
        if message is None:
            raise NotPossible("that message does not exist any more")
        return message

    def _shown(self, message: Message) -> Json:
        return message.payload(bot_id=self._world.bot.id)


async def _send(socket: web.WebSocketResponse, waiting: asyncio.Queue[Event]) -> None:
    while True:
        event = await waiting.get()
        if event.to_page:
            await socket.send_json({"t": event.name, "d": event.data})


@web.middleware
async def _local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse names and origins that are not this machine's, as DNS rebinding would use."""
    names = [_hostname(f"//{request.headers.get('Host', '')}")]
    if "Origin" in request.headers:
        names.append(_hostname(request.headers["Origin"]))
    if not set(names) <= set(LOCAL):
        return web.Response(status=403, text="the sandbox answers this machine only")
    return await handler(request)


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what cannot be done with the sentence that says why."""
    try:
        return await handler(request)
    except NotPossible as refusal:
        status, text = 400, str(refusal)
    except ApiError as error:
        status, text = error.status, error.message
    except WRONG_SHAPE as error:
        status, text = 400, f"the request is not understood: {type(error).__name__} {error}"
    body: dict[str, Any] = {"message": text}
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type="application/json"
    )
