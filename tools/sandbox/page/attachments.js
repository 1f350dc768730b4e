/** Files of a message: pictures, and cards for everything a browser cannot show. */

import { el, fileSize, icon } from "./dom.js";

const CDN = /^https:\/\/(?:cdn\.discordapp\.com|media\.discordapp\.net)\//;
const PICTURE = /\.(?:png|jpe?g|gif|webp|avif|bmp)$/i;

/** Return where this page finds a file of the CDN, or null for an address elsewhere. */
export const cdnUrl = (address) => (CDN.test(address ?? "") ? address.replace(CDN, "/cdn/") : null);

/** Find the attachment that an `attachment://name` address or a CDN address speaks of. */
export function attachmentOf(message, address) {
  const name = /^attachment:\/\/(.+)$/.exec(address ?? "")?.[1];
  const path = (url) => url?.split("?")[0];
  return message.attachments?.find((file) => (name ? file.filename === name : path(file.url) === path(address)));
}

/** Tell whether a file is hidden until clicked. */
const isSpoiler = (filename) => filename?.startsWith("SPOILER_") ?? false;

/** Name the file an address ends in; an embed's pictures are not listed as files of the message. */
const filenameOf = (address) => /([^/?#]*)(?:[?#].*)?$/.exec(address ?? "")[1];

/**
 * Draw a picture of the CDN, blurred where it is a spoiler.
 *
 * Pictures from elsewhere are not fetched, since the sandbox lives on this machine alone:
 * they become a note that says where the picture would come from.
 */
export function picture(address, { alt, spoiler = false, width, height, message, className = "" }) {
  const file = attachmentOf(message, address);
  const src = cdnUrl(file?.url ?? address);
  const filename = file?.filename ?? filenameOf(address);
  if (!src) return el("span", { class: "picture elsewhere" }, icon("photo"), `Picture on ${hostOf(address)}`);
  const image = el("img", { src, alt: file?.description || alt, width: file?.width ?? width, height: file?.height ?? height });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "picture elsewhere" }, icon("photo"), "This picture cannot be shown")));
  const view = el("a", { class: `picture ${className}`, href: src, target: "_blank", rel: "noopener", "aria-label": `Open ${filename}` }, image);
  return spoiler || isSpoiler(filename) ? cover(view) : view;
}

function hostOf(address) {
  try {
    return new URL(address).host || "an unknown address";
  } catch {
    return "an unknown address";
  }
}

/** Blur something until it is clicked. */
export function cover(view) {
  view.inert = true;
  const reveal = () => {
    view.inert = false;
    node.dataset.revealed = "true";
    button.remove();
  };
  const button = el("button", { type: "button", class: "reveal", "aria-label": "Reveal spoiler", onclick: reveal });
  const node = el("div", { class: "covered" }, view, button);
  return node;
}

/** Draw a message's files, except those that its embeds or components already show. */
export function renderAttachments(message, shown) {
  const files = (message.attachments ?? []).filter((file) => !shown.has(file.id));
  if (!files.length) return null;
  const pictures = files.filter((file) => PICTURE.test(file.filename));
  return [
    pictures.length > 0 && el("div", { class: "gallery", dataset: { count: Math.min(pictures.length, 4) } },
      pictures.map((file) => picture(file.url, { alt: `Attached photo ${file.filename}`, message }))),
    files.filter((file) => !pictures.includes(file)).map(fileCard),
  ];
}

/** Draw a file as a card with its name and size. */
export const fileCard = (file) =>
  el("div", { class: "file-card" },
    icon("file"),
    el("div", {},
      el("a", { href: cdnUrl(file.url), target: "_blank", rel: "noopener" }, file.filename),
      el("small", {}, fileSize(file.size ?? 0))));
