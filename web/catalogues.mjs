/**
 * Compiles the page's catalogues: from Fluent's format, which translators know, to patterns that
 * need no parser in the browser (`src/text/pattern.ts`).
 */

import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "@fluent/syntax";

/** Directory of the page's sources. */
const sources = dirname(fileURLToPath(import.meta.url));

/** Compiles a pattern of Fluent. `place` says where it stands, for errors. */
function compilePattern({ elements }, place) {
  const parts = elements.map((it) => (it.type === "TextElement" ? it.value : compileExpression(it.expression, place)));
  return parts.length === 1 && typeof parts[0] === "string" ? parts[0] : parts;
}

/** Compiles what stands in braces: an argument, or a choice by an argument. */
function compileExpression(expression, place) {
  const { type } = expression;
  if (type === "VariableReference") return [expression.id.name];
  if (type !== "SelectExpression" || expression.selector.type !== "VariableReference") throw new Error(`${place}: ${type} is not supported`);
  const variants = expression.variants.map((it) => [it.key.name ?? it.key.value, compilePattern(it.value, place)]);
  const other = expression.variants.findIndex((it) => it.default);
  return [expression.selector.id.name, variants, other];
}

/** Compiles a catalogue: returns its patterns by their ids. */
export function compileCatalogue(text) {
  const messages = parse(text, {}).body.filter((it) => !it.type.endsWith("Comment"));
  return Object.fromEntries(
    messages.map((it) => {
      if (it.type !== "Message" || !it.value || it.attributes.length > 0) throw new Error(`${it.id?.name}: ${it.type} is not supported`);
      return [it.id.name, compilePattern(it.value, it.id.name)];
    }),
  );
}

/** Returns a language's texts: the page's own, and those that it shares with the programs. */
export async function readCatalogue(language) {
  const files = [`locales/${language}.ftl`, `../src/l10n/locales/${language}/shared.ftl`];
  const texts = await Promise.all(files.map((it) => readFile(join(sources, it), "utf8")));
  return texts.join("\n");
}

/** Plugin of esbuild, for tests: a catalogue that is imported is the compiled one, with the shared texts. */
export const catalogues = {
  name: "catalogues",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.ftl$/ }, async ({ path }) => ({
      contents: JSON.stringify(compileCatalogue(await readCatalogue(basename(path, ".ftl")))),
      loader: "json",
    })),
};
