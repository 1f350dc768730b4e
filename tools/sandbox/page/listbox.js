/** The one pop-up list: slash commands, mentions, option values and select menus. */

import { el, uniqueId } from "./dom.js";

/**
 * A list of which one entry is active, driven from the element that keeps the focus.
 *
 * Entries are `{label, detail, aside, leading, selected, ...}`; the whole entry is handed
 * to `onPick`. `host` is the positioned element the list hangs on, `owner` the focused one.
 */
export class Listbox {
  constructor({ host, owner, label, onPick, multiple = false }) {
    Object.assign(this, { host, owner, onPick, entries: [], active: -1 });
    this.id = uniqueId("list");
    this.heading = el("div", { class: "listbox-heading", role: "presentation" });
    this.options = el("div", { role: "presentation" });
    this.node = el("div", { class: "listbox", id: this.id, role: "listbox", "aria-label": label, "aria-multiselectable": multiple || null }, this.heading, this.options);
    // A click must not take the focus from the owner, whose blur closes the list.
    this.node.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get open() {
    return this.node.isConnected;
  }

  /** Show entries; `active` is the one that Enter takes, -1 for none yet. */
  show(entries, { heading = "", active = 0, empty = "Nothing matches" } = {}) {
    this.entries = entries;
    this.heading.textContent = heading;
    this.options.replaceChildren(...(entries.length ? entries.map((entry, n) => this.#option(entry, n)) : [el("div", { class: "listbox-empty" }, empty)]));
    if (!this.open) this.host.append(this.node);
    this.owner.setAttribute("aria-controls", this.id);
    if (this.owner.getAttribute("role") === "combobox") this.owner.setAttribute("aria-expanded", "true");
    this.#activate(Math.min(active, entries.length - 1));
  }

  hide() {
    this.node.remove();
    this.active = -1;
    this.owner.removeAttribute("aria-activedescendant");
    this.owner.removeAttribute("aria-controls");
    if (this.owner.getAttribute("role") === "combobox") this.owner.setAttribute("aria-expanded", "false");
  }

  /** Take a key press of the owner; return whether it was for the list. */
  handleKey(event) {
    if (!this.open || event.isComposing) return false;
    const last = this.entries.length - 1;
    const moves = { ArrowDown: this.active >= last ? 0 : this.active + 1, ArrowUp: this.active <= 0 ? last : this.active - 1 };
    if (event.key in moves) this.#activate(moves[event.key]);
    else if (["Enter", "Tab"].includes(event.key) && !event.shiftKey && this.active >= 0) this.onPick(this.entries[this.active]);
    else if (event.key === "Escape") this.hide();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #option(entry, n) {
    return el("div", {
      class: "option", role: "option", id: `${this.id}-${n}`, "aria-selected": String(Boolean(entry.selected)),
      onclick: () => this.onPick(entry),
      onmousemove: () => this.active !== n && this.#activate(n),
    },
    entry.leading,
    el("span", { class: "option-text" }, el("span", { class: "option-label" }, entry.label), entry.detail && el("span", { class: "option-detail" }, entry.detail)),
    entry.aside && el("span", { class: "option-aside" }, entry.aside));
  }

  #activate(n) {
    this.active = n;
    [...this.options.children].forEach((option, at) => option.toggleAttribute("data-active", at === n));
    const option = n >= 0 ? this.options.children[n] : null;
    if (option) this.owner.setAttribute("aria-activedescendant", option.id);
    else this.owner.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }
}
