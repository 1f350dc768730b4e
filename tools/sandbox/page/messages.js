/** The list of messages. */

import { editMessage } from "./api.js";
import { renderAttachments } from "./attachments.js";
import { componentAttachments, renderComponents } from "./components.js";
import { el, icon, iconButton } from "./dom.js";
import { embeddedAttachments, renderEmbeds } from "./embeds.js";
import { dismissNotice, failures, notices } from "./interactions.js";
import { inlineMarkdown, markdown } from "./markdown.js";
import { mentionsToText, textToMentions } from "./mentions.js";
import { openMessageMenu } from "./menus.js";
import { avatar, day, nameTag, when } from "./people.js";
import { COMPONENTS_V2, EPHEMERAL, THINKING, dismiss, displayName, emit, findChannel, findMessage, invoker, on, openChannel, state, visibleMessages } from "./state.js";

/** Messages of one author within this time share one avatar and name. */
const GROUP_MS = 7 * 60 * 1000;
/** How near to its end the list must be to follow new messages. */
const FOLLOW_PX = 120;
const MESSAGE_COMMAND_REPLY = 23;

/** Keep `container` showing the current channel. */
export class MessageList {
  #drawn = new Map();
  #editing = null;
  #following = true;
  #intro = null;

  constructor(container) {
    this.container = container;
    on("channel", () => this.#reset());
    for (const topic of ["message", "messages", "notices"]) on(topic, () => this.#draw());
    on("component", (id) => this.#redraw(id));
    on("edit", (id) => this.#edit(id));
    on("sent", () => (this.#following = true));
    on("jump", (target) => this.#jump(target));
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(container);
    container.addEventListener("load", () => this.#following && this.#toEnd(), true);
    container.addEventListener("scroll", () => (this.#following = this.#nearEnd()), { passive: true });
  }

  #nearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.container;
    return scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
  }

  #toEnd() {
    this.container.scrollTop = this.container.scrollHeight;
  }

  #reset() {
    this.#following = true;
    this.container.setAttribute("aria-label", `Messages in ${findChannel(state.channelId)?.name ?? "this channel"}`);
    this.#intro = intro();
    this.#draw();
  }

  /** Show how a press ended, unless the message has already been redrawn with its answer. */
  #redraw(id) {
    if (!failures.has(id) && !this.#drawn.get(id)?.node.querySelector("[aria-busy]")) return;
    this.#drawn.delete(id);
    this.#draw();
  }

  #edit(id) {
    const previous = this.#editing;
    this.#editing = id;
    for (const changed of [previous, id]) this.#drawn.delete(changed);
    this.#draw();
    this.container.querySelector(".edit-box")?.focus();
  }

  async #jump({ channelId, messageId }) {
    try {
      if (channelId !== state.channelId) await openChannel(channelId);
      showMessage(messageId);
    } catch (error) {
      emit("problem", error.message);
    }
  }

  /** Bring the list up to date, touching only the nodes whose message changed. */
  #draw() {
    if (!this.#intro) return;
    const nodes = [this.#intro];
    const drawn = new Map();
    let previous = null;
    for (const message of visibleMessages()) {
      const newDay = !previous || day(previous.timestamp) !== day(message.timestamp);
      if (newDay) nodes.push(this.#divider(day(message.timestamp), drawn));
      const grouped = !newDay && continues(message, previous);
      nodes.push(this.#message(message, grouped, drawn));
      previous = message;
    }
    for (const notice of notices.values()) if (notice.channelId === state.channelId) nodes.push(renderNotice(notice));
    this.#drawn = drawn;
    this.#place(nodes);
    if (this.#following) this.#toEnd();
  }

  #divider(text, drawn) {
    const known = this.#drawn.get(text) ?? { node: el("div", { class: "divider", role: "separator", "aria-label": text }, text) };
    drawn.set(text, known);
    return known.node;
  }

  #message(message, grouped, drawn) {
    let known = this.#drawn.get(message.id);
    if (known?.message !== message || known.grouped !== grouped) known = { message, grouped, node: renderMessage(message, grouped, this.#editing === message.id) };
    drawn.set(message.id, known);
    return known.node;
  }

  #place(nodes) {
    const focused = document.activeElement?.closest?.("[data-message-id]") && document.activeElement;
    const messageId = focused?.closest("[data-message-id]").dataset.messageId;
    const wanted = new Set(nodes);
    for (const child of [...this.container.children]) if (!wanted.has(child)) child.remove();
    nodes.forEach((node, n) => this.container.children[n] !== node && this.container.insertBefore(node, this.container.children[n] ?? null));
    // The keyboard stays where it was when a press redraws its message.
    if (focused && !focused.isConnected && focused.dataset.customId) {
      const again = this.container.querySelectorAll(`[data-message-id="${messageId}"] [data-custom-id]`);
      [...again].find((node) => node.dataset.customId === focused.dataset.customId)?.focus();
    }
  }
}

const startsAnew = (message) => message.message_reference || message.interaction_metadata || message.flags & EPHEMERAL;

const continues = (message, previous) =>
  message.author.id === previous.author.id && !startsAnew(message) && !(previous.flags & EPHEMERAL) &&
  new Date(message.timestamp) - new Date(previous.timestamp) < GROUP_MS;

function intro() {
  const channel = findChannel(state.channelId);
  const name = channel?.guild ? `#${channel.name}` : channel?.name;
  return el("div", { class: "intro" },
    el("h2", {}, channel?.guild ? `Welcome to ${name}` : name),
    el("p", {}, channel?.topic || (channel?.guild ? `This is the start of ${name}.` : "This is the start of your direct messages.")));
}

function renderMessage(message, grouped, editing) {
  const ephemeral = Boolean(message.flags & EPHEMERAL);
  const thinking = Boolean(message.flags & THINKING);
  const shown = new Set([...embeddedAttachments(message), ...componentAttachments(message)]);
  const mentioned = message.mentions?.some((user) => user.id === state.actingId);
  const article = el("article", {
    class: `message${grouped ? " grouped" : ""}${mentioned ? " mentioned" : ""}`,
    "aria-label": `${displayName(message.author)}, ${when(message.timestamp)}`,
    dataset: { messageId: message.id, authorId: message.author.id, ephemeral, thinking },
    oncontextmenu: (event) => {
      if (event.target.closest("a, textarea")) return;
      event.preventDefault();
      openMessageMenu(message, { x: event.clientX, y: event.clientY });
    },
  },
  origin(message),
  grouped
    ? el("time", { class: "margin-time", datetime: message.timestamp }, when(message.timestamp).replace(/^.* /, ""))
    : avatar(message.author),
  el("div", { class: "message-body" },
    !grouped && el("header", {}, nameTag(message.author), el("time", { datetime: message.timestamp }, when(message.timestamp))),
    thinking ? renderThinking(message) : editing ? editBox(message) : content(message),
    renderAttachments(message, shown),
    renderEmbeds(message),
    renderComponents(message),
    renderReactions(message),
    ephemeral && el("footer", { class: "ephemeral-note" }, icon("eye"), "Only you can see this • ", el("button", { type: "button", class: "as-link", onclick: () => dismiss(message.id) }, "Dismiss message"))),
  !thinking && toolbar(message, ephemeral));
  return article;
}

function content(message) {
  if (!message.content || message.flags & COMPONENTS_V2) return null;
  const edited = message.edited_timestamp && el("span", { class: "edited", title: when(message.edited_timestamp) }, " (edited)");
  return el("div", { class: "content markup" }, markdown(message.content), edited);
}

const renderReactions = ({ reactions = [] }) =>
  reactions.length > 0 && el("ul", { class: "reactions", "aria-label": "Reactions" },
    reactions.map(({ emoji, count }) => el("li", {}, el("span", {}, emoji.name), ` ${count}`)));

const renderThinking = (message) =>
  el("p", { class: "thinking", role: "status" }, dots(), `${displayName(message.author)} is thinking…`);

/** Draw the three dots that say "at work". */
export const dots = () => el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));

/** Draw the line above a message: the command it answers, or the message it replies to. */
function origin(message) {
  const user = invoker(message);
  const name = message.interaction?.name ?? message.interaction_metadata?.name;
  if (user && name) {
    const command = message.type === MESSAGE_COMMAND_REPLY ? name : `/${name}`;
    return el("div", { class: "origin" }, avatar(user, "tiny"), el("span", { class: "name" }, displayName(user)), " used ", el("span", { class: "mention" }, command));
  }
  const id = message.message_reference?.message_id ?? message.interaction_metadata?.interacted_message_id;
  if (!id) return null;
  const quoted = message.referenced_message ?? findMessage(id);
  if (!quoted) return el("div", { class: "origin" }, el("em", {}, "The original message was deleted"));
  const text = quoted.content ? inlineMarkdown(quoted.content.split("\n")[0].slice(0, 120)) : el("em", {}, quoted.attachments?.length ? "Click to see the attachment" : "Click to see the message");
  return el("button", { type: "button", class: "origin", "aria-label": `Reply to ${displayName(quoted.author)}: show that message`, onclick: () => showMessage(id) },
    avatar(quoted.author, "tiny"), el("span", { class: "name" }, displayName(quoted.author)), el("span", { class: "quoted" }, text));
}

function showMessage(id) {
  const node = document.querySelector(`article[data-message-id="${CSS.escape(id)}"]`);
  node?.scrollIntoView({ block: "center" });
  node?.animate([{ background: "var(--highlight)" }, {}], 1500);
}

function toolbar(message, ephemeral) {
  return el("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    !ephemeral && iconButton("reply", "Reply", () => emit("reply", message)),
    iconButton("dots", "More", (event) => openMessageMenu(message, { anchor: event.currentTarget }), { "aria-haspopup": "menu" }));
}

function editBox(message) {
  const failure = el("p", { class: "failure", role: "alert", hidden: true });
  const box = el("textarea", {
    class: "edit-box", "aria-label": "Edit message", rows: "2",
    onkeydown: async (event) => {
      if (event.key === "Escape") emit("edit", null);
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      try {
        await editMessage(message.channel_id, message.id, { content: textToMentions(box.value), member_id: state.actingId });
        emit("edit", null);
      } catch (error) {
        failure.hidden = false;
        failure.textContent = error.message;
      }
    },
  });
  box.value = mentionsToText(message.content);
  return el("div", {}, box, el("small", { class: "hint" }, "Enter to save, Escape to cancel"), failure);
}

function renderNotice({ id, user, name, reason }) {
  return el("article", { class: "message notice", "aria-label": `${name}: ${reason ?? "sending"}`, dataset: { notice: reason ? "failed" : "sending" } },
    el("div", { class: "origin" }, avatar(user, "tiny"), el("span", { class: "name" }, displayName(user)), " used ", el("span", { class: "mention" }, name)),
    avatar(state.bot),
    el("div", { class: "message-body" },
      el("header", {}, nameTag(state.bot)),
      reason ? el("p", { class: "failure", role: "alert" }, reason) : el("p", { class: "thinking", role: "status" }, dots(), "Sending command…"),
      reason && el("footer", { class: "ephemeral-note" }, icon("eye"), "Only you can see this • ", el("button", { type: "button", class: "as-link", onclick: () => dismissNotice(id) }, "Dismiss message"))));
}
