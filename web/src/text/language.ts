/** Choice of a language. */

/** Returns the first of the languages that a user reads that there is among `available`; English if there is none. */
export function chooseLanguage(wanted: readonly string[], available: readonly string[]): string {
  return wanted.map((it) => it.split("-")[0] ?? "").find((it) => available.includes(it)) ?? "en";
}
