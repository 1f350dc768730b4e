/** Embeds, laid out as Discord lays them out. */

import { picture, attachmentOf, cdnUrl } from "./attachments.js";
import { el } from "./dom.js";
import { inlineMarkdown, link, markdown } from "./markdown.js";
import { when } from "./people.js";

/** Draw a message's embeds. */
export const renderEmbeds = (message) => gather(message.embeds ?? []).map((embed) => renderEmbed(embed, message));

/** Collect the ids of the attachments that a message's embeds show. */
export function embeddedAttachments(message) {
  const addresses = (message.embeds ?? []).flatMap((embed) => [embed.image?.url, embed.thumbnail?.url, embed.author?.icon_url, embed.footer?.icon_url]);
  return addresses.map((address) => attachmentOf(message, address)?.id).filter(Boolean);
}

/** Merge embeds of one address into the first: Discord shows their images as one gallery. */
function gather(embeds) {
  const gathered = [];
  for (const embed of embeds) {
    const first = embed.url && gathered.find((other) => other.url === embed.url);
    if (first && embed.image) first.images.push(embed.image);
    else gathered.push({ ...embed, images: embed.image ? [embed.image] : [] });
  }
  return gathered;
}

function renderEmbed(embed, message) {
  const { author, title, description, fields = [], thumbnail, images, footer, timestamp } = embed;
  const alt = title || author?.name || "Embed";
  const card = el("section", { class: "embed", "aria-label": title || "Embed", dataset: { thumbnail: Boolean(thumbnail) } },
    author?.name && el("div", { class: "embed-author" }, smallIcon(author.icon_url, message), author.url ? link(author.url, author.name) : author.name),
    title && el("div", { class: "embed-title" }, embed.url ? link(embed.url, inlineMarkdown(title)) : inlineMarkdown(title)),
    description && el("div", { class: "embed-description markup" }, markdown(description)),
    fields.length > 0 && el("div", { class: "embed-fields" }, rows(fields)),
    thumbnail && el("div", { class: "embed-thumbnail" }, picture(thumbnail.url, { alt: `Thumbnail of ${alt}`, ...size(thumbnail), message })),
    images.length > 0 && el("div", { class: "embed-images", dataset: { count: Math.min(images.length, 4) } },
      images.slice(0, 4).map((image) => picture(image.url, { alt: image.description || `Picture of ${alt}`, ...size(image), message }))),
    (footer?.text || timestamp) && el("footer", { class: "embed-footer" },
      smallIcon(footer?.icon_url, message),
      el("span", {}, footer?.text, footer?.text && timestamp && " • ", timestamp && el("time", { datetime: timestamp }, when(timestamp)))));
  if (embed.color) card.style.setProperty("--bar", `#${embed.color.toString(16).padStart(6, "0")}`);
  return card;
}

const size = ({ width, height }) => ({ width, height });

function smallIcon(address, message) {
  const src = cdnUrl(attachmentOf(message, address)?.url ?? address);
  return src && el("img", { src, alt: "", class: "embed-icon" });
}

/** Inline fields share a row of up to three; any other field has a row of its own. */
function rows(fields) {
  const nodes = [];
  let run = [];
  const flush = () => {
    while (run.length) {
      const row = run.splice(0, 3);
      nodes.push(...row.map((field) => renderField(field, 12 / row.length)));
    }
  };
  for (const field of fields) {
    if (field.inline) run.push(field);
    else {
      flush();
      nodes.push(renderField(field, 12));
    }
  }
  flush();
  return nodes;
}

const renderField = ({ name, value }, span) =>
  el("div", { class: "embed-field", style: { "grid-column": `span ${span}` } },
    el("div", { class: "embed-field-name" }, inlineMarkdown(name)),
    el("div", { class: "markup" }, markdown(value)));
