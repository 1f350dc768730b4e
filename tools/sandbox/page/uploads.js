/** Files before they are sent: choosing them, and the card that shows one. */

import { el, fileSize, icon, iconButton } from "./dom.js";

/** Make the hidden input that opens the system's file dialog. */
export function fileChooser(onFiles, { multiple = false } = {}) {
  const input = el("input", { type: "file", hidden: true, multiple, "aria-label": "Choose files" });
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    input.value = "";
  });
  return input;
}

/** Draw a file that waits to be sent, with buttons to hide it as a spoiler or take it away. */
export function uploadCard(upload, { onRemove, spoilers = false }) {
  const { file } = upload;
  const spoilerButton = iconButton("eye", "Mark as spoiler", () => {
    upload.spoiler = !upload.spoiler;
    show();
  });
  const show = () => {
    card.dataset.spoiler = upload.spoiler;
    spoilerButton.setAttribute("aria-pressed", String(upload.spoiler));
  };
  const card = el("figure", { class: "upload" },
    el("div", { class: "upload-tools" }, spoilers && spoilerButton, iconButton("trash", `Remove ${file.name}`, onRemove)),
    el("div", { class: "upload-preview" }, thumbnail(file)),
    el("figcaption", { title: file.name }, file.name, el("small", {}, fileSize(file.size))));
  show();
  return card;
}

function thumbnail(file) {
  if (!file.type.startsWith("image/")) return icon("file");
  const src = URL.createObjectURL(file);
  const free = () => URL.revokeObjectURL(src);
  return el("img", { src, alt: `Preview of ${file.name}`, onload: free, onerror: (event) => {
    free();
    event.target.replaceWith(icon("file"));
  } });
}
