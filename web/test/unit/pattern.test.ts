import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FluentBundle, FluentResource } from "@fluent/bundle";
import { compileCatalogue } from "../../catalogues.mjs";
import { type Argument, formatPattern } from "../../src/text/pattern";

/** Arguments that texts are tried with: numbers that texts choose by, and others. */
const ARGUMENTS: Argument[] = [0, 1, 2, 5, 600, 7_200, 86_400, 1_234_567, "anna", ""];

/** A text of all that the page's catalogues may have. */
const MORE = `
several = { $a } and { $b }
lines = one
    two
chosen = { $a ->
    [0] none
    [bob] it is Bob
    [one] one, { $b }
   *[other] { $a } and { $b }
}.
`;

/** Texts of a catalogue, with the names of the arguments that they use. */
function uses(catalogue: string): [id: string, names: string[]][] {
  const messages = catalogue.split(/\n(?=[a-z])/).filter((it) => /^[a-z]/.test(it));
  return messages.map((it) => [it.split(" =")[0]!, [...it.matchAll(/\$(\w+)/g)].map((found) => found[1]!)]);
}

test("compiled texts are what Fluent makes of the catalogues", () => {
  for (const [language, catalogue] of [...["de", "en"].flatMap((it) => [`locales/${it}.ftl`, `../src/l10n/locales/${it}/shared.ftl`].map((file) => [it, readFileSync(file, "utf8")])), ["en", MORE]]) {
    const bundle = new FluentBundle(language!);
    bundle.addResource(new FluentResource(catalogue!));
    const compiled = compileCatalogue(catalogue!);
    const texts = uses(catalogue!);
    assert.deepEqual(texts.map(([id]) => id).sort(), Object.keys(compiled).sort());
    for (const [id, names] of texts) {
      for (const value of ARGUMENTS) {
        const args = Object.fromEntries(names.map((it, at) => [it, at > 0 ? "bob" : value]));
        const expected = bundle.formatPattern(bundle.getMessage(id)!.value!, args);
        assert.equal(formatPattern(compiled[id], args, language!), expected, `${language} ${id} ${value}`);
      }
    }
  }
});

test("catalogue with something that the page does not know is refused, when it is built", () => {
  for (const text of ["a = { NUMBER($b) }", "a = { b }", "a = { \"b\" }", "a = { -b }", "-a = b", "a = b\n    .c = d", "a = { b\n", "a = { $b ->\n  [one] c\n}"]) {
    assert.throws(() => compileCatalogue(text), /not supported/, text);
  }
});
