"""Gateway v10: the socket that tells the bot what happens.

Source: https://discord.com/developers/docs/events/gateway and .../opcodes-and-status-codes.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

from tools.sandbox.errors import WRONG_SHAPE
from tools.sandbox.events import Event
from tools.sandbox.messages import without_content
from tools.sandbox.people import Json, Permission
from tools.sandbox.places import Channel, Guild
from tools.sandbox.sessions import Close, Intent, Op, Refused, Session, Wire
from tools.sandbox.state import World

URL = "wss://gateway.discord.gg"
_ALL_INTENTS = (1 << 26) - 1
_PRIVILEGED = {
    "members": Intent.MEMBERS,
    "presences": Intent.PRESENCES,
    "message_content": Intent.MESSAGE_CONTENT,
}
_WANTED_BY = {
    "MESSAGE_CREATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_UPDATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE_BULK": (Intent.GUILD_MESSAGES, Intent.GUILD_MESSAGES),
    "MESSAGE_REACTION_ADD": (Intent.GUILD_REACTIONS, Intent.DIRECT_REACTIONS),
    "MESSAGE_REACTION_REMOVE": (Intent.GUILD_REACTIONS, Intent.DIRECT_REACTIONS),
    "TYPING_START": (Intent.GUILD_TYPING, Intent.DIRECT_TYPING),
    "CHANNEL_CREATE": (Intent.GUILDS, Intent.GUILDS),
    "CHANNEL_UPDATE": (Intent.GUILDS, Intent.GUILDS),
    "GUILD_CREATE": (Intent.GUILDS, Intent.GUILDS),
    "GUILD_DELETE": (Intent.GUILDS, Intent.GUILDS),
}


class Gateway:
    """Accept sockets, keep sessions and dispatch the world's events to them.

    ``identifies`` and ``resumes`` count what the bot sent; ``refuse_next`` is how many of the
    next connections get HTTP 503 in place of a socket.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions: dict[str, Session] = {}
        self._wires: set[Wire] = set()
        self.identifies = 0
        self.resumes = 0
        self.refuse_next = 0
        world.feed.listen(self._dispatch)

    # Controls ----------------------------------------------------------------------

    @property
    def online(self) -> bool:
        """Whether a session has a socket."""
        return any(session.wire for session in self._sessions.values())

    def drop(self) -> None:
        """Cut every connection without a close frame."""
        for wire in tuple(self._wires):
            wire.cut()

    async def close_sockets(self, code: int) -> None:
        """Close every connection with ``code``; some codes end the sessions too."""
        if code in (Close.INVALID_SEQUENCE, Close.SESSION_TIMED_OUT):
            self._sessions.clear()
        for wire in tuple(self._wires):
            await wire.close(code)

    def ask_to_reconnect(self) -> None:
        """Send RECONNECT, as Discord does before it restarts a server."""
        for wire in self._wires:
            wire.put(Op.RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send INVALID_SESSION, and forget the sessions unless they may be resumed."""
        for session in tuple(self._sessions.values()):
            if session.wire is not None:
                session.wire.put(Op.INVALID_SESSION, resumable)
        if not resumable:
            self._sessions.clear()

    # The socket --------------------------------------------------------------------

    def application(self) -> web.Application:
        """Return the site of gateway.discord.gg."""
        site = web.Application()
        site.router.add_get("/", self._connect)
        return site

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_next > 0:
            self.refuse_next -= 1
            return web.Response(status=503, text="upstream connect error")
        if request.query.get("v") != "10" or request.query.get("encoding") != "json":
            return web.Response(status=400, text="the sandbox speaks gateway v10 in JSON only")
        if request.query.get("compress", "zlib-stream") != "zlib-stream":
            return web.Response(status=400, text="the sandbox compresses with zlib-stream only")
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        wire = Wire(socket, request)
        self._wires.add(wire)
        wire.put(
            Op.HELLO, {"heartbeat_interval": int(self._world.settings.heartbeat_interval * 1000)}
        )
        try:
            await self._serve(wire)
        except Refused as refusal:
            await wire.close(refusal.code)
        finally:
            wire.stop()
            self._wires.discard(wire)
            for session in self._sessions.values():
                if session.wire is wire:
                    session.wire = None
            self._tell_page()
        return socket

    async def _serve(self, wire: Wire) -> None:
        session: Session | None = None
        async for frame in wire.socket:
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            op, data = _read(frame.data)
            if op is Op.HEARTBEAT:
                wire.put(Op.HEARTBEAT_ACK)
            elif op in (Op.IDENTIFY, Op.RESUME):
                if session is not None:
                    raise Refused(Close.ALREADY_AUTHENTICATED)
                start = self._identify if op is Op.IDENTIFY else self._resume
                session = start(wire, data)
            elif session is None:
                raise Refused(Close.NOT_AUTHENTICATED)
            elif op is Op.REQUEST_MEMBERS:
                self._send_members(session, data)

    def _identify(self, wire: Wire, data: Json) -> Session:
        self.identifies += 1
        if data.get("token") != self._world.token:
            raise Refused(Close.BAD_TOKEN)
        shard = tuple(data.get("shard") or (0, 1))
        if len(shard) != 2 or not 0 <= shard[0] < shard[1]:
            raise Refused(Close.INVALID_SHARD)
        if not isinstance(data.get("intents"), int) or not 0 <= data["intents"] <= _ALL_INTENTS:
            raise Refused(Close.INVALID_INTENTS)
        intents = Intent(data["intents"])
        for name, intent in _PRIVILEGED.items():
            if intent in intents and name not in self._world.settings.privileged:
                raise Refused(Close.DISALLOWED_INTENTS)
        session = Session(
            id=secrets.token_hex(16), shard=(shard[0], shard[1]), intents=intents, wire=wire
        )
        self._sessions[session.id] = session
        guilds = [g for g in self._world.guilds.values() if g.installed and session.holds(g)]
        session.push("READY", self._ready(session, guilds))
        for guild in guilds:
            session.push("GUILD_CREATE", self._guild(guild, session))
        self._tell_page()
        return session

    def _resume(self, wire: Wire, data: Json) -> Session | None:
        self.resumes += 1
        if data.get("token") != self._world.token:
            raise Refused(Close.BAD_TOKEN)
        session = self._sessions.get(data.get("session_id", ""))
        if session is None:
            wire.put(Op.INVALID_SESSION, False)
            return None
        seen = data.get("seq") or 0
        if seen > len(session.log):
            raise Refused(Close.INVALID_SEQUENCE)
        session.wire = wire
        for seq, (name, missed) in enumerate(session.log[seen:], start=seen + 1):
            wire.put(Op.DISPATCH, missed, name=name, seq=seq)
        session.push("RESUMED", {})
        self._tell_page()
        return session

    def _ready(self, session: Session, guilds: list[Guild]) -> Json:
        bot = self._world.bot
        return {
            "v": 10,
            "user": bot.payload()
            | {"mfa_enabled": True, "verified": True, "email": None, "locale": "en-US"},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "private_channels": [],
            "session_id": session.id,
            "resume_gateway_url": URL,
            "shard": list(session.shard),
            "application": {"id": str(bot.id), "flags": self._world.application_flags()},
        }

    def _guild(self, guild: Guild, session: Session) -> Json:
        everyone = Intent.MEMBERS in session.intents
        members = [m for m in guild.members.values() if everyone or m.user is self._world.bot]
        return guild.create_payload(members=members)

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self._world.guilds.get(int(data["guild_id"]))
        if guild is None:
            return
        asked = data.get("user_ids") or []
        wanted = {int(user) for user in (asked if isinstance(asked, list) else [asked])}
        query = (data.get("query") or "").lower()
        found = [
            member.payload()
            for member in guild.members.values()
            if (member.user.id in wanted if wanted else member.user.username.startswith(query))
        ]
        chunk: Json = {
            "guild_id": str(guild.id),
            "members": found[: data.get("limit") or None],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(user) for user in wanted - set(guild.members)],
        }
        if data.get("nonce"):
            chunk["nonce"] = data["nonce"]
        session.push("GUILD_MEMBERS_CHUNK", chunk)

    # Events ------------------------------------------------------------------------

    def _dispatch(self, event: Event) -> None:
        if not event.to_bot:
            return
        channel = event.channel
        guild = channel.guild if channel else event.guild
        if event.name != "INTERACTION_CREATE" and not self._may_hear(channel, guild):
            return
        in_guild, in_dm = _WANTED_BY.get(event.name, (Intent(0), Intent(0)))
        wanted = in_dm if guild is None else in_guild
        for session in self._sessions.values():
            if session.holds(guild) and wanted in session.intents:
                session.push(event.name, self._seen(event, session))

    def _may_hear(self, channel: Channel | None, guild: Guild | None) -> bool:
        if guild is not None and not guild.installed:
            return False
        bot = self._world.bot
        return channel is None or Permission.VIEW_CHANNEL in channel.permissions(bot)

    def _seen(self, event: Event, session: Session) -> Json:
        in_guild = event.channel is not None and event.channel.guild is not None
        if event.message is None or not in_guild or Intent.MESSAGE_CONTENT in session.intents:
            return event.data
        return without_content(event.data, self._world.bot.id)

    def _tell_page(self) -> None:
        self._world.feed.publish(Event(name="GATEWAY", data={"bot_online": self.online}))


def _read(text: str | bytes) -> tuple[Op, Any]:
    """Return the operation and the data of a frame that the client sent.

    Raises:
        Refused: It is no JSON object with an operation, or its operation does not exist.
    """
    try:
        message = json.loads(text)
        number, data = message["op"], message.get("d")
    except WRONG_SHAPE:
        raise Refused(Close.DECODE_ERROR) from None
    try:
        return Op(number), data
    except ValueError:
        raise Refused(Close.UNKNOWN_OP) from None
