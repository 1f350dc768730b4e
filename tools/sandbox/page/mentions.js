/** Mentions as people write them (`@Fieldmark`) and as messages carry them (`<@id>`). */

import { displayName, findUser, state } from "./state.js";

/** List who can be mentioned: the bot first. */
export const mentionable = () => [state.bot, ...state.members].filter(Boolean);

/** Turn every `@Name` of somebody here into the mention a message carries. */
export function textToMentions(text) {
  const names = mentionable()
    .flatMap((user) => [displayName(user), user.username].map((name) => [name, user.id]))
    .sort(([a], [b]) => b.length - a.length);
  return names.reduce((result, [name, id]) => result.replaceAll(new RegExp(`(?<![\\w<])@${escape(name)}(?!\\w)`, "gi"), `<@${id}>`), text);
}

/** Turn a message's mentions back into names, to edit it. */
export const mentionsToText = (text) => text.replaceAll(/<@!?(\d+)>/g, (mention, id) => (findUser(id) ? `@${displayName(findUser(id))}` : mention));

const escape = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
