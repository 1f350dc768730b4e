/** Building blocks of the page's DOM. Nothing here ever parses a string as HTML. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  apps: "M4 4h6v6H4z M14 4h6v6h-6z M4 14h6v6H4z M14 14h6v6h-6z",
  at: "M16 12a4 4 0 1 1-8 0a4 4 0 0 1 8 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.6 7.2",
  chevron: "M6 9l6 6l6-6",
  close: "M6 6l12 12 M18 6L6 18",
  dots: "M5 12h.01 M12 12h.01 M19 12h.01",
  edit: "M4 20l1-4L16 5l3 3L8 19z M14 7l3 3",
  eye: "M2 12c3-5 6.3-7 10-7s7 2 10 7c-3 5-6.3 7-10 7s-7-2-10-7z M15 12a3 3 0 1 1-6 0a3 3 0 0 1 6 0",
  file: "M6 3h8l4 4v14H6z M14 3v4h4",
  hash: "M9 4L7 20 M17 4l-2 16 M4 9h17 M3 15h17",
  link: "M14 4h6v6 M20 4l-9 9 M18 14v6H4V6h6",
  photo: "M4 5h16v14H4z M4 16l5-5l4 4l3-3l4 4 M16 9h.01",
  plus: "M12 5v14 M5 12h14",
  reply: "M10 6L4 12l6 6 M4 12h9c4 0 7 2 7 6",
  trash: "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13",
};

/**
 * Build an element.
 *
 * Keys that start with "on" are listeners, `dataset` and `style` take objects, every other
 * key is an attribute: `true` sets it empty, `false`, `null` and `undefined` leave it out.
 * Children are nodes or strings (which become text); empty ones are skipped.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key === "style") for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

/** Draw one of the page's own line icons; it is decoration, its button carries the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Build a button that shows only an icon. */
export function iconButton(name, label, onclick, attributes = {}) {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...attributes }, icon(name));
}

let counter = 0;

/** Make an id that is unique on the page, for aria-controls and the like. */
export const uniqueId = (prefix) => `${prefix}-${++counter}`;

/** Say a number of bytes the way people do. */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(2)} MB`;
}
