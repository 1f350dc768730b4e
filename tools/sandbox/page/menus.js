/** The menu of a message: reply, edit, delete, and the apps' message commands. */

import { deleteMessage } from "./api.js";
import { el, icon } from "./dom.js";
import { runCommand } from "./interactions.js";
import { commandsHere } from "./commands.js";
import { EPHEMERAL, displayName, emit, state } from "./state.js";

const MESSAGE_COMMAND = 3;

let close = () => {};

/** Open the menu of a message at a point or beside an anchor, with the keyboard in it. */
export function openMessageMenu(message, { x, y, anchor }) {
  close();
  const menu = el("div", { class: "menu", role: "menu", "aria-label": "Message menu" }, items(message));
  document.body.append(menu);
  const at = anchor?.getBoundingClientRect();
  keepInWindow(menu, at ? at.right - menu.offsetWidth : x, at ? at.bottom + 4 : y);
  const outside = (event) => !menu.contains(event.target) && close();
  close = () => {
    document.removeEventListener("pointerdown", outside);
    menu.remove();
    close = () => {};
  };
  document.addEventListener("pointerdown", outside);
  menu.addEventListener("keydown", (event) => {
    const keys = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in keys) move(event.target.closest("[role=menu]"), keys[event.key]);
    else if (event.key === "ArrowRight" && event.target.ariaHasPopup) event.target.click();
    else if (event.key === "ArrowLeft") menu.querySelector("[aria-haspopup]")?.focus();
    else if (["Escape", "Tab"].includes(event.key)) {
      close();
      anchor?.focus();
    } else return;
    event.preventDefault();
  });
  menu.querySelector("[role=menuitem]")?.focus();
}

function keepInWindow(menu, left, top) {
  menu.style.left = `${Math.max(8, Math.min(left, window.innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(top, window.innerHeight - menu.offsetHeight - 8))}px`;
}

function move(menu, step) {
  const entries = [...menu.querySelectorAll(":scope > [role=menuitem], :scope > .submenu-host > [role=menuitem]")];
  const at = entries.indexOf(document.activeElement);
  entries[(at + step + entries.length) % entries.length]?.focus();
}

function items(message) {
  const own = message.author.id === state.actingId;
  const ephemeral = message.flags & EPHEMERAL;
  return [
    !ephemeral && item("Reply", "reply", () => emit("reply", message)),
    own && item("Edit message", "edit", () => emit("edit", message.id)),
    item("Apps", "apps", null, appItems(message)),
    own && item("Delete message", "trash", () => remove(message), null, "danger"),
  ];
}

async function remove(message) {
  try {
    await deleteMessage(message.channel_id, message.id, state.actingId);
  } catch (error) {
    emit("problem", error.message);
  }
}

function appItems(message) {
  const commands = commandsHere().filter((command) => command.type === MESSAGE_COMMAND);
  if (!commands.length) return [el("p", { class: "menu-empty" }, "No app has a command for messages here.")];
  return commands.map((command) =>
    item(command.name, null, () => runCommand(command, { targetId: message.id }), null, "", state.bot && displayName(state.bot)));
}

function item(label, iconName, action, submenu, style = "", aside = null) {
  const node = el("button", { type: "button", class: `menu-item ${style}`, role: "menuitem", tabindex: "-1", "aria-haspopup": submenu && "menu", "aria-expanded": submenu && "false" },
    el("span", {}, label, aside && el("small", {}, aside)), submenu ? icon("chevron") : iconName && icon(iconName));
  if (!submenu) {
    node.addEventListener("click", () => {
      close();
      action();
    });
    return node;
  }
  const host = el("div", { class: "submenu-host" }, node);
  const flyout = el("div", { class: "menu submenu", role: "menu", "aria-label": label }, submenu);
  const open = () => {
    node.setAttribute("aria-expanded", "true");
    host.append(flyout);
    const { left, right } = host.getBoundingClientRect();
    flyout.classList.toggle("leftwards", right + flyout.offsetWidth > window.innerWidth && left > flyout.offsetWidth);
  };
  node.addEventListener("click", () => {
    open();
    flyout.querySelector("[role=menuitem]")?.focus();
  });
  host.addEventListener("mouseenter", open);
  return host;
}
