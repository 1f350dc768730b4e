/** The line that says who is writing. */

import { dots } from "./messages.js";
import { el } from "./dom.js";
import { displayName, findUser, on, state } from "./state.js";

/** Discord shows a typist for this long after the last sign. */
const TYPING_MS = 10_000;

/** Append the typing line to `host` and keep it up to date. */
export function showTyping(host) {
  const typists = new Map();
  const line = el("p", { class: "typing", role: "status" });
  host.append(line);
  const draw = () => {
    const names = [...typists.keys()].map((id) => displayName(findUser(id)));
    line.replaceChildren(...(names.length ? [dots(), `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…`] : []));
  };
  const stop = (id) => {
    clearTimeout(typists.get(id));
    typists.delete(id);
    draw();
  };
  on("typing", ({ channel_id: channelId, user_id: id }) => {
    if (channelId !== state.channelId || id === state.actingId) return;
    stop(id);
    typists.set(id, setTimeout(() => stop(id), TYPING_MS));
    draw();
  });
  on("message", ({ author }) => stop(author.id));
  on("channel", () => [...typists.keys()].forEach(stop));
}
