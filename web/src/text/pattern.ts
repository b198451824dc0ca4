/** Texts with arguments, as `web/catalogues.mjs` compiles them from Fluent's format. */

/** An argument of a text. */
export type Argument = string | number;

/**
 * A text. In a list, a list is an argument by its name; with variants, a choice among them by that argument: by its
 * value, by the plural form of a number, or else the one at the index.
 */
export type Pattern = string | Part[];

type Part = string | [name: string, variants?: [key: string, pattern: Pattern][], otherwise?: number];

/** Invisible characters that keep the direction of an argument apart from that of the text around it. */
const [ISOLATE, END] = ["\u2068", "\u2069"];

/** Plural forms by language: to make them takes far longer than to ask them. */
const plurals = new Map<string, Intl.PluralRules>();

/** Returns the plural form of a number in a language. */
function pluralForm(value: number, language: string): string {
  const rules = plurals.get(language) ?? new Intl.PluralRules(language);
  plurals.set(language, rules);
  return rules.select(value);
}

/** Puts arguments into a text of a language. */
export function formatPattern(pattern: Pattern, args: Record<string, Argument>, language: string): string {
  if (typeof pattern === "string") return pattern;
  const parts = pattern.map((part) => {
    if (typeof part === "string") return part;
    const text = formatPart(part, args, language);
    return pattern.length > 1 ? ISOLATE + text + END : text;
  });
  return parts.join("");
}

/** Returns an argument as text, or the variant that it chooses. */
function formatPart([name, variants, otherwise = 0]: Exclude<Part, string>, args: Record<string, Argument>, language: string): string {
  const value = args[name] ?? "";
  if (!variants) return value.toLocaleString(language);
  const form = typeof value === "number" ? pluralForm(value, language) : "";
  const [, pattern = ""] = variants.find(([key]) => key === String(value) || key === form) ?? variants[otherwise] ?? [];
  return formatPattern(pattern, args, language);
}
