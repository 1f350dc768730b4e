"""From what a person does (a command, a button, a modal) to the interaction the bot receives."""

from __future__ import annotations

import copy

from tools.sandbox.component_limits import walk_components
from tools.sandbox.interactions import Interaction, Kind, new_token
from tools.sandbox.messages import Message, Upload
from tools.sandbox.options import NotPossible, check_options, file_of, full_name, leaves
from tools.sandbox.people import EVERYONE, Json, Permission, User
from tools.sandbox.places import Channel
from tools.sandbox.responses import Responses
from tools.sandbox.state import World

USER_OPTION = 6
CHANNEL_OPTION = 7
ROLE_OPTION = 8
MENTIONABLE_OPTION = 9
ATTACHMENT_OPTION = 11
BUTTON = 2
STRING_SELECT = 3
SLASH_COMMAND = 1
MESSAGE_COMMAND = 3


class Invoker:
    """Build interactions and send them to the bot."""

    def __init__(self, world: World, responses: Responses) -> None:
        self._world = world
        self._responses = responses

    def command(
        self,
        user: User,
        channel: Channel,
        command: Json,
        *,
        options: list[Json] | None = None,
        files: dict[int, Upload] | None = None,
        target: Message | None = None,
        autocomplete: bool = False,
    ) -> Interaction:
        """Use an application command, or ask for choices while typing one.

        Args:
            user: Who.
            channel: Where.
            command: The command as registered.
            options: Discord's option objects; an attachment option's value is an index of
                ``files``.
            files: The uploads those indexes mean.
            target: The message a message command is used on.
            autocomplete: Whether this only asks for the choices of the focused option.

        Raises:
            NotPossible: The command is not available to this person here, or an option is
                missing, unknown or out of its bounds.
        """
        self._check_available(user, channel, command)
        options = copy.deepcopy(options or [])
        if not autocomplete:
            check_options(command.get("options") or [], options)
        resolved = self._resolve(user, channel, options, files or {})
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
        if command.get("guild_id"):
            data["guild_id"] = command["guild_id"]
        if options:
            data["options"] = options
        if command["type"] == MESSAGE_COMMAND:
            if target is None:
                raise NotPossible(f"{command['name']} is used on a message: choose one")
            data["target_id"] = str(target.id)
            resolved["messages"] = {str(target.id): target.payload(bot_id=self._world.bot.id)}
        if resolved:
            data["resolved"] = resolved
        kind = Kind.AUTOCOMPLETE if autocomplete else Kind.COMMAND
        return self._open(kind, user, channel, data, command=command)

    def component(
        self, user: User, message: Message, custom_id: str, values: list[str] | None = None
    ) -> Interaction:
        """Press a button or choose from a select menu.

        Raises:
            NotPossible: The message has no such component, it is disabled, or the values are
                not among its options.
        """
        asker = message.interaction.user if message.interaction else None
        if message.ephemeral and asker is not user:
            raise NotPossible("only the person who asked sees that message")
        found = [
            component
            for _, component in walk_components(message.components, "")
            if component.get("custom_id") == custom_id
        ]
        if not found:
            raise NotPossible(f"the message has no component with the custom id {custom_id!r}")
        component = found[0]
        if component.get("disabled"):
            raise NotPossible(f"the component {custom_id!r} is disabled")
        data: Json = {"custom_id": custom_id, "component_type": component["type"]}
        if component["type"] != BUTTON:
            values = values or []
            if not component["min_values"] <= len(values) <= component["max_values"]:
                raise NotPossible(
                    f"choose {component['min_values']} to {component['max_values']} values"
                )
            offered = {option["value"] for option in component.get("options") or ()}
            if component["type"] == STRING_SELECT and not set(values) <= offered:
                raise NotPossible(f"{custom_id!r} offers {sorted(offered)}, not {values}")
            data["values"] = values
        return self._open(Kind.COMPONENT, user, message.channel, data, message=message)

    def modal(
        self,
        user: User,
        channel: Channel,
        custom_id: str,
        components: list[Json],
    ) -> Interaction:
        """Submit a modal's fields; it knows the message whose button showed it."""
        data = {"custom_id": custom_id, "components": components}
        message = self._responses.modal_source(user, custom_id)
        return self._open(Kind.MODAL, user, channel, data, message=message)

    def _check_available(self, user: User, channel: Channel, command: Json) -> None:
        name, guild = command["name"], channel.guild
        contexts = command["contexts"]
        if contexts is not None and (0 if guild else 1) not in contexts:
            raise NotPossible(f"{name} is not offered in {'servers' if guild else 'messages'}")
        if guild is None:
            if command.get("dm_permission") is False and contexts is None:
                raise NotPossible(f"{name} is not offered in direct messages")
            return
        if not guild.installed and 1 not in command["integration_types"]:
            raise NotPossible(f"{guild.name} has not installed the application")
        granted = channel.permissions(user)
        needed = Permission(int(command["default_member_permissions"] or 0))
        if Permission.USE_APPLICATION_COMMANDS not in granted or needed not in granted:
            raise NotPossible(f"{user.username} has no permission to use {name} here")

    def _resolve(
        self, user: User, channel: Channel, options: list[Json], files: dict[int, Upload]
    ) -> Json:
        """Return the objects that option values name, storing the files among them."""
        resolved: Json = {}
        for option in leaves(options):
            kind = option["type"]
            if kind == ATTACHMENT_OPTION:
                stored = self._world.files.store(
                    file_of(option, files, limit=self._world.settings.upload_limit),
                    folder=f"ephemeral-attachments/{self._world.bot.id}",
                    ephemeral=True,
                )
                option["value"] = str(stored.id)
                resolved.setdefault("attachments", {})[option["value"]] = stored.payload()
            elif kind in (USER_OPTION, CHANNEL_OPTION, ROLE_OPTION, MENTIONABLE_OPTION):
                option["value"] = str(option["value"])
                self._resolve_id(user, channel, int(option["value"]), resolved)
        return resolved

    def _resolve_id(self, user: User, channel: Channel, number: int, resolved: Json) -> None:
        key, guild = str(number), channel.guild
        if number in self._world.users:
            resolved.setdefault("users", {})[key] = self._world.users[number].payload()
            if guild and number in guild.members:
                member = guild.members[number].payload(with_user=False)
                member["permissions"] = str(int(channel.permissions(self._world.users[number])))
                resolved.setdefault("members", {})[key] = member
        elif guild and number in guild.channels:
            other = guild.channels[number]
            granted = str(int(other.permissions(user)))
            resolved.setdefault("channels", {})[key] = other.payload() | {"permissions": granted}
        for role in guild.roles if guild else ():
            if role.id == number:
                resolved.setdefault("roles", {})[key] = role.payload()

    def _open(
        self,
        kind: Kind,
        user: User,
        channel: Channel,
        data: Json,
        *,
        command: Json | None = None,
        message: Message | None = None,
    ) -> Interaction:
        interaction = Interaction(
            id=self._world.snowflake(),
            token=new_token(),
            kind=kind,
            user=user,
            channel=channel,
            data=data,
            world=self._world,
            message=message,
            command_name=full_name(command["name"], data) if command else "",
            command_type=command["type"] if command else 1,
        )
        self._responses.open(interaction, self._gateway_data(interaction))
        return interaction

    def _gateway_data(self, interaction: Interaction) -> Json:
        channel, user, guild = interaction.channel, interaction.user, interaction.channel.guild
        granted = channel.permissions(user)
        app_granted = channel.permissions(self._world.bot) if interaction.installed else EVERYONE
        data: Json = {
            "id": str(interaction.id),
            "application_id": str(self._world.bot.id),
            "type": int(interaction.kind),
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": channel.payload() | {"permissions": str(int(granted))},
            "app_permissions": str(int(app_granted)),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": interaction.owners(),
            "context": 1 if guild is None else 0,
            "attachment_size_limit": self._world.settings.upload_limit,
        }
        if interaction.message is not None:
            data["message"] = interaction.message.payload(bot_id=self._world.bot.id)
        if guild is None:
            return data | {"user": user.payload()}
        member = guild.members[user.id].payload() | {"permissions": str(int(granted))}
        return data | {
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": member,
        }
