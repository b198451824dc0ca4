/** Reads the codes of invitations (`docs/protocol/identity.md`). */

/** The code behind the `#` of a link, perhaps among other values. */
const IN_LINK = /[#&]invite=([^&#]{0,99})/;

/** Returns the code that a link brings, as it stands there; null if there is none. */
export function codeOfLink(link: string): string | null {
  return IN_LINK.exec(link)?.[1] ?? null;
}

/**
 * Returns the code that somebody has typed, or pasted with its link, without hyphens and spaces; null if it is none.
 * The engine reads `I`, `L` and `O` as the digits that they look like.
 */
export function readCode(text: string): string | null {
  const code = (codeOfLink(text) ?? text).replace(/[\s-]/g, "");
  return /^[\da-tv-z]{16}$/i.test(code) ? code : null;
}
