/**
 * Discord's markdown as DOM nodes.
 *
 * Text only ever becomes text nodes and a link only ever gets an http(s) address, so
 * whatever a message holds stays inert.
 */

import { el } from "./dom.js";
import { displayName, emit, findChannel, findUser } from "./state.js";

/** Longest text that is parsed; Discord's own limits are lower, and the rest is shown plain. */
const PARSED_CHARACTERS = 8000;
const DEEPEST = 8;

const CODE_BLOCK = /```(?:([\w+#-]{1,20})\n)?\n?([\s\S]+?)\n?```/g;
const MESSAGE_LINK = /^https:\/\/(?:\w+\.)?discord\.com\/channels\/[^/]+\/(\d+)\/(\d+)$/;
const LIST_ITEM = /^(\s*)([-*]|\d{1,9}\.)\s+(.*)$/;

/** Render a whole message, description or field value: blocks and inline marks. */
export function markdown(text) {
  const fragment = document.createDocumentFragment();
  const parsed = String(text ?? "").slice(0, PARSED_CHARACTERS);
  let at = 0;
  for (const match of parsed.matchAll(CODE_BLOCK)) {
    fragment.append(...blocks(parsed.slice(at, match.index).replace(/\n$/, "")));
    fragment.append(el("pre", {}, el("code", { dataset: { language: match[1] ?? "" } }, match[2])));
    at = match.index + match[0].length;
  }
  fragment.append(...blocks(at ? parsed.slice(at).replace(/^\n/, "") : parsed));
  fragment.append(String(text ?? "").slice(PARSED_CHARACTERS));
  return fragment;
}

/** Render a single line such as a title: inline marks only. */
export function inlineMarkdown(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...inline(String(text ?? "")));
  return fragment;
}

/** Tell whether an address may become a link, and return it whole, or null. */
export function safeUrl(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Build a link that opens beside the page; an address that is not http(s) leaves only its text.
 *
 * A link to a message of the sandbox goes there instead of to discord.com.
 */
export function link(address, ...children) {
  const href = safeUrl(address);
  if (!href) return el("span", {}, ...children);
  const node = el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
  const [, channelId, messageId] = MESSAGE_LINK.exec(href) ?? [];
  if (findChannel(channelId)) {
    node.addEventListener("click", (event) => {
      event.preventDefault();
      emit("jump", { channelId, messageId });
    });
  }
  return node;
}

function blocks(text, quoted = false) {
  if (!text) return [];
  const nodes = [];
  const lines = text.split("\n");
  let plain = [];
  const flush = () => {
    if (plain.length) nodes.push(...inline(plain.join("\n")));
    plain = [];
  };
  while (lines.length) {
    const taken = takeBlock(lines, quoted);
    if (taken) {
      flush();
      nodes.push(taken);
    } else plain.push(lines.shift());
  }
  flush();
  return nodes;
}

/** Take the block that starts at the first of `lines`, or nothing where that is plain text. */
function takeBlock(lines, quoted) {
  const [line] = lines;
  const heading = /^(#{1,3}|-#)\s+(\S.*)$/.exec(line);
  if (heading) {
    lines.shift();
    // A message's headings must not compete with the page's own: same look, deeper level.
    return heading[1] === "-#"
      ? el("small", { class: "subtext" }, inline(heading[2]))
      : el(`h${heading[1].length + 2}`, { class: `heading-${heading[1].length}` }, inline(heading[2]));
  }
  if (line.startsWith(">>> ") && !quoted) return el("blockquote", {}, blocks(lines.splice(0).join("\n").slice(4), true));
  if (line.startsWith("> ") && !quoted) {
    const quote = takeWhile(lines, (l) => l.startsWith("> ")).map((l) => l.slice(2));
    return el("blockquote", {}, blocks(quote.join("\n"), true));
  }
  return LIST_ITEM.test(line) ? list(takeWhile(lines, continuesList(line)).map((l) => LIST_ITEM.exec(l))) : null;
}

/** A list goes on while its items are indented or have the first one's kind of marker. */
function continuesList(first) {
  const ordered = (item) => item[2].endsWith(".");
  const kind = ordered(LIST_ITEM.exec(first));
  return (line) => {
    const item = LIST_ITEM.exec(line);
    return item && (item[1] || ordered(item) === kind);
  };
}

function takeWhile(lines, test) {
  const end = lines.findIndex((line) => !test(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function list(items) {
  const [, indent, marker] = items[0];
  const ordered = marker.endsWith(".");
  const node = el(ordered ? "ol" : "ul", ordered ? { start: parseInt(marker, 10) } : {});
  while (items.length) {
    const [, , , content] = items.shift();
    const deeper = takeWhile(items, (item) => item[1].length > indent.length);
    node.append(el("li", {}, inline(content), deeper.length ? list(deeper) : null));
  }
  return node;
}

/** Inline marks in order of precedence: a sticky pattern and what to make of its match. */
const INLINE = [
  [/\\([^A-Za-z0-9\s])/y, (m) => m[1]],
  [/(`{1,2})([^`]+?)\1(?!`)/y, (m) => el("code", {}, m[2])],
  [/<@!?(\d+)>/y, (m) => mention(`@${displayName(findUser(m[1]))}`, { dataset: { userId: m[1] } })],
  [/<@&(\d+)>/y, () => mention("@role")],
  [/<#(\d+)>/y, (m) => mention(`#${findChannel(m[1])?.name ?? "unknown"}`)],
  [/<\/([-\w ]{1,100}):\d+>/y, (m) => mention(`/${m[1]}`)],
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, (m) => timestamp(Number(m[1]), m[2])],
  [/<a?(:\w{2,32}:)\d+>/y, (m) => m[1]],
  [/<(https?:\/\/[^\s<>]+)>/y, (m) => link(m[1], m[1])],
  [/\[((?:\\.|[^\]\\\n]){1,300})\]\(<?([^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"\n]*")?\)/y, (m, depth) => (safeUrl(m[2]) ? link(m[2], inline(m[1], depth + 1)) : m[0])],
  [/https?:\/\/[^\s<>]*[^\s<>.,:;"'\])!?]/y, (m) => link(m[0], m[0])],
  [/\|\|([\s\S]+?)\|\|/y, (m, depth) => spoiler(inline(m[1], depth + 1))],
  [/\*\*\*((?!\*)\S(?:[\s\S]*?\S)?)\*\*\*/y, (m, depth) => el("strong", {}, el("em", {}, inline(m[1], depth + 1)))],
  [/\*\*(\S(?:[\s\S]*?\S)?)\*\*(?!\*)/y, (m, depth) => el("strong", {}, inline(m[1], depth + 1))],
  [/__(\S(?:[\s\S]*?\S)?)__(?!_)/y, (m, depth) => el("u", {}, inline(m[1], depth + 1))],
  [/~~(\S(?:[\s\S]*?\S)?)~~/y, (m, depth) => el("s", {}, inline(m[1], depth + 1))],
  [/\*(?![\s*])((?:\*\*|[^*])*?[^\s*]|(?:\*\*[^*]+\*\*))\*(?!\*)/y, (m, depth) => el("em", {}, inline(m[1], depth + 1))],
  [/_(?![\s_])((?:__|[^_])*?[^\s_])_(?![\w_])/y, (m, depth) => el("em", {}, inline(m[1], depth + 1))],
  [/@(?:everyone|here)\b/y, (m) => mention(m[0])],
];

const SPECIAL = /[\\`<[*_~|@h]/g;

function inline(text, depth = 0) {
  if (depth > DEEPEST) return [text];
  const nodes = [];
  let plain = 0;
  let at = 0;
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text);
    if (!next) break;
    at = next.index;
    const found = matchAt(text, at, depth);
    if (!found) at += 1;
    else {
      nodes.push(text.slice(plain, at), found.node);
      at = plain = at + found.length;
    }
  }
  nodes.push(text.slice(plain));
  return nodes.filter((node) => node !== "");
}

function matchAt(text, at, depth) {
  // Within a word an underscore is part of a name, as in SPOILER_photo_1.jpg.
  if (text[at] === "_" && at && /\w/.test(text[at - 1])) return null;
  for (const [pattern, build] of INLINE) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) return { node: build(match, depth), length: match[0].length };
  }
  return null;
}

const mention = (text, attributes = {}) => el("span", { class: "mention", ...attributes }, text);

function spoiler(children) {
  const reveal = (event) => {
    if (event.type === "keydown" && !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    node.dataset.revealed = "true";
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
    node.firstChild.inert = false;
  };
  const inner = el("span", { inert: true }, children);
  const node = el("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Reveal spoiler", onclick: reveal, onkeydown: reveal }, inner);
  return node;
}

const FORMATS = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

function timestamp(seconds, style = "f") {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.valueOf())) return `<t:${seconds}>`;
  const full = date.toLocaleString(undefined, FORMATS.F);
  const shown = style === "R" ? relative(seconds) : date.toLocaleString(undefined, FORMATS[style]);
  return el("time", { class: "timestamp", datetime: date.toISOString(), title: full }, shown);
}

function relative(seconds) {
  const difference = seconds - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(difference) >= length) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(difference / size), unit);
}
