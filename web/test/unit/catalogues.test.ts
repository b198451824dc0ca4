import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Entry, parse } from "@fluent/syntax";

/** Messages of a language, with the arguments that each uses: the page's own, and those that it shares with the programs. */
function messages(language: string): Map<string, string> {
  const files = [`locales/${language}.ftl`, `../src/l10n/locales/${language}/shared.ftl`];
  const { body } = parse(files.map((it) => readFileSync(it, "utf8")).join("\n"), {});
  const broken = body.filter((it: Entry) => it.type === "Junk");
  assert.deepEqual(broken, [], `${language} has a line that cannot be read`);
  const entries = body.flatMap((it: Entry) => {
    if (it.type !== "Message") return [];
    const used = new Set([...JSON.stringify(it.value).matchAll(/"VariableReference","id":\{[^}]*"name":"(\w+)"/g)].map((found) => found[1]));
    return [[it.id.name, [...used].sort().join(" ")] as const];
  });
  const unique = new Map(entries);
  assert.equal(unique.size, entries.length, `${language} has an id twice`);
  return unique;
}

/** Source files of the page. */
function sources(directory = "src"): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((it) => {
    const path = `${directory}/${it.name}`;
    return it.isDirectory() ? sources(path) : /\.tsx?$/.test(path) ? [readFileSync(path, "utf8")] : [];
  });
}

test("no catalogue lacks a line that another has, and all use the same arguments", () => {
  const english = messages("en");
  for (const file of readdirSync("locales")) {
    const other = messages(file.split(".")[0]!);
    assert.deepEqual([...other.keys()], [...english.keys()], file);
    for (const [id, used] of english) assert.equal(other.get(id), used, `${file}: ${id}`);
  }
});

test("every text that the page asks for is in the catalogues, and every text is asked for", () => {
  const english = messages("en");
  const code = sources().join("\n");
  for (const [, id] of code.matchAll(/\btext\("([\w-]+)"/g)) assert.ok(english.has(id!), `${id} is missing`);
  // Some ids are put together: by what the server says, or from a list.
  const built = /^(error|sanctioned|help|state|ended|settings-notify)-/;
  const unused = [...english.keys()].filter((id) => !built.test(id) && !code.includes(`"${id}"`));
  assert.deepEqual(unused, []);
});

test("every error that the server may send has a text, unless the server's own is shown", () => {
  const registry = readFileSync("../docs/protocol/README.md", "utf8");
  const codes = registry.slice(registry.indexOf("## 7."), registry.indexOf("## 8."));
  const names = [...codes.matchAll(/^\| [23]\d\d \| `(\w+)` \|/gm)].map((it) => it[1]!);
  assert.ok(names.length > 20);
  // Why a name cannot be claimed only the server's text says. The user never sees the others: the page asks for the
  // password, and numbers its requests itself.
  const silent = new Set(["password_required", "password_wrong", "cannot_claim", "reference_invalid"]);
  const english = messages("en");
  for (const name of names) assert.ok(silent.has(name) || english.has(`error-${name}`), name);
});

test("every end of the chat has a text of its own, except a refusal, whose error has", () => {
  const english = messages("en");
  const declared = /type: "end"; reason: ([^;]*);/.exec(readFileSync("src/engine/events.ts", "utf8"))?.[1] ?? "";
  const reasons = [...declared.matchAll(/"(\w+)"/g)].map((it) => it[1]!);
  assert.ok(reasons.length >= 4, declared);
  for (const it of reasons) assert.ok(it === "refused" || english.has(`ended-${it}`), it);
});
