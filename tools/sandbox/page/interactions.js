/** Interactions a member starts: commands, component presses and modals, followed to their outcome. */

import { interact } from "./api.js";
import { uniqueId } from "./dom.js";
import { actingMember, emit, on, state } from "./state.js";

const outcomes = new Map();
const waiting = new Map();

/** Commands on their way and commands that failed, shown at the end of their channel. */
export const notices = new Map();

/** Why the last press on a message's component failed: message id -> sentence. */
export const failures = new Map();

/** Listen for outcomes; call once. */
export function followInteractions() {
  on("interaction", ({ id, reason }) => settle(id, reason));
}

function settle(id, reason) {
  if (!outcomes.has(id)) outcomes.set(id, reason);
  waiting.get(id)?.(reason);
  waiting.delete(id);
}

/** Start an interaction; resolve to null once it is answered, or to the sentence why it failed. */
async function follow(payload, files) {
  try {
    const { interaction_id: id } = await interact({ member_id: state.actingId, ...payload }, files);
    if (outcomes.has(id)) return outcomes.get(id);
    return await new Promise((resolve) => waiting.set(id, resolve));
  } catch (error) {
    return error.message;
  }
}

/** Wrap leaf options in the subcommands that lead to them. */
const nested = (path, options) =>
  path.reduceRight((inner, { name, type }) => [{ name, type, options: inner }], options);

/** Run a slash command (`path` holds its subcommands) or a message command. */
export async function runCommand(command, { path = [], options = [], files = [], targetId } = {}) {
  const name = [command, ...path].map((part) => part.name).join(" ");
  const id = uniqueId("notice");
  const notice = { id, channelId: state.channelId, user: actingMember(), name: targetId ? name : `/${name}`, reason: null };
  notices.set(id, notice);
  emit("sent");
  emit("notices");
  const payload = { type: 2, channel_id: state.channelId, command_id: command.id, options: nested(path, options), target_id: targetId };
  notice.reason = await follow(payload, files);
  if (!notice.reason) notices.delete(id);
  emit("notices");
}

/** Drop a notice the member has read. */
export function dismissNotice(id) {
  notices.delete(id);
  emit("notices");
}

/** Ask the bot what may follow in an option the member is typing. */
export async function complete(command, path, options) {
  const { choices } = await interact({
    type: 4,
    member_id: state.actingId,
    channel_id: state.channelId,
    command_id: command.id,
    options: nested(path, options),
  });
  return choices ?? [];
}

/** Press a button or choose from a select menu; a failure is shown at its message. */
export async function press(message, component, values) {
  failures.delete(message.id);
  const pressed = { custom_id: component.custom_id, component_type: component.type, values };
  const reason = await follow({ type: 3, channel_id: message.channel_id, message_id: message.id, component: pressed });
  if (reason) failures.set(message.id, reason);
  emit("component", message.id);
}

/** Hand in a modal; resolve to null, or to the sentence why it failed. */
export const submitModal = (modal, components) =>
  follow({ type: 5, channel_id: modal.channel_id, custom_id: modal.custom_id, components });
