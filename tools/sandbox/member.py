"""A person in the sandbox: everything a member of a server can do with the bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tools.sandbox.compose import write
from tools.sandbox.form import is_blank
from tools.sandbox.interactions import Callback, Interaction, NoResponse
from tools.sandbox.invoke import MESSAGE_COMMAND, SLASH_COMMAND, Invoker
from tools.sandbox.limits import MAX_CONTENT
from tools.sandbox.messages import Message, Upload
from tools.sandbox.options import NotPossible, option_objects
from tools.sandbox.people import Json, Permission, User
from tools.sandbox.places import Channel
from tools.sandbox.state import World

_SAID_BY_MEMBERS = frozenset(
    {"content", "attachments", "message_reference", "allowed_mentions", "flags"}
)

File = tuple[str, bytes] | tuple[str, bytes, str]


def upload(file: File) -> Upload:
    """Read ``(name, bytes[, content_type])``."""
    name, data, *claimed = file
    return Upload(filename=name, data=data, content_type=claimed[0] if claimed else None)


class Member:
    """Act as one person. Messages go in and come out as Discord's own message objects.

    Args:
        world: The sandbox's world.
        invoker: What turns their actions into interactions.
        user: Who they are.
        home: The channel they are in unless they say otherwise.
    """

    def __init__(self, world: World, invoker: Invoker, user: User, home: Channel) -> None:
        self._world = world
        self._invoker = invoker
        self.user = user
        self.home = home

    @property
    def id(self) -> int:
        """The user's id."""
        return self.user.id

    @property
    def dm(self) -> Channel:
        """Their direct messages with the bot."""
        return self._world.direct_messages(self.user)

    async def post(
        self,
        channel: Channel,
        content: str = "",
        files: Iterable[File] = (),
        *,
        reply_to: Json | None = None,
        ping: bool = True,
        spoiler: bool = False,
    ) -> Json:
        """Say something.

        Args:
            channel: Where.
            content: The text; ``sandbox.mention`` in it calls the bot.
            files: ``(name, bytes)`` or ``(name, bytes, content_type)`` each.
            reply_to: The message replied to.
            ping: Whether the reply notifies its author.
            spoiler: Whether the files are hidden until clicked.

        Raises:
            NotPossible: Nothing to say, too much of it, or no permission to.
        """
        uploads = dict(enumerate(upload(file) for file in files))
        payload: Json = {
            "content": content,
            "attachments": [
                {"id": index, "filename": item.filename, "spoiler": spoiler}
                for index, item in uploads.items()
            ],
        }
        if reply_to is not None:
            payload["message_reference"] = {"message_id": reply_to["id"]}
            payload["allowed_mentions"] = {"parse": ["users"], "replied_user": ping}
        return self.say(channel, payload, uploads).payload(bot_id=self._world.bot.id)

    def say(self, channel: Channel, payload: Json, files: dict[int, Upload]) -> Message:
        """Say what a message body holds that a member may send; embeds are for bots.

        Raises:
            NotPossible: Nothing to say, too much of it, or no permission to.
        """
        payload = {key: value for key, value in payload.items() if key in _SAID_BY_MEMBERS}
        self._check_may_say(channel, payload, files)
        message = self._world.blank(channel, self.user)
        reference = payload.get("message_reference")
        if reference:
            target = channel.messages.get(int(reference["message_id"]))
            if target is None:
                raise NotPossible("the message replied to does not exist any more")
            self._world.refer(message, target)
        write(message, payload, files, self._world)
        self._world.say(message)
        return message

    async def forward(self, message: Json, channel: Channel) -> Json:
        """Forward a message.

        Raises:
            NotPossible: It is for one person alone, or there is no permission to write there.
        """
        target = self._find(message)
        if target.ephemeral:
            raise NotPossible("a message that one person alone sees cannot be forwarded")
        self._check_may_write(channel)
        forward = self._world.blank(channel, self.user)
        self._world.forward(forward, target)
        self._world.say(forward)
        return forward.payload(bot_id=self._world.bot.id)

    async def edit(self, message: Json, content: str) -> Json:
        """Change the text of one's own message."""
        mine = self._mine(message)
        write(mine, {"content": content}, {}, self._world)
        self._world.change(mine)
        return mine.payload(bot_id=self._world.bot.id)

    async def delete(self, message: Json) -> None:
        """Delete a message: one's own, or anyone's as a moderator."""
        found = self._find(message)
        granted = found.channel.permissions(self.user)
        moderates = found.channel.guild is not None and Permission.MANAGE_MESSAGES in granted
        if not (found.ephemeral or found.author is self.user or moderates):
            raise NotPossible(f"{self.user.username} may not delete that message")
        self._world.delete(found)

    async def run_command(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        attachments: Mapping[str, File] | None = None,
        channel: Channel | None = None,
    ) -> Interaction:
        """Use a slash command.

        Args:
            name: The command, with its subcommand after a space.
            options: Values by option name.
            attachments: Files by option name.
            channel: Where; the member's home channel otherwise.

        Returns:
            The interaction; ``await interaction.answer()`` for what the bot says.

        Raises:
            NotPossible: There is no such command, or Discord's client would not send it.
        """
        place = channel or self.home
        command, path = self._command(name, SLASH_COMMAND, place)
        uploads: dict[int, Upload] = {}
        values = dict(options or {})
        for option, file in (attachments or {}).items():
            values[option] = len(uploads)
            uploads[len(uploads)] = upload(file)
        given = option_objects(command, path, values)
        return self._invoker.command(self.user, place, command, options=given, files=uploads)

    async def autocomplete(
        self,
        name: str,
        focused: str,
        typed: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        channel: Channel | None = None,
    ) -> list[Json]:
        """Ask for the choices of an option while typing it.

        Raises:
            NoResponse: The bot did not answer in time.
            NotPossible: There is no such command or option.
        """
        place = channel or self.home
        command, path = self._command(name, SLASH_COMMAND, place)
        given = option_objects(command, path, {**(options or {}), focused: typed}, focused=focused)
        interaction = self._invoker.command(
            self.user, place, command, options=given, autocomplete=True
        )
        await interaction.acknowledged()
        return interaction.choices or []

    async def use_message_command(self, name: str, message: Json) -> Interaction:
        """Use a command of a message's Apps menu."""
        target = self._find(message)
        command, _ = self._command(name, MESSAGE_COMMAND, target.channel)
        return self._invoker.command(self.user, target.channel, command, target=target)

    async def press(self, message: Json, custom_id: str) -> Interaction:
        """Press a button."""
        return self._invoker.component(self.user, self._find(message), custom_id)

    async def select(self, message: Json, custom_id: str, values: list[str]) -> Interaction:
        """Choose from a select menu."""
        return self._invoker.component(self.user, self._find(message), custom_id, values)

    async def submit(self, interaction: Interaction, fields: Mapping[str, str]) -> Interaction:
        """Fill in and submit the modal an interaction was answered with.

        Raises:
            NoResponse: It was not answered with a modal.
        """
        if await interaction.acknowledged() is not Callback.MODAL or interaction.modal is None:
            raise NoResponse(f"{interaction.describe()} was not answered with a modal")
        components = filled(interaction.modal["components"], fields)
        custom_id = interaction.modal["custom_id"]
        return self._invoker.modal(self.user, interaction.channel, custom_id, components)

    def _check_may_write(self, channel: Channel) -> None:
        if Permission.SEND_MESSAGES not in channel.permissions(self.user):
            raise NotPossible(f"{self.user.username} may not write in #{channel.name}")

    def _check_may_say(self, channel: Channel, payload: Json, files: dict[int, Upload]) -> None:
        self._check_may_write(channel)
        if not isinstance(payload.get("content"), str | None):
            raise NotPossible("a message is text")
        if is_blank(payload.get("content")) and not files:
            raise NotPossible("an empty message cannot be sent: write something or add a file")
        if len(payload.get("content") or "") > MAX_CONTENT:
            raise NotPossible(f"a message has at most {MAX_CONTENT} characters")
        if len(files) > 10:
            raise NotPossible("a message carries at most 10 files")
        limit = self._world.settings.upload_limit
        for item in files.values():
            if len(item.data) > limit:
                raise NotPossible(f"{item.filename} is larger than {limit >> 20} MiB")

    def _command(self, name: str, kind: int, channel: Channel) -> tuple[Json, list[str]]:
        first, *path = name.split() if kind == SLASH_COMMAND else [name]
        guild = str(channel.guild.id) if channel.guild else None
        for command in self._world.commands.all():
            if (command["type"], command["name"]) == (kind, first) and command.get(
                "guild_id", guild
            ) == guild:
                return command, path
        known = ", ".join(sorted(command["name"] for command in self._world.commands.all()))
        raise NotPossible(f"the bot has no command {first!r}; it has {known or 'none yet'}")

    def _find(self, message: Json) -> Message:
        channel = self._world.channels[int(message["channel_id"])]
        found = channel.messages.get(int(message["id"]))
        if found is None:
            raise NotPossible("that message does not exist any more")
        return found

    def _mine(self, message: Json) -> Message:
        found = self._find(message)
        if found.author is not self.user:
            raise NotPossible("only one's own messages can be edited")
        return found


def filled(components: list[Json], fields: Mapping[str, Any]) -> list[Json]:
    """Return a modal's components as submitted, each field with the value given or its own.

    Args:
        components: The modal as the bot described it.
        fields: Values by custom id: a text, or a list of texts for a menu.
    """
    submitted: list[Json] = []
    for component in components:
        kept: Json = {"type": component["type"], "id": component.get("id") or 0}
        if "custom_id" in component:
            custom_id = component["custom_id"]
            kept["custom_id"] = custom_id
            value = fields.get(custom_id, component.get("value") or "")
            kept["values" if isinstance(value, list) else "value"] = value
        if component.get("components"):
            kept["components"] = filled(component["components"], fields)
        if component.get("component"):
            kept["component"] = filled([component["component"]], fields)[0]
        submitted.append(kept)
    return submitted
