/** The application commands a member can use here, and how the picker lists them. */

import { avatar } from "./people.js";
import { displayName, findChannel, state } from "./state.js";

const CHAT_INPUT = 1;
const SUBCOMMAND = 1;
const SUBCOMMAND_GROUP = 2;
const IN_GUILD = 0;
const IN_BOT_DM = 1;

/** List the commands registered for the current channel's place. */
export function commandsHere() {
  const guild = findChannel(state.channelId)?.guild;
  return state.commands.filter((command) => {
    if (command.guild_id) return command.guild_id === guild?.id;
    if (command.contexts) return command.contexts.includes(guild ? IN_GUILD : IN_BOT_DM);
    return guild || command.dm_permission !== false;
  });
}

/** List every slash command that can be run, subcommands on their own: `{command, path, name, ...}`. */
function slashCommands() {
  return commandsHere()
    .filter((command) => (command.type ?? CHAT_INPUT) === CHAT_INPUT)
    .flatMap((command) => leaves(command, command, []));
}

function leaves(command, part, path) {
  const options = part.options ?? [];
  const deeper = options.filter(({ type }) => type === SUBCOMMAND || type === SUBCOMMAND_GROUP);
  if (deeper.length) return deeper.flatMap((option) => leaves(command, option, [...path, { name: option.name, type: option.type }]));
  const name = [command, ...path].map((step) => step.name).join(" ");
  return [{ command, path, name, description: part.description, options }];
}

/** List the slash commands for what follows the slash; names that start with it come first. */
export function matching(typed) {
  const wanted = typed.trim().toLowerCase();
  const starts = ({ name }) => Number(!name.startsWith(wanted));
  return slashCommands()
    .filter(({ name }) => name.includes(wanted))
    .sort((a, b) => starts(a) - starts(b))
    .map((leaf) => ({ leaf, label: `/${leaf.name}`, detail: leaf.description, aside: displayName(state.bot), leading: avatar(state.bot, "small") }));
}
