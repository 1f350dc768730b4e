/** What the page knows, and the one place where the sandbox's events change it. */

import { loadMessages, loadState } from "./api.js";

/** Bits of a message's `flags`. */
export const EPHEMERAL = 1 << 6;
export const THINKING = 1 << 7;
export const COMPONENTS_V2 = 1 << 15;

/** Everything the page shows. Read it freely; change it only through this module. */
export const state = {
  members: [],
  bot: null,
  guilds: [],
  dms: [],
  commands: [],
  botOnline: false,
  actingId: null,
  channelId: null,
  /** channel id -> (message id -> message), oldest first */
  messages: new Map(),
  unread: new Set(),
  dismissed: new Set(),
};

const bus = new EventTarget();

/** Run `listener(detail)` whenever `topic` happens. */
export const on = (topic, listener) => bus.addEventListener(topic, ({ detail }) => listener(detail));

/** Tell every listener of `topic`. */
export const emit = (topic, detail) => bus.dispatchEvent(new CustomEvent(topic, { detail }));

/** Name a user as members see them. */
export const displayName = (user) => user?.global_name || user?.username || "Unknown user";

/** Find a member or the bot by id. */
export const findUser = (id) => [state.bot, ...state.members].find((user) => user?.id === id);

/** The member the person at the page acts as. */
export const actingMember = () => state.members.find((member) => member.id === state.actingId);

/** Find a channel or direct message by id; a guild's channel carries its `guild`. */
export function findChannel(id) {
  for (const guild of state.guilds) {
    const channel = guild.channels.find((candidate) => candidate.id === id);
    if (channel) return { ...channel, guild };
  }
  const dm = state.dms.find((candidate) => candidate.id === id);
  return dm && { ...dm, topic: null, guild: null };
}

/** Find a message in the current channel. */
export const findMessage = (id) => state.messages.get(state.channelId)?.get(id);

/** Who started the interaction a message answers, if it answers one. */
export const invoker = (message) => message.interaction_metadata?.user ?? message.interaction?.user;

/** Tell whether the acting member may see a message: ephemeral ones are for their invoker alone. */
function isVisible(message) {
  if (state.dismissed.has(message.id)) return false;
  const owner = message.flags & EPHEMERAL ? invoker(message) : null;
  return !owner || owner.id === state.actingId;
}

/** The current channel's visible messages, oldest first. */
export const visibleMessages = () => [...(state.messages.get(state.channelId)?.values() ?? [])].filter(isVisible);

/** Fetch everything anew: at the start and after a lost connection. */
export async function refresh() {
  const { members, bot, guilds, dms, commands, bot_online: botOnline } = await loadState();
  Object.assign(state, { members, bot, guilds, dms, commands, botOnline });
  if (!actingMember()) state.actingId = members[0]?.id;
  emit("state");
  const current = state.channelId ?? location.hash.slice(1);
  await openChannel(findChannel(current) ? current : (guilds[0]?.channels[0]?.id ?? dms[0]?.id));
}

/** Show a channel; the address remembers it, so a reload or a bookmark comes back to it. */
export async function openChannel(id) {
  state.channelId = id;
  history.replaceState(null, "", `#${id}`);
  state.unread.delete(id);
  if (!findChannel(id)?.guild) state.actingId = state.members[0]?.id;
  // The socket may be quicker than this answer: what it brings meanwhile goes on top.
  const arrived = new Map();
  state.messages.set(id, arrived);
  const fetched = (await loadMessages(id)).map((message) => [message.id, message]);
  state.messages.set(id, new Map([...fetched, ...arrived]));
  if (state.channelId === id) emit("channel");
}

/** Act as another member from here on. */
export function actAs(memberId) {
  state.actingId = memberId;
  emit("state");
  emit("messages");
}

/** Take an ephemeral message out of sight. */
export function dismiss(messageId) {
  state.dismissed.add(messageId);
  emit("messages");
}

/** Apply one event of the socket. */
export function applyEvent({ t: type, d: data }) {
  if (type === "MESSAGE_CREATE" || type === "MESSAGE_UPDATE") storeMessage(data);
  else if (type === "MESSAGE_DELETE") removeMessage(data);
  else if (type === "GATEWAY") {
    state.botOnline = data.bot_online;
    emit("state");
  } else if (type === "COMMANDS_UPDATE") {
    state.commands = data.commands;
    emit("state");
  } else if (type === "TYPING_START") emit("typing", data);
  else if (type === "MODAL") emit("modal", data);
  else if (type === "INTERACTION_SUCCESS") emit("interaction", { id: data.interaction_id, reason: null });
  else if (type === "INTERACTION_FAILED") emit("interaction", { id: data.interaction_id, reason: data.reason });
}

function storeMessage(message) {
  const channel = state.messages.get(message.channel_id);
  if (message.channel_id !== state.channelId && !channel?.has(message.id)) {
    state.unread.add(message.channel_id);
    emit("state");
  }
  if (!channel) return;
  const merged = { ...channel.get(message.id), ...message };
  channel.set(message.id, merged);
  if (message.channel_id === state.channelId) emit("message", merged);
}

function removeMessage({ channel_id: channelId, id }) {
  state.messages.get(channelId)?.delete(id);
  if (channelId === state.channelId) emit("messages");
}
