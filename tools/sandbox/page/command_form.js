/** A slash command being written: one field per option, checked before it is sent. */

import { el, iconButton } from "./dom.js";
import { runCommand } from "./interactions.js";
import { createField } from "./option_fields.js";

/** The form that stands in for the message box while a member fills in a command. */
export class CommandForm {
  constructor(leaf, { onClose }) {
    Object.assign(this, { leaf, onClose });
    this.hint = el("p", { class: "command-hint" }, leaf.description);
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.node = el("form", { class: "composer command", "aria-label": `/${leaf.name}`, novalidate: true, onsubmit: (event) => this.#submit(event), onkeydown: (event) => this.#key(event) });
    const context = { leaf, host: this.node, filled: () => this.#filled(), next: (field) => this.#next(field) };
    this.fields = leaf.options.map((option) => createField(option, context));
    const [trays, chips] = [true, false].map((wanted) => this.fields.filter((field) => field.takesFile === wanted));
    this.node.append(
      this.problem,
      el("div", { class: "command-head" }, el("span", { class: "command-name" }, `/${leaf.name}`), this.hint, iconButton("close", "Cancel command", () => this.close())),
      ...(trays.length ? [el("div", { class: "trays" }, trays.map((field) => field.node))] : []),
      el("div", { class: "composer-row" },
        el("div", { class: "chips" }, chips.map((field) => field.node)),
        el("button", { class: "button primary send", "aria-label": "Send" }, "Send")));
    this.node.addEventListener("focusin", ({ target }) => this.#describe(target));
  }

  /** Put the keyboard where the command starts: the first empty option, or the whole form. */
  focus() {
    (this.fields.find((field) => field.option.required && field.empty) ?? this.fields.find((field) => field.empty))?.focus();
    if (!this.node.contains(document.activeElement)) this.node.querySelector(".send").focus();
  }

  /** Hand files to the attachment options that are still empty, in order. */
  addFiles(files) {
    const free = this.fields.filter((field) => field.takesFile && field.empty);
    [...files].slice(0, free.length).forEach((file, n) => free[n].take(file));
    if (files.length > free.length) this.#say(free.length ? "This command takes fewer files than that." : "This command takes no more files.");
    else if (files.length) this.focus();
  }

  /** Give the place back to the message box. */
  close() {
    this.onClose();
  }

  #next(field) {
    (this.fields[this.fields.indexOf(field) + 1] ?? this.node.querySelector(".send")).focus();
  }

  #describe(target) {
    const field = this.fields.find((candidate) => candidate.node.contains(target));
    this.hint.replaceChildren(field ? el("strong", {}, field.option.name) : "", field ? ` ${field.option.description}` : this.leaf.description);
  }

  #say(sentence) {
    this.problem.hidden = !sentence;
    this.problem.textContent = sentence;
  }

  #key(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Backspace" && event.target.matches("input:not([type=file])") && !event.target.value && this.fields.every((field) => field.empty)) this.close();
    else return;
    event.preventDefault();
  }

  /** The options as far as they are filled in, for autocomplete: files stay here. */
  #filled() {
    return this.fields.filter((field) => !field.takesFile && !field.empty).map((field) => {
      const { name, type } = field.option;
      return { name, type, value: field.read().value ?? field.text };
    });
  }

  #submit(event) {
    event.preventDefault();
    const files = [];
    const options = [];
    for (const field of this.fields) {
      const { value, problem } = field.empty && !field.option.required ? {} : field.read();
      field.node.toggleAttribute("data-invalid", Boolean(problem));
      if (problem) {
        this.#say(problem);
        field.focus();
        return;
      }
      if (value === undefined) continue;
      const { name, type } = field.option;
      options.push({ name, type, value: field.takesFile ? files.push(value) - 1 : value });
    }
    this.close();
    runCommand(this.leaf.command, { path: this.leaf.path, options, files });
  }
}
