import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseLength, parseLine } from "../../src/text/commands";
import { foldName } from "../../src/text/fold";
import { chooseLanguage } from "../../src/text/l10n";
import { mentions, splitText } from "../../src/text/pieces";
import { safeLine, safeText } from "../../src/text/safe";

/** Links of a text. */
function links(text: string): string[] {
  return splitText(text, "").flatMap((it) => (it.kind === "link" ? [it.href] : []));
}

test("web addresses become links, and nothing else does", () => {
  assert.deepEqual(links("see https://a.example/b?c=d#e, (http://x.example/y) and."), ["https://a.example/b?c=d#e", "http://x.example/y"]);
  assert.deepEqual(links("https://en.wikipedia.org/wiki/Tea_(meal)."), ["https://en.wikipedia.org/wiki/Tea_(meal)"]);
  for (const text of ["javascript:alert(1)", "data:text/html,x", "ftp://a.example", "https://", "http:// x", "xhttps://a.example"]) {
    assert.deepEqual(links(text), [], text);
  }
  assert.deepEqual(links('https://a.example/"onclick="x'), ["https://a.example/"]);
});

test("pieces of a text are the whole text", () => {
  for (const text of ["", "anna", "hi @Anna: https://a.example/x. anna!", "no\nlinks"]) {
    assert.equal(splitText(text, "anna").map((it) => it.text).join(""), text);
  }
});

test("mentions are whole words in any case", () => {
  for (const text of ["Anna?", "@anna", "hi, anna!", "ANNA"]) assert.ok(mentions(text, "anna"), text);
  for (const text of ["annabel", "hanna", "anna_b", ""]) assert.ok(!mentions(text, "anna"), text);
  assert.ok(mentions("für Jürgen-1.", "jürgen-1") && !mentions("x", ""));
  assert.ok(mentions("a.b there", "a.b") && !mentions("axb there", "a.b"));
});

test("dangerous characters are replaced, and harmless ones are not", () => {
  assert.equal(safeText("a\u202eb\u0000\u0007c\u200b\nd\te"), "a\ufffdb\ufffd\ufffdc\ufffd\nd\te");
  assert.equal(safeLine("a\nb\u2028c"), "a b c");
  for (const text of ["👩‍👧 ok", "ที่นี่", "ש\u05c1", "\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}", "❤\ufe0f"]) assert.equal(safeText(text), text);
  assert.equal(safeText(`o${"\u0300".repeat(50)}`), `o${"\u0300".repeat(10)}\ufffd`);
  assert.equal(safeText("a\u{e0068}\u{e0069}b"), "a\ufffdb");
});

test("commands become requests", () => {
  const request = (line: string) => {
    const parsed = parseLine(line, "lobby");
    return parsed.kind === "request" ? parsed.request : parsed;
  };
  assert.deepEqual(parseLine("//etc is a place", "lobby"), { kind: "message", text: "/etc is a place", style: "said" });
  assert.deepEqual(parseLine("/me waves", "lobby"), { kind: "message", text: "waves", style: "action" });
  assert.deepEqual(parseLine("/msg @bob  hi there", null), { kind: "direct", to: "bob", text: "hi there" });
  assert.deepEqual(request("/join #kitchen"), { type: "join", room: "kitchen" });
  assert.deepEqual(request("/topic -"), { type: "topic", text: "", room: "lobby" });
  assert.deepEqual(request("/ban bob 2h spam and more"), { type: "ban", name: "bob", room: "lobby", reason: "spam and more", seconds: 7_200 });
  assert.deepEqual(request("/mute --server @bob"), { type: "mute", name: "bob", server: true });
  assert.deepEqual(request("/slow off"), { type: "slow", seconds: 0, room: "lobby" });
  assert.equal(parseLine("/dance", "lobby").kind, "error");
  for (const line of ["/kick", "/me", "/msg bob", "/slow x", "/role bob king"]) assert.equal(parseLine(line, "lobby").kind, "error", line);
  assert.deepEqual([parseLength("90s"), parseLength("7d"), parseLength("7")], [90, 604_800, null]);
});

test("names are folded as the protocol says", () => {
  const names = JSON.parse(readFileSync("../docs/protocol/vectors/names.json", "utf8")) as { name?: string; key?: string }[];
  const keyed = names.filter((it) => it.name && it.key);
  assert.ok(keyed.length > 10, "the vectors have keys");
  for (const a of keyed) {
    for (const b of keyed) {
      assert.equal(foldName(a.name!) === foldName(b.name!), a.key === b.key, `${a.name} and ${b.name}`);
    }
  }
});

test("language is the first of the user's that there is a catalogue of", () => {
  assert.deepEqual([["fr", "de-AT", "en"], ["pt-BR"], ["en-GB", "de"]].map(chooseLanguage), ["de", "en", "en"]);
});
