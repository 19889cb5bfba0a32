/** Markdown as elements: a library reads it, and each element is made here. So no text becomes markup by itself. */

import { lexer } from "./marked.js";

const LONGEST = 100_000;
const TAGS = /** @type {Record<string, string>} */ ({ strong: "strong", em: "em", del: "del", blockquote: "blockquote", paragraph: "p" });

/** @param {string} name @param {Node[]} [inside] */
function element(name, inside = []) {
  const made = document.createElement(name);
  made.append(...inside);
  return made;
}

/** @param {string} text */
const plain = (text) => document.createTextNode(text);

/** @param {any[]|undefined} tokens @returns {Node[]} */
const all = (tokens) => (tokens ?? []).flatMap((token) => made(token) ?? []);

/** @param {any} token @returns {Node|Node[]|null} */
function made(token) {
  if (TAGS[token.type]) return element(TAGS[token.type], all(token.tokens));
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return element(`h${Math.min(6, token.depth + 2)}`, all(token.tokens));
    case "code":
      return element("pre", [element("code", [plain(token.text)])]);
    case "codespan":
      return element("code", [plain(token.text)]);
    case "br":
    case "hr":
      return element(token.type);
    case "list":
      return list(token);
    case "table":
      return table(token);
    case "link":
      return link(token);
    case "text":
      return token.tokens ? all(token.tokens) : plain(token.text);
    case "escape":
      return plain(token.text);
    default: // an image would ask another host, and markup stays a text
      return plain(token.raw);
  }
}

/** @param {any} token */
function list(token) {
  const made = element(token.ordered ? "ol" : "ul", token.items.map((/** @type {any} */ item) => element("li", all(item.tokens))));
  if (token.ordered && token.start > 1) made.setAttribute("start", String(token.start));
  return made;
}

/** @param {any} token */
function table(token) {
  const row = (/** @type {any[]} */ cells, /** @type {string} */ tag) => element("tr", cells.map((cell) => element(tag, all(cell.tokens))));
  return element("table", [row(token.header, "th"), ...token.rows.map((/** @type {any[]} */ cells) => row(cells, "td"))]);
}

/** @param {any} token */
function link(token) {
  if (!/^(https?:|mailto:)/i.test(token.href)) return element("span", all(token.tokens));
  const made = element("a", all(token.tokens));
  made.setAttribute("href", token.href);
  made.setAttribute("rel", "noreferrer noopener");
  return made;
}

/** The elements of a text; one that is too long, or cannot be read, stays as it is. @param {string} text @returns {Node[]} */
export function markdown(text) {
  try {
    return text.length > LONGEST ? [plain(text)] : all(lexer(text));
  } catch {
    return [plain(text)];
  }
}
