/** How users, the bot and moments are shown. */

import { el } from "./dom.js";
import { displayName, state } from "./state.js";

const COLOURS = ["#5b6ee1", "#c2577a", "#b7791f", "#7b5cc4", "#b8573a", "#2b7a9b"];

const isBot = (user) => Boolean(user?.bot) || (user && user.id === state.bot?.id);

/** Draw a user's avatar: an initial on a colour of its own. */
export function avatar(user, className = "") {
  const name = displayName(user);
  const number = [...name].reduce((sum, character) => sum + character.codePointAt(0), 0);
  const colour = isBot(user) ? "#3a7d5c" : COLOURS[number % COLOURS.length];
  return el("span", { class: `avatar ${className}`, "aria-hidden": "true", style: { background: colour } }, [...name][0]?.toUpperCase());
}

/** Draw a user's name, with the tag that marks an app. */
export const nameTag = (user) => [
  el("span", { class: "name" }, displayName(user)),
  isBot(user) && el("span", { class: "app-tag" }, "APP"),
];

/** Say a moment the way Discord does: "Today at 14:02". */
export function when(timestamp) {
  const date = new Date(timestamp);
  const time = date.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
  const days = Math.round((startOfDay(new Date()) - startOfDay(date)) / 86_400_000);
  if (days === 0) return `Today at ${time}`;
  return days === 1 ? `Yesterday at ${time}` : `${date.toLocaleDateString()} ${time}`;
}

/** Say a day in full, for the line between two days. */
export const day = (timestamp) => new Date(timestamp).toLocaleDateString(undefined, { dateStyle: "long" });

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
