/** Buttons, select menus and the layout components of Components V2. */

import { attachmentOf, cdnUrl, cover, fileCard, picture } from "./attachments.js";
import { el, icon } from "./dom.js";
import { failures, press } from "./interactions.js";
import { Listbox } from "./listbox.js";
import { markdown, safeUrl } from "./markdown.js";
import { displayName, findChannel, state } from "./state.js";

const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const LINK_BUTTON = 5;

/** What a member chose in a select menu: Discord's clients remember it, the message does not. */
const chosen = new Map();

/** Draw a message's components, and below them why the last press failed. */
export function renderComponents(message) {
  const failure = failures.get(message.id);
  return [
    ...(message.components ?? []).map((component) => renderComponent(component, message)),
    failure && el("p", { class: "failure", role: "alert" }, failure),
  ];
}

/** Collect the ids of the attachments that a message's components show. */
export function componentAttachments(message) {
  const ids = [];
  const visit = (part) => {
    if (!part || typeof part !== "object") return;
    const file = typeof part.url === "string" && attachmentOf(message, part.url);
    if (file) ids.push(file.id);
    Object.values(part).forEach(visit);
  };
  visit(message.components ?? []);
  return ids;
}

const RENDERERS = {
  1: (row, message) => el("div", { class: "action-row" }, row.components.map((part) => renderComponent(part, message))),
  2: renderButton,
  3: (menu, message) => renderSelect(menu, message, menu.options),
  5: (menu, message) => renderSelect(menu, message, userEntries()),
  7: (menu, message) => renderSelect(menu, message, userEntries()),
  8: (menu, message) => renderSelect(menu, message, channelEntries(message)),
  9: (section, message) => el("div", { class: "section" },
    el("div", { class: "section-body" }, section.components.map((part) => renderComponent(part, message))),
    renderComponent(section.accessory, message)),
  10: (text) => el("div", { class: "markup" }, markdown(text.content)),
  11: (thumbnail, message) => el("div", { class: "embed-thumbnail" }, media(thumbnail, message)),
  12: (gallery, message) => el("div", { class: "gallery", dataset: { count: Math.min(gallery.items.length, 4) } }, gallery.items.map((item) => media(item, message))),
  13: (part, message) => fileCard(attachmentOf(message, part.file.url) ?? { filename: part.name ?? "file", url: part.file.url, size: part.size }),
  14: (separator) => el("hr", { dataset: { spacing: separator.spacing ?? 1, divider: separator.divider ?? true } }),
  17: renderContainer,
};

function renderComponent(component, message) {
  const render = RENDERERS[component?.type];
  return render ? render(component, message) : el("p", { class: "failure" }, `This page cannot show component type ${component?.type}.`);
}

const media = (item, message) => picture(item.media.url, { alt: item.description ?? "Picture", spoiler: item.spoiler, width: item.media.width, height: item.media.height, message });

function renderContainer(container, message) {
  const node = el("div", { class: "embed container" }, container.components.map((part) => renderComponent(part, message)));
  if (container.accent_color) node.style.setProperty("--bar", `#${container.accent_color.toString(16).padStart(6, "0")}`);
  return container.spoiler ? cover(node) : node;
}

/** Draw an emoji; those of a server are pictures of the CDN, all others are text. */
function emojiOf(emoji) {
  if (!emoji) return null;
  return emoji.id
    ? el("img", { class: "emoji", src: cdnUrl(`https://cdn.discordapp.com/emojis/${emoji.id}.webp`), alt: `:${emoji.name}:` })
    : el("span", { class: "emoji", "aria-hidden": "true" }, emoji.name);
}

function renderButton(button, message) {
  const style = BUTTON_STYLES[button.style] ?? "secondary";
  const label = button.label || button.emoji?.name || "Button";
  const content = [emojiOf(button.emoji), button.label && el("span", {}, button.label)];
  if (button.style === LINK_BUTTON) {
    const href = safeUrl(button.url);
    const attributes = { class: "button link", href: button.disabled ? null : href, target: "_blank", rel: "noopener noreferrer", "aria-disabled": button.disabled || !href ? "true" : null };
    return el("a", attributes, content, icon("link"));
  }
  const node = el("button", { type: "button", class: `button ${style}`, disabled: button.disabled, "aria-label": button.label ? null : label, dataset: { customId: button.custom_id } }, content);
  node.addEventListener("click", () => start(node, message, button));
  return node;
}

function start(node, message, component, values) {
  if (node.getAttribute("aria-busy")) return;
  node.setAttribute("aria-busy", "true");
  press(message, component, values);
}

const userEntries = () => [state.bot, ...state.members].filter(Boolean).map((user) => ({ label: displayName(user), value: user.id }));

const channelEntries = (message) =>
  (findChannel(message.channel_id)?.guild?.channels ?? []).map((channel) => ({ label: `#${channel.name}`, value: channel.id }));

function renderSelect(menu, message, options) {
  const key = `${message.id} ${menu.custom_id}`;
  const preset = options.filter((option) => option.default).map((option) => option.value);
  let values = (chosen.get(key) ?? preset).filter((value) => options.some((option) => option.value === value));
  const multiple = (menu.max_values ?? 1) > 1;
  const label = menu.placeholder || "Make a selection";
  const shown = options.filter((option) => values.includes(option.value));
  const text = shown.length
    ? shown.map((option) => el("span", { class: "chosen" }, emojiOf(option.emoji), option.label))
    : el("span", { class: "placeholder" }, label);
  const button = el("button", {
    type: "button", class: "select", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false",
    "aria-label": [label, shown.map((option) => option.label).join(", ")].filter(Boolean).join(": "), disabled: menu.disabled, dataset: { customId: menu.custom_id },
  }, el("span", { class: "select-value" }, text), icon("chevron"));
  const host = el("div", { class: "select-host" }, button);

  const entries = () => options.map((option) => ({ label: option.label, detail: option.description, leading: emojiOf(option.emoji), value: option.value, selected: values.includes(option.value) }));
  const choose = (picked) => {
    values = picked;
    chosen.set(key, values);
    start(button, message, menu, values);
  };
  const pick = ({ value }) => {
    if (!multiple) {
      list.hide();
      choose([value]);
      return;
    }
    if (values.includes(value)) values = values.filter((other) => other !== value);
    else if (values.length < menu.max_values) values = [...values, value];
    list.show(entries(), { heading, active: list.active });
  };
  const heading = multiple ? `Choose up to ${menu.max_values}; close the list to send` : "";
  const list = new Listbox({ host, owner: button, label, onPick: pick, multiple });
  let before = "";
  const open = () => {
    before = values.join(" ");
    list.show(entries(), { heading, active: Math.max(0, options.findIndex((option) => values.includes(option.value))) });
    list.node.classList.toggle("below", button.getBoundingClientRect().top < window.innerHeight / 2);
  };
  const close = () => {
    if (!list.open) return;
    list.hide();
    if (multiple && values.length >= (menu.min_values ?? 1) && values.join(" ") !== before) choose(values);
  };
  button.addEventListener("click", () => (list.open ? close() : open()));
  button.addEventListener("blur", close);
  button.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && list.open) {
      event.preventDefault();
      close();
    } else if (!list.handleKey(event) && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      open();
    }
  });
  return host;
}
