/** Folding of names: what is equal after it is the same name (`docs/protocol/README.md`, section 2). */

/**
 * Folds the case of a character. Full case folding is not in the browser, but this makes the same
 * characters equal: `\u1e9e`, `\u00df` and `ss`, all three sigmas. Only the dotless i must stay apart
 * from the other.
 */
function foldCase(c: string): string {
  return c === "\u0131" ? c : c.toLowerCase().toUpperCase().toLowerCase();
}

/** Folds a name. */
export function foldName(name: string): string {
  return [...name.normalize("NFKC")].map(foldCase).join("").normalize("NFKC");
}
