"""The sandbox as a whole: its world, its sites and their lifetime."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from tools.sandbox.cdn import Cdn
from tools.sandbox.connector import LOOPBACK, loopback_connector
from tools.sandbox.faults import Faults
from tools.sandbox.gateway import Gateway
from tools.sandbox.invoke import Invoker
from tools.sandbox.member import Member
from tools.sandbox.page_api import PageApi
from tools.sandbox.people import Json, Permission, User
from tools.sandbox.places import Channel, Guild
from tools.sandbox.responses import Responses
from tools.sandbox.rest import Exchange, Rest
from tools.sandbox.rest_application import ApplicationRoutes
from tools.sandbox.rest_channels import ChannelRoutes
from tools.sandbox.rest_interactions import InteractionRoutes
from tools.sandbox.settings import MIB, Settings
from tools.sandbox.spec import Violation, judge
from tools.sandbox.state import World
from tools.sandbox.tls import Authority


class Sandbox:
    """A Discord on this machine, for an unmodified bot, a web page and tests.

    ``async with Sandbox() as sandbox:`` serves Discord's names over TLS on one loopback port
    and the page over plain HTTP on another. A bot comes in with ``sandbox.token`` and
    ``sandbox.connector()``; people are ``sandbox.member`` (who sits at the page),
    ``sandbox.moderator`` and ``sandbox.other``.

    Args:
        spec: Discord's ``openapi.json``, to judge every exchange by; None to judge nothing.
        settings: The application's settings and Discord's limits.
        page_port: The page's port; 0 takes a free one.
        bot_name: What the bot is called.
        installed: Whether the default server has installed the application.
    """

    def __init__(
        self,
        spec: Path | None = None,
        *,
        settings: Settings | None = None,
        page_port: int = 0,
        bot_name: str = "Fieldmark",
        installed: bool = True,
    ) -> None:
        self.settings = settings or Settings()
        self.world = World(self.settings, bot_name=bot_name)
        self._responses = Responses(self.world)
        self._invoker = Invoker(self.world, self._responses)
        self._judge = judge(spec) if spec else None
        self._page_port = page_port
        self._authority = Authority()
        self._runners: list[web.AppRunner] = []
        self._tls_port = 0

        owner = self.world.add_user("owner")
        self.guild = self.add_guild("Naturalists", owner=owner, installed=installed)
        self.channels = {
            name: self.add_channel(name, topic=topic)
            for name, topic in (
                ("photos", "Post a photo and mention the bot"),
                ("birds", "Feathers"),
                ("general", None),
            )
        }
        self.channel = self.channels["photos"]
        self.member = self.add_member("you")
        self.moderator = self.add_member("moderator", moderator=True)
        self.other = self.add_member("member")
        self.owner = Member(self.world, self._invoker, owner, self.channel)
        self.people = [self.member, self.moderator, self.other, self.owner]
        self.dm = self.member.dm

        self.gateway = Gateway(self.world)
        self.cdn = Cdn(self.world)
        self._rest = Rest(
            self.world,
            [
                *ApplicationRoutes(self.world).routes(),
                *ChannelRoutes(self.world).routes(),
                *InteractionRoutes(self.world, self._responses).routes(),
            ],
            self._judge,
        )
        self.world.feed.listen(self._rest.judge_event)
        self._page = PageApi(self.world, self._invoker, self.gateway, self.cdn, self.people)

    # Lifetime ----------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        site = web.Application(client_max_size=128 * MIB)
        site.add_domain("discord.com", self._rest.application())
        site.add_domain("gateway.discord.gg", self.gateway.application())
        site.add_domain("cdn.discordapp.com", self.cdn.application())
        site.add_domain("media.discordapp.net", self.cdn.application())
        try:
            self._tls_port = await self._listen(site, 0, self._authority.server_context())
            self._page_port = await self._listen(self._page.application(), self._page_port, None)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop serving; connected clients are told."""
        self._responses.close()
        self.cdn.closing.set()
        await self._page.close()
        self.gateway.drop()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _listen(
        self, site: web.Application, port: int, context: ssl.SSLContext | None
    ) -> int:
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, LOOPBACK, port, ssl_context=context).start()
        bound: int = runner.addresses[0][1]
        return bound

    # What a bot needs --------------------------------------------------------------

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.world.token

    @property
    def mention(self) -> str:
        """The text that mentions the bot."""
        return f"<@{self.world.bot.id}>"

    @property
    def page_url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self._page_port}/"

    def connector(self) -> aiohttp.TCPConnector:
        """Return a connector for discord.py's ``connector=``, to be made in a running loop."""
        return loopback_connector(self._tls_port, self._authority.client_context())

    # The world ---------------------------------------------------------------------

    def add_guild(self, name: str, *, owner: User | None = None, installed: bool = True) -> Guild:
        """Create another server, with or without the application installed."""
        return self.world.add_guild(name, owner=owner or self.owner.user, installed=installed)

    def add_channel(
        self, name: str, *, guild: Guild | None = None, topic: str | None = None
    ) -> Channel:
        """Create another text channel."""
        return self.world.add_channel(guild or self.guild, name, topic=topic)

    def add_member(
        self,
        name: str,
        *,
        guild: Guild | None = None,
        moderator: bool = False,
        user: User | None = None,
    ) -> Member:
        """Let somebody, new or ``user``, into a server."""
        guild = guild or self.guild
        person = user or self.world.add_user(name)
        self.world.add_member(guild, person, *(guild.roles[1:2] if moderator else ()))
        home = next(iter(guild.channels.values()))
        return Member(self.world, self._invoker, person, home)

    def install(self, guild: Guild) -> None:
        """Add the application to a server."""
        self.world.install(guild)

    def uninstall(self, guild: Guild) -> None:
        """Throw the application out of a server."""
        self.world.uninstall(guild)

    def deny(self, channel: Channel, *permissions: str) -> None:
        """Take permissions from the bot in a channel, by name; none gives all back.

        Raises:
            KeyError: There is no such permission.
        """
        denied = Permission(0)
        for name in permissions:
            denied |= Permission[name.upper()]
        self.world.deny(channel, self.world.bot, denied)

    # What tests look at ------------------------------------------------------------

    @property
    def exchanges(self) -> list[Exchange]:
        """Every REST request and its answer, oldest first."""
        return self._rest.exchanges

    @property
    def violations(self) -> list[Violation]:
        """Every point where an exchange left the specification or Discord's limits."""
        return self._rest.violations

    @property
    def faults(self) -> Faults:
        """Rate limits and failures to answer with, where a test wants them."""
        return self._rest.faults

    @property
    def unserved(self) -> list[str]:
        """Requests to routes the sandbox does not have, as ``METHOD path``."""
        return [f"{e.method} {e.path}" for e in self.exchanges if e.route is None]

    @property
    def commands(self) -> list[Json]:
        """The application commands as registered."""
        return self.world.commands.all()

    def said(self, channel: Channel | None = None) -> list[Json]:
        """List messages, oldest first, ephemeral ones included."""
        return [
            message.payload(bot_id=self.world.bot.id)
            for message in self.world.everything_said()
            if channel is None or message.channel is channel
        ]

    async def wait_for(
        self,
        predicate: Callable[[Json], object],
        timeout: float = 10.0,  # noqa: ASYNC109 -- the sentence of the error needs it
    ) -> Json:
        """Wait for a message, already there or still to be said or edited, that fits.

        Args:
            predicate: Called with a message object as Discord sends it.
            timeout: Seconds to wait.

        Raises:
            TimeoutError: None came; the sentence ends with what was said.
        """
        for message in self.said():
            if predicate(message):
                return message
        try:
            event = await self.world.feed.first(
                lambda event: event.message is not None and bool(predicate(event.data)), timeout
            )
        except TimeoutError:
            said = [_summary(message) for message in self.said()[-5:]]
            raise TimeoutError(f"no message fitted within {timeout} s; last said: {said}") from None
        return event.data

    async def gone(self, message: Json, timeout: float = 10.0) -> None:  # noqa: ASYNC109 -- as above
        """Wait until a message is deleted.

        Raises:
            TimeoutError: It was not within ``timeout`` seconds.
        """
        if message["id"] in [said["id"] for said in self.said()]:
            await self.world.feed.first(
                lambda event: event.name == "MESSAGE_DELETE" and event.data["id"] == message["id"],
                timeout,
            )

    def file(self, url: str) -> bytes:
        """Return the bytes behind a CDN address.

        Raises:
            KeyError: There is no such file (any more).
        """
        file = self.world.files.at(urlsplit(url).path)
        if file is None:
            raise KeyError(url)
        return file.upload.data

    async def online(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 -- as in wait_for
        """Wait until the bot has a gateway session.

        Raises:
            TimeoutError: It did not come within ``timeout`` seconds.
        """
        if not self.gateway.online:
            await self.world.feed.first(
                lambda event: event.name == "GATEWAY" and event.data["bot_online"], timeout
            )


def _summary(message: Json) -> str:
    titles = [embed.get("title") for embed in message["embeds"]]
    return f"{message['author']['username']}: {message['content'][:80]!r} embeds={titles}"
