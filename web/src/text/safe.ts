/** Makes text of strangers safe to show: `docs/protocol/README.md`, section 3. */

/**
 * Characters that act on the text around them or are invisible: control characters, bidirectional
 * controls, and the like. Joiners, which scripts and emoji need, are none.
 */
const UNSAFE = /[\p{Cc}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** More than ten combining marks in a row: they cover the lines around them. */
const ENDLESS_MARKS = /(\p{M}{10})\p{M}+/gu;

/** Invisible tag characters that do not make a flag. */
const TAGS = /(?<!\u{1f3f4})(?<![\u{e0000}-\u{e007f}])[\u{e0000}-\u{e007f}]+/gu;

/** Returns a text of several lines as it is shown. */
export function safeText(text: string): string {
  return text
    .replace(/[\u2028\u2029]/g, "\n")
    .replace(UNSAFE, (c) => (c === "\n" || c === "\t" ? c : "\ufffd"))
    .replace(ENDLESS_MARKS, "$1\ufffd")
    .replace(TAGS, "\ufffd");
}

/** Returns a text as it is shown on one line. */
export function safeLine(text: string): string {
  return safeText(text).replace(/[\n\t]/g, " ");
}
