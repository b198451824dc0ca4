import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseLine } from "../../src/text/commands";
import { parseLength } from "../../src/text/moderation-commands";
import { parseSearch } from "../../src/text/search-query";
import { foldName } from "../../src/text/fold";
import { codeOfLink, readCode } from "../../src/text/invitation";
import { chooseLanguage } from "../../src/text/language";
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

test("signs in the middle of an address cost no more than others", () => {
  const link = `http://a/${".".repeat(200_000)}a`;
  const start = performance.now();
  assert.deepEqual(links(`${link}...`), [link]);
  assert.ok(performance.now() - start < 1_000);
});

test("pieces of a text are the whole text", () => {
  for (const text of ["", "anna", "hi @Anna: https://a.example/x. anna!", "no\nlinks"]) {
    assert.equal(splitText(text, "anna").map((it) => it.text).join(""), text);
  }
});

test("a text has at most some pieces, and none of it is lost", () => {
  const text = "@anna http://a.example ".repeat(170);
  const pieces = splitText(text, "anna");
  assert.ok(pieces.length <= 101, `${pieces.length} pieces`);
  assert.equal(pieces.map((it) => it.text).join(""), text);
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
  assert.deepEqual(request("/topic"), { kind: "topic" });
  assert.deepEqual(request("/ban bob 2h spam and more"), { type: "ban", name: "bob", room: "lobby", reason: "spam and more", seconds: 7_200 });
  assert.deepEqual(request("/ban bob --server forever"), { type: "ban", name: "bob", server: true });
  assert.deepEqual(request("/ban --address bob 10m"), { type: "ban", name: "bob", room: "lobby", seconds: 600, address: true, dry_run: true });
  assert.deepEqual(request("/ban --address --yes bob"), { type: "ban", name: "bob", room: "lobby", address: true, dry_run: false });
  assert.deepEqual(request("/mute --server @bob"), { type: "mute", name: "bob", server: true });
  assert.deepEqual(request("/kick bob 3 times too often"), { type: "kick", name: "bob", room: "lobby", reason: "3 times too often" });
  assert.deepEqual(request("/slow off"), { type: "slow", seconds: 0, room: "lobby" });
  assert.deepEqual(request("/announce --server dinner"), { type: "announce", text: "dinner", server: true });
  assert.deepEqual([parseLength("90s"), parseLength("7d"), parseLength("7")], [90, 604_800, null]);
});

test("commands that are no requests", () => {
  const parsed = (line: string) => parseLine(line, "lobby");
  assert.deepEqual(parsed("/history"), { kind: "history", count: 20 });
  assert.deepEqual(parsed("/remove @bob bad  word"), { kind: "remove", name: "bob", text: "bad  word" });
  assert.deepEqual(parsed("/remove"), { kind: "remove", name: "", text: "" });
  assert.deepEqual(parsed("/ignore @Bob"), { kind: "ignore", name: "Bob", isIgnored: true });
  assert.deepEqual(parsed("/ignore"), { kind: "ignore", name: "", isIgnored: true });
  assert.deepEqual(parsed("/unignore bob"), { kind: "ignore", name: "bob", isIgnored: false });
  assert.deepEqual(parsed("/room #attic"), { kind: "room", room: "attic" });
  assert.deepEqual(parsed("/leave"), { kind: "leave", room: "" });
  assert.deepEqual(parsed("/who attic"), { kind: "people", room: "attic" });
  assert.deepEqual(parsed("/bans --server"), { kind: "bans", isServer: true });
  assert.deepEqual(parsed("/moderation"), { kind: "view", view: "help" });
  assert.deepEqual(parsed("/claim"), { kind: "own-name", isKept: true });
  assert.deepEqual(parsed("/unclaim"), { kind: "own-name", isKept: false });
  assert.deepEqual(parsed("/link"), { kind: "link" });
  assert.deepEqual(["/unlink", "/unlink --yes"].map((it) => parsed(it)), [false, true].map((isSure) => ({ kind: "unlink", isSure })));
  assert.deepEqual(parsed("/QUIT"), { kind: "quit" });
});

test("commands that are unknown, incomplete or mistyped are told, and never sent", () => {
  assert.deepEqual(parseLine("/dance now", "lobby"), { kind: "error", message: "unknown-command", command: "dance" });
  const wrong = ["/kick", "/me", "/msg bob", "/slow x", "/role bob king", "/ban bob 10min", "/mute bob 0s", "/ban --srever bob", "/kick --address bob", "/history 0", "/history 101", "/unignore", "/bans bob", "/claim anna", "/link anna", "/unlink anna"];
  for (const line of wrong) assert.equal(parseLine(line, "lobby").kind, "error", line);
  for (const line of ["/kick bob", "/topic", "/topic x", "/remove", "/history"]) assert.equal(parseLine(line, null).kind, "error", `${line} with one person`);
  assert.equal(parseLine("/kick --server bob", null).kind, "request");
});

test("every command of docs/using.md is known", () => {
  const page = readFileSync("../docs/using.md", "utf8");
  // What the peers have, and what only the programs in the terminal tell about.
  const others = ["/block", "/nick", "/away", "/whois"];
  const commands = new Set([...page.slice(page.indexOf("## Commands"), page.indexOf("## Scripts")).matchAll(/`(\/[a-z]+)[^`]*`/g)].map((it) => it[1]!));
  assert.ok(commands.size > 25, `${commands.size} commands`);
  for (const it of commands) {
    const parsed = parseLine(`${it} x`, "lobby");
    assert.ok(others.includes(it) || parsed.kind !== "error" || parsed.message !== "unknown-command", it);
  }
});

test("searches have words, phrases and filters", () => {
  assert.deepEqual(parseSearch('  hot   tea* "with  milk" '), { text: 'hot tea* "with  milk"' });
  assert.deepEqual(parseSearch('tea FROM:@Bob in:#attic "hot milk"'), { text: 'tea "hot milk"', from: "Bob", room: "attic" });
  assert.deepEqual(parseSearch('"from:bob" "a in:b'), { text: '"from:bob" "a in:b' });
  assert.deepEqual(parseSearch("at 12:30 :-) https://example.org/a tea:"), { text: "at 12:30 :-) https://example.org/a tea:" });
  const midnight = new Date(2026, 10, 22).toISOString();
  assert.deepEqual(parseSearch("after:2026-11-22"), { text: "", since: midnight });
  assert.deepEqual(parseSearch("von:bob in:attic nach:2026-11-22 tee"), { text: "tee", from: "bob", room: "attic", since: midnight });
  assert.deepEqual(parseSearch("vor:gestern"), parseSearch("before:yesterday"));
  assert.deepEqual(parseSearch("before:2026-11-22T14:30"), { text: "", until: new Date(2026, 10, 22, 14, 30).toISOString() });
  const today = new Date();
  assert.deepEqual(parseSearch("after:today"), { text: "", since: new Date(today.getFullYear(), today.getMonth(), today.getDate()).toISOString() });
  for (const typed of ["after:monday", "after:2026-13-01", "after:2026-11-03T14:30Z", "before:2026-11-22x", "frm:bob", "from: bob", "from:bob From:anna"]) {
    assert.ok("wrong" in parseSearch(typed), typed);
  }
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
  assert.deepEqual([["fr", "de-AT", "en"], ["pt-BR"], ["en-GB", "de"]].map((it) => chooseLanguage(it, ["de", "en"])), ["de", "en", "en"]);
});

test("code of an invitation is read as it is typed, or pasted with its link", () => {
  for (const text of ["0123-4567-89AB-CDEF", " 0123456789ab cdef", "http://pi.local:2480/#invite=0123-4567-89AB-CDEF", "chats://pi.local/#fingerprint=00&invite=0123456789abcdef"]) {
    assert.equal(readCode(text)?.toUpperCase(), "0123456789ABCDEF", text);
  }
  assert.equal(readCode("OIL3-4567-89AB-CDEF"), "OIL3456789ABCDEF", "the engine reads what looks like a digit");
  for (const text of ["", "0123-4567-89AB-CDE", "0123-4567-89AB-CDEF-0", "0123-4567-89AB-CDEU", "é123-4567-89AB-CDEF", "http://pi.local/#invite="]) {
    assert.equal(readCode(text), null, text);
  }
  assert.deepEqual(["#invite=a-b", "#a=1&invite=a-b&c=2", "#invite=", "#", "", "#other"].map(codeOfLink), ["a-b", "a-b", "", null, null, null]);
  assert.equal(codeOfLink(`#invite=${"a".repeat(5_000)}`)?.length, 99);
  assert.equal(codeOfLink("#".repeat(1_000_000)), null);
});
