/** Servers, channels and direct messages, and the header above the messages. */

import { el, icon } from "./dom.js";
import { avatar } from "./people.js";
import { actAs, actingMember, displayName, emit, findChannel, on, openChannel, state } from "./state.js";

/** Keep the three navigation areas up to date. */
export function showNavigation(servers, channels, header) {
  const draw = () => {
    const channel = findChannel(state.channelId);
    const focused = document.activeElement?.dataset.key;
    servers.replaceChildren(...serverButtons(channel));
    channels.replaceChildren(...channelColumn(channel));
    header.replaceChildren(...headerContent(channel));
    document.title = channel ? `${channel.guild ? "#" : ""}${channel.name} · Fieldmark sandbox` : "Fieldmark sandbox";
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  };
  on("state", draw);
  on("channel", draw);
}

const go = (id) => openChannel(id).catch((error) => emit("problem", error.message));

function serverButtons(current) {
  const button = (label, content, selected, id) =>
    el("button", { type: "button", class: "server", "aria-label": label, title: label, "aria-current": selected ? "true" : null, dataset: { key: `server ${id}` }, onclick: () => go(id) }, content);
  return [
    state.dms.length > 0 && button("Direct messages", icon("at"), current && !current.guild, state.dms[0].id),
    ...state.guilds.map((guild) => button(guild.name, initials(guild.name), current?.guild?.id === guild.id, guild.channels[0]?.id)),
  ].filter(Boolean);
}

const initials = (name) => name.split(/\s+/).slice(0, 3).map((word) => [...word][0]).join("").toUpperCase();

function channelColumn(current) {
  const guild = current?.guild;
  const list = (items, iconName, label) => el("ul", { "aria-label": label }, items.map((item) => el("li", {}, channelButton(item, iconName))));
  return [
    el("h1", {}, guild?.name ?? "Direct messages"),
    el("div", { class: "channel-lists" },
      guild && el("h2", {}, "Text channels"),
      guild && list(guild.channels, "hash", "Text channels"),
      state.dms.length > 0 && el("h2", {}, "Direct messages"),
      list(state.dms, "at", "Direct messages")),
    el("div", { class: "self" }, avatar(actingMember(), "small"), el("div", {}, el("strong", {}, displayName(actingMember())), el("small", {}, "Online"))),
  ];
}

const channelButton = (channel, iconName) =>
  el("button", {
    type: "button", class: "channel", "aria-current": channel.id === state.channelId ? "page" : null,
    dataset: { key: `channel ${channel.id}`, channelId: channel.id, unread: state.unread.has(channel.id) }, onclick: () => go(channel.id),
  }, icon(iconName), el("span", {}, channel.name));

function headerContent(channel) {
  // Direct messages are between the bot and the person at the page: nobody else writes there.
  const switcher = el("select", { dataset: { key: "acting" }, disabled: channel && !channel.guild, onchange: (event) => actAs(event.target.value) },
    state.members.map((member) => el("option", { value: member.id, selected: member.id === state.actingId }, displayName(member))));
  const bot = state.bot ? displayName(state.bot) : "Bot";
  return [
    channel && icon(channel.guild ? "hash" : "at"),
    el("h2", {}, channel?.name ?? ""),
    channel?.topic && el("p", { class: "topic", title: channel.topic }, channel.topic),
    el("span", { class: "bot-status", role: "status", dataset: { online: state.botOnline } }, `${bot} is ${state.botOnline ? "online" : "offline"}`),
    el("label", { class: "acting" }, "Acting as", switcher),
  ].filter(Boolean);
}
