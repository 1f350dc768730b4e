/** Where a member writes: text, photos, replies, mentions, and the way into slash commands. */

import { sendMessage } from "./api.js";
import { CommandForm } from "./command_form.js";
import { matching } from "./commands.js";
import { el, iconButton } from "./dom.js";
import { Listbox } from "./listbox.js";
import { mentionable, textToMentions } from "./mentions.js";
import { avatar } from "./people.js";
import { displayName, emit, findChannel, on, state } from "./state.js";
import { fileChooser, uploadCard } from "./uploads.js";

/** Show at most this many mentions at a time. */
const MENTIONS = 8;

/** The message box at the foot of the channel. */
export class Composer {
  #uploads = [];
  #reply = null;
  #command = null;
  #channelId = null;

  constructor(container) {
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.replyBar = el("div", { class: "reply-bar", hidden: true });
    this.tray = el("ul", { class: "uploads", "aria-label": "Photos to send", hidden: true });
    this.box = el("textarea", { rows: "1", autocomplete: "off", "aria-autocomplete": "list" });
    const chooser = fileChooser((files) => this.addFiles(files), { multiple: true });
    this.form = el("form", { class: "composer", "aria-label": "New message" },
      this.replyBar,
      this.tray,
      el("div", { class: "composer-row" },
        iconButton("plus", "Attach photos", () => chooser.click()),
        this.box,
        el("button", { class: "button primary send", "aria-label": "Send" }, "Send")),
      chooser);
    this.list = new Listbox({ host: this.form, owner: this.box, label: "Suggestions", onPick: (entry) => this.#pick(entry) });
    this.node = el("div", { class: "composer-host" }, this.problem, this.form);
    container.append(this.node);
    this.#listen();
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.box.addEventListener("input", () => {
      this.#grow();
      this.#suggest();
    });
    this.box.addEventListener("blur", () => this.list.hide());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.addFiles(files);
    });
    on("reply", (message) => this.#replyTo(message));
    on("problem", (sentence) => this.#say(sentence));
    on("channel", () => this.#enterChannel());
    on("state", () => this.#label());
  }

  /** Take dropped, pasted or chosen files: into the command being written, or the message. */
  addFiles(files) {
    if (this.#command) this.#command.addFiles(files);
    else {
      this.#uploads.push(...[...files].map((file) => ({ file, spoiler: false })));
      this.#showUploads();
      this.box.focus();
    }
  }

  /** Leave behind what belonged to another channel; the same one comes again after a reconnect. */
  #enterChannel() {
    if (this.#channelId === state.channelId) return;
    this.#channelId = state.channelId;
    this.#replyTo(null);
    this.#say("");
    this.#command?.close();
    this.#label();
  }

  #label() {
    const channel = findChannel(state.channelId);
    const label = `Message ${channel?.guild ? "#" : "@"}${channel?.name ?? ""}`;
    this.box.setAttribute("aria-label", label);
    this.box.placeholder = label;
  }

  #grow() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }

  #say(sentence) {
    this.problem.hidden = !sentence;
    this.problem.textContent = sentence;
  }

  #replyTo(message) {
    this.#reply = message;
    this.replyBar.hidden = !message;
    if (!message) return;
    this.replyBar.replaceChildren("Replying to ", el("strong", {}, displayName(message.author)), iconButton("close", "Cancel reply", () => this.#replyTo(null)));
    this.box.focus();
  }

  #showUploads() {
    const drop = (upload) => {
      this.#uploads = this.#uploads.filter((other) => other !== upload);
      this.#showUploads();
    };
    this.tray.hidden = !this.#uploads.length;
    this.tray.replaceChildren(...this.#uploads.map((upload) => el("li", {}, uploadCard(upload, { onRemove: () => drop(upload), spoilers: true }))));
  }

  #key(event) {
    if (this.list.handleKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "Escape") this.#replyTo(null);
  }

  /** Offer slash commands for `/text` and people for `@text` before the caret. */
  #suggest() {
    const before = this.box.value.slice(0, this.box.selectionStart);
    const slash = /^\/([\w -]*)$/.exec(before);
    const at = /(?:^|\s)@([\w.]*)$/.exec(before);
    if (slash) this.list.show(matching(slash[1]), { heading: "Commands", empty: state.commands.length ? "No command matches" : "The bot has not registered any command yet" });
    else if (at) this.#offerPeople(at[1].toLowerCase());
    else this.list.hide();
  }

  #offerPeople(typed) {
    const people = mentionable().filter((user) => [displayName(user), user.username].some((name) => name.toLowerCase().includes(typed)));
    if (!people.length) this.list.hide();
    else this.list.show(people.slice(0, MENTIONS).map((user) => ({ user, label: displayName(user), aside: user.username, leading: avatar(user, "small") })), { heading: "Members" });
  }

  #pick({ leaf, user }) {
    this.list.hide();
    if (leaf) this.#startCommand(leaf);
    else {
      const caret = this.box.selectionStart;
      const before = this.box.value.slice(0, caret).replace(/@[\w.]*$/, `@${displayName(user)} `);
      this.box.value = before + this.box.value.slice(caret);
      this.box.setSelectionRange(before.length, before.length);
      this.box.focus();
    }
  }

  /** Swap the message box for the options of a command; photos already attached move along. */
  #startCommand(leaf) {
    this.box.value = "";
    this.#say("");
    const close = () => {
      this.#command = null;
      form.node.replaceWith(this.form);
      this.box.focus();
    };
    const form = new CommandForm(leaf, { onClose: close });
    this.#command = form;
    this.form.replaceWith(form.node);
    form.addFiles(this.#uploads.splice(0).map(({ file }) => file));
    this.#showUploads();
    form.focus();
  }

  async #send() {
    const text = this.box.value.trim();
    if (!text && !this.#uploads.length) return;
    const draft = { text: this.box.value, uploads: this.#uploads, reply: this.#reply };
    const payload = { content: textToMentions(text), member_id: state.actingId };
    if (draft.reply) payload.message_reference = { message_id: draft.reply.id };
    emit("sent");
    this.#fill("", []);
    this.#replyTo(null);
    this.#say("");
    try {
      await sendMessage(state.channelId, payload, draft.uploads);
    } catch (error) {
      this.#fill(draft.text, draft.uploads);
      this.#replyTo(draft.reply);
      this.#say(error.message);
    }
  }

  #fill(text, uploads) {
    this.box.value = text;
    this.#uploads = uploads;
    this.list.hide();
    this.#grow();
    this.#showUploads();
  }
}
