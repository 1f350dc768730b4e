/** Modals: the forms a bot may open. */

import { el, iconButton, uniqueId } from "./dom.js";
import { submitModal } from "./interactions.js";
import { markdown } from "./markdown.js";
import { avatar } from "./people.js";
import { displayName, on, state } from "./state.js";

const ACTION_ROW = 1;
const STRING_SELECT = 3;
const TEXT_INPUT = 4;
const TEXT_DISPLAY = 10;
const LABEL = 18;
const PARAGRAPH = 2;

/** Open every modal the bot sends. */
export const openModals = () => on("modal", open);

function open(modal) {
  const fields = modal.components.map(field);
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const close = () => dialog.close();
  const submit = async (submitEvent) => {
    submitEvent.preventDefault();
    const reason = await submitModal(modal, fields.map(({ read }) => read()).filter(Boolean));
    if (!reason) close();
    problem.hidden = !reason;
    problem.textContent = reason ?? "";
  };
  const titleId = uniqueId("modal");
  const dialog = el("dialog", { class: "modal", "aria-labelledby": titleId, onclose: () => dialog.remove() },
    el("form", { onsubmit: submit },
      el("header", {}, avatar(state.bot, "small"), el("h2", { id: titleId }, modal.title), iconButton("close", "Close", close)),
      el("p", { class: "hint" }, `This form goes to ${displayName(state.bot)}.`),
      fields.map(({ node }) => node),
      problem,
      el("footer", {}, el("button", { type: "button", class: "button secondary", onclick: close }, "Cancel"), el("button", { class: "button primary" }, "Submit"))));
  document.body.append(dialog);
  dialog.showModal();
  // Of itself the browser would take the first button, which closes the form at Enter.
  dialog.querySelector(".modal-field :is(input, textarea, select)")?.focus();
}

/** Draw one top-level component; `read` returns it as the submission carries it. */
function field(component) {
  if (component.type === ACTION_ROW) {
    const input = control(component.components[0]);
    return { node: labelled(component.components[0].label, null, input), read: () => ({ type: ACTION_ROW, components: [input.read()] }) };
  }
  if (component.type === LABEL) {
    const input = control(component.component);
    return { node: labelled(component.label, component.description, input), read: () => ({ type: LABEL, component: input.read() }) };
  }
  const text = component.type === TEXT_DISPLAY ? component.content : `This page cannot show component type ${component.type}.`;
  return { node: el("div", { class: "markup" }, markdown(text)), read: () => null };
}

const labelled = (label, description, { node }) =>
  el("label", { class: "modal-field" }, el("span", {}, label, node.required && el("span", { class: "required", "aria-hidden": "true" }, " *")), description && el("small", {}, description), node);

function control(component) {
  const { type, custom_id: customId, required = true } = component;
  if (type === STRING_SELECT) {
    const multiple = (component.max_values ?? 1) > 1;
    const node = el("select", { required, multiple, name: customId }, component.options.map((option) => el("option", { value: option.value, selected: option.default }, option.label)));
    return { node, read: () => ({ type, custom_id: customId, values: [...node.selectedOptions].map(({ value }) => value) }) };
  }
  const limits = { minlength: component.min_length, maxlength: component.max_length, placeholder: component.placeholder, required, name: customId };
  const node = component.style === PARAGRAPH ? el("textarea", { rows: "4", ...limits }) : el("input", { type: "text", ...limits });
  node.value = component.value ?? "";
  return { node, read: () => ({ type: TEXT_INPUT, custom_id: customId, value: node.value }) };
}
