/** The fields of a slash command's options, by the option's type. */

import { el, icon } from "./dom.js";
import { complete } from "./interactions.js";
import { Listbox } from "./listbox.js";
import { mentionable } from "./mentions.js";
import { displayName, findChannel, state } from "./state.js";
import { fileChooser, uploadCard } from "./uploads.js";

const TYPE = { STRING: 3, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, ATTACHMENT: 11 };

/** Wait this long after a key before asking the bot for suggestions. */
const DEBOUNCE_MS = 200;

/**
 * Make the field of one option.
 *
 * Every field has `option`, `node`, `takesFile`, `empty`, `focus()` and `read()`, which
 * returns `{value}` or `{problem}` with a sentence for people.
 */
export function createField(option, context) {
  return option.type === TYPE.ATTACHMENT ? new FileField(option) : new TextField(option, context);
}

class FileField {
  #file = null;

  constructor(option) {
    this.option = option;
    this.takesFile = true;
    const chooser = fileChooser(([file]) => this.take(file));
    this.button = el("button", { type: "button", class: "dropzone", onclick: () => chooser.click() });
    this.slot = el("div", {}, this.button);
    this.node = el("div", { class: "tray", dataset: { option: option.name }, role: "group", "aria-label": option.name }, this.slot, chooser);
    this.#show();
  }

  get empty() {
    return !this.#file;
  }

  focus() {
    this.slot.querySelector("button")?.focus();
  }

  take(file) {
    this.#file = file ?? null;
    this.#show();
  }

  read() {
    return this.#file ? { value: this.#file } : { problem: `“${this.option.name}” is required: drop a file here or choose one.` };
  }

  #show() {
    const { name, required } = this.option;
    if (this.#file) {
      this.slot.replaceChildren(uploadCard({ file: this.#file, spoiler: false }, { onRemove: () => {
        this.take(null);
        this.focus();
      } }));
    } else {
      this.button.replaceChildren(icon("photo"), el("span", {}, el("strong", {}, name), required ? " (required)" : " (optional)"), el("small", {}, "Drop a file or choose one"));
      this.slot.replaceChildren(this.button);
    }
  }
}

class TextField {
  #picked = null;
  #timer = 0;
  #asked = 0;

  constructor(option, context) {
    Object.assign(this, { option, context, takesFile: false, source: entriesOf(option) });
    this.listed = Boolean(this.source || option.autocomplete);
    this.input = el("input", {
      type: "text", autocomplete: "off", "aria-label": option.name, "aria-required": String(Boolean(option.required)),
      role: this.listed ? "combobox" : null, "aria-expanded": this.listed ? "false" : null, "aria-autocomplete": this.listed ? "list" : null,
      inputmode: option.type === TYPE.INTEGER ? "numeric" : option.type === TYPE.NUMBER ? "decimal" : null,
      placeholder: option.required ? "required" : "optional",
      oninput: () => this.#typed(),
      onfocus: () => this.#suggest(),
      onblur: () => this.list.hide(),
      onkeydown: (event) => this.list.handleKey(event) && event.key === "Tab" && this.context.next(this),
    });
    this.node = el("label", { class: "chip", dataset: { option: option.name } }, el("span", { class: "chip-name" }, option.name), this.input);
    this.list = new Listbox({ host: context.host, owner: this.input, label: `Values of ${option.name}`, onPick: (entry) => this.#pick(entry) });
    this.#fit();
  }

  get text() {
    return this.input.value.trim();
  }

  get empty() {
    return !this.text;
  }

  focus() {
    this.input.focus();
  }

  read() {
    if (this.#picked) return { value: this.#picked.value };
    if (this.empty) return { problem: `“${this.option.name}” is required.` };
    if (this.source) {
      const typed = this.text.toLowerCase();
      const begun = this.source().filter(({ label }) => label.toLowerCase().startsWith(typed));
      // As Discord does: a whole name, or the beginning of one only, is as good as a pick.
      const entry = begun.find(({ label }) => label.toLowerCase() === typed) ?? (begun.length === 1 ? begun[0] : undefined);
      return entry ? { value: entry.value } : { problem: `“${this.text}” is not one of the values of “${this.option.name}”: choose from the list.` };
    }
    return checked(this.option, this.text);
  }

  #typed() {
    this.#picked = null;
    this.node.removeAttribute("data-invalid");
    this.#fit();
    this.#suggest();
  }

  /** Let the field be as wide as its text, as Discord's option pills are. */
  #fit() {
    this.input.size = Math.min(40, Math.max(8, this.input.value.length + 1));
  }

  #pick(entry) {
    this.#picked = entry;
    this.input.value = entry.label;
    this.#fit();
    this.list.hide();
  }

  #suggest() {
    const typed = this.#picked ? "" : this.text.toLowerCase();
    const options = { heading: this.option.description, active: typed ? 0 : -1 };
    if (this.source) this.list.show(this.source().filter(({ label }) => label.toLowerCase().includes(typed)), options);
    else if (this.option.autocomplete) this.#ask(options);
  }

  #ask(options) {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    this.#timer = setTimeout(async () => {
      let answer;
      try {
        answer = await this.#choices();
      } catch (error) {
        answer = { entries: [], empty: error.message };
      }
      // An answer to an earlier keystroke, or to a field already left, is of no use.
      if (asked === this.#asked && document.activeElement === this.input) this.list.show(answer.entries, { ...options, empty: answer.empty });
    }, DEBOUNCE_MS);
  }

  async #choices() {
    const { name, type } = this.option;
    const others = this.context.filled().filter((option) => option.name !== name);
    const { command, path } = this.context.leaf;
    const choices = await complete(command, path, [...others, { name, type, value: this.input.value, focused: true }]);
    return { entries: choices.map((choice) => ({ label: choice.name, value: choice.value })), empty: "The bot has no suggestion" };
  }
}

/** Return the function that lists an option's possible values, or null where any text goes. */
function entriesOf(option) {
  if (option.choices?.length) return () => option.choices.map(({ name, value }) => ({ label: name, value }));
  if (option.type === TYPE.BOOLEAN) return () => [{ label: "True", value: true }, { label: "False", value: false }];
  if ([TYPE.USER, TYPE.MENTIONABLE].includes(option.type)) return () => mentionable().map((user) => ({ label: displayName(user), value: user.id }));
  if (option.type === TYPE.CHANNEL) return () => channels(option.channel_types);
  return null;
}

const channels = (types) =>
  (findChannel(state.channelId)?.guild?.channels ?? [])
    .filter((channel) => !types?.length || types.includes(channel.type))
    .map((channel) => ({ label: `#${channel.name}`, value: channel.id }));

/** Check free text against the option's own limits. */
function checked({ name, type, min_value: min, max_value: max, min_length: shortest, max_length: longest }, text) {
  if (type === TYPE.INTEGER || type === TYPE.NUMBER) {
    const number = Number(text);
    if (Number.isNaN(number) || (type === TYPE.INTEGER && !Number.isInteger(number))) return { problem: `“${name}” must be ${type === TYPE.INTEGER ? "a whole number" : "a number"}.` };
    if (number < (min ?? -Infinity)) return { problem: `“${name}” must be at least ${min}.` };
    return number > (max ?? Infinity) ? { problem: `“${name}” must be at most ${max}.` } : { value: number };
  }
  if (text.length < (shortest ?? 0)) return { problem: `“${name}” needs at least ${shortest} characters.` };
  return text.length > (longest ?? Infinity) ? { problem: `“${name}” takes at most ${longest} characters.` } : { value: text };
}
