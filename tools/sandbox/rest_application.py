"""Routes about the application itself: who it is, where it is, and its commands."""

from __future__ import annotations

from typing import Any

from tools.sandbox import commands
from tools.sandbox.errors import ApiError, missing_access, unknown
from tools.sandbox.gateway import URL
from tools.sandbox.people import Json
from tools.sandbox.places import Guild
from tools.sandbox.rest import Call, Reply, Route
from tools.sandbox.state import World


class ApplicationRoutes:
    """Answer for users, guilds, the application and its commands."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """List the routes."""
        table: list[tuple[str, str, Any]] = [
            ("GET", "/users/@me", self.me),
            ("GET", "/users/@me/guilds", self.my_guilds),
            ("DELETE", "/users/@me/guilds/{guild}", self.leave_guild),
            ("POST", "/users/@me/channels", self.open_direct_messages),
            ("GET", "/users/{user}", self.user),
            ("GET", "/gateway", self.gateway),
            ("GET", "/gateway/bot", self.gateway_bot),
            ("GET", "/applications/@me", self.application),
            ("GET", "/oauth2/applications/@me", self.application),
            ("GET", "/guilds/{guild}", self.guild),
            ("GET", "/guilds/{guild}/channels", self.guild_channels),
            ("GET", "/guilds/{guild}/roles", self.guild_roles),
            ("GET", "/guilds/{guild}/members/{user}", self.guild_member),
        ]
        for scope in ("", "/guilds/{guild}"):
            base = f"/applications/{{application}}{scope}/commands"
            table += [
                ("GET", base, self.list_commands),
                ("PUT", base, self.set_commands),
                ("POST", base, self.add_command),
                ("GET", f"{base}/{{command}}", self.command),
                ("DELETE", f"{base}/{{command}}", self.remove_command),
            ]
        return [Route(method=m, path=p, answer=answer) for m, p, answer in table]

    def me(self, _: Call) -> Reply:
        """Answer who the bot is."""
        private = {"mfa_enabled": True, "locale": "en-US", "verified": True, "email": None}
        return Reply(body=self._world.bot.payload() | private)

    def user(self, call: Call) -> Reply:
        """Answer who somebody is."""
        user = self._world.users.get(call.number("user"))
        if user is None:
            raise unknown("User")
        return Reply(body=user.payload())

    def gateway(self, _: Call) -> Reply:
        """Answer where the gateway is."""
        return Reply(body={"url": URL})

    def gateway_bot(self, _: Call) -> Reply:
        """Answer where the gateway is and how many shards to open."""
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        shards = self._world.settings.shards
        return Reply(body={"url": URL, "shards": shards, "session_start_limit": limit})

    def application(self, _: Call) -> Reply:
        """Answer what the application is."""
        bot = self._world.bot
        flags = self._world.application_flags()
        guilds = sum(guild.installed for guild in self._world.guilds.values())
        owner = next(user for user in self._world.users.values() if not user.bot)
        return Reply(
            body={
                "id": str(bot.id),
                "name": bot.global_name,
                "icon": None,
                "description": "",
                "type": None,
                "bot": bot.payload(),
                "bot_public": True,
                "bot_require_code_grant": False,
                "verify_key": "0" * 64,
                "flags": flags,
                "flags_new": str(flags),
                "redirect_uris": [],
                "interactions_endpoint_url": None,
                "role_connections_verification_url": None,
                "owner": owner.payload(),
                "approximate_guild_count": guilds,
                "approximate_user_install_count": 0,
                "approximate_user_authorization_count": 0,
                "explicit_content_filter": 0,
                "team": None,
                "eligible_oauth2_scopes": [],
            }
        )

    def my_guilds(self, call: Call) -> Reply:
        """List the servers the bot is a member of."""
        joined: list[Json] = [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": str(int(guild.permissions(self._world.bot))),
                "features": [],
            }
            for guild in self._world.guilds.values()
            if guild.installed and guild.id > int(call.query.get("after", 0))
        ]
        return Reply(body=joined[: int(call.query.get("limit", 200))])

    def leave_guild(self, call: Call) -> Reply:
        """Let the bot leave a server."""
        self._world.uninstall(self._guild(call))
        return Reply()

    def open_direct_messages(self, call: Call) -> Reply:
        """Open the direct messages with somebody."""
        user = self._world.users.get(int(call.body["recipient_id"]))
        if user is None:
            raise unknown("User")
        if user.bot:
            raise ApiError(400, 50007, "Cannot send messages to this user")
        return Reply(body=self._world.direct_messages(user).payload())

    def guild(self, call: Call) -> Reply:
        """Answer what a server is."""
        guild = self._guild(call)
        body = guild.payload()
        if call.query.get("with_counts", "").lower() in ("1", "true"):
            count = len(guild.members)
            body |= {"approximate_member_count": count, "approximate_presence_count": count}
        return Reply(body=body)

    def guild_channels(self, call: Call) -> Reply:
        """List a server's channels."""
        return Reply(body=[channel.payload() for channel in self._guild(call).channels.values()])

    def guild_roles(self, call: Call) -> Reply:
        """List a server's roles."""
        return Reply(body=[role.payload() for role in self._guild(call).roles])

    def guild_member(self, call: Call) -> Reply:
        """Answer who somebody is in a server."""
        member = self._guild(call).members.get(call.number("user"))
        if member is None:
            raise unknown("Member")
        return Reply(body=member.payload())

    def list_commands(self, call: Call) -> Reply:
        """List the commands of one scope."""
        return Reply(body=self._scope(call))

    def set_commands(self, call: Call) -> Reply:
        """Replace the commands of one scope."""
        wanted: list[Json] = call.payload or []
        return Reply(body=commands.register(self._world, self._scope_id(call), wanted))

    def add_command(self, call: Call) -> Reply:
        """Create or overwrite one command."""
        known = {(command["type"], command["name"]) for command in self._scope(call)}
        command = commands.upsert(self._world, self._scope_id(call), call.body)
        new = (command["type"], command["name"]) not in known
        return Reply(status=201 if new else 200, body=command)

    def command(self, call: Call) -> Reply:
        """Answer what one command is."""
        for command in self._scope(call):
            if int(command["id"]) == call.number("command"):
                return Reply(body=command)
        raise unknown("Application Command")

    def remove_command(self, call: Call) -> Reply:
        """Delete one command."""
        commands.remove(self._world, self._scope_id(call), call.number("command"))
        return Reply()

    def _scope(self, call: Call) -> list[Json]:
        return self._world.commands.by_scope.get(self._scope_id(call), [])

    def _scope_id(self, call: Call) -> int | None:
        if call.number("application") != self._world.bot.id:
            raise ApiError(403, 20012, "You are not authorized to perform this action")
        return call.number("guild") if "guild" in call.ids else None

    def _guild(self, call: Call) -> Guild:
        guild = self._world.guilds.get(call.number("guild"))
        if guild is None:
            raise unknown("Guild")
        if not guild.installed:
            raise missing_access()
        return guild
