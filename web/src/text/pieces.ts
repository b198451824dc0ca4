/** Splits the text of a message into what is shown differently: links and mentions. */

/** Part of a text. */
export type Piece =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "mention"; text: string };

/** Pieces of a text at most: thousands of links in many messages would make a browser slow. */
const MOST_PIECES = 100;

/** Web addresses. Nothing else becomes a link: above all no `javascript:`. */
const LINK = /\bhttps?:\/\/[^\s<>"'`\p{Cc}\p{Cf}]+/giu;

/** Punctuation that ends a sentence and not an address. */
const TRAILING = ".,;:!?…)]}»”’";

/** Returns a regular expression that finds a name as a whole word, in any case. */
function mentionPattern(name: string): RegExp {
  const escaped = name.replace(/[.*+?^${}()|[\]\\-]/g, "\\$&").replace(/\\-/g, "-");
  return new RegExp(`(?<![\\p{L}\\p{N}_])@?${escaped}(?![\\p{L}\\p{N}_])`, "giu");
}

/** Returns true if a text mentions a name. */
export function mentions(text: string, name: string): boolean {
  return name !== "" && mentionPattern(name).test(text);
}

/** Length of a link without the punctuation after it. A bracket that was opened in it belongs to it. */
function linkLength(link: string): number {
  let length = link.length;
  // From the end: a regular expression would begin anew at each of many such characters in the middle.
  while (TRAILING.includes(link.charAt(length - 1))) length -= 1;
  return link.charAt(length) === ")" && link.lastIndexOf("(", length) >= 0 ? length + 1 : length;
}

/** Splits a text without links at the mentions of a name. */
function splitMentions(text: string, name: string): Piece[] {
  if (name === "") return text === "" ? [] : [{ kind: "text", text }];
  const pieces: Piece[] = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(mentionPattern(name))) {
    if (index > at) pieces.push({ kind: "text", text: text.slice(at, index) });
    pieces.push({ kind: "mention", text: found });
    at = index + found.length;
  }
  if (at < text.length) pieces.push({ kind: "text", text: text.slice(at) });
  return pieces;
}

/** Splits a text into pieces. `name` is the user's own name. After many pieces the rest is one without links. */
export function splitText(text: string, name: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const link = found.slice(0, linkLength(found));
    if (!URL.canParse(link)) continue;
    pieces.push(...splitMentions(text.slice(at, index), name));
    pieces.push({ kind: "link", text: link, href: link });
    at = index + link.length;
  }
  pieces.push(...splitMentions(text.slice(at), name));
  const rest = pieces.splice(MOST_PIECES).map((it) => it.text).join("");
  if (rest) pieces.push({ kind: "text", text: rest });
  return pieces;
}
