import assert from "node:assert/strict";
import { test } from "node:test";
import texts from "../../locales/de.ftl";
import type { Sanctioned } from "../../src/engine/events";
import { L10n } from "../../src/text/l10n";
import { reasonText, sanctionedText } from "../../src/text/reasons";

/** Texts in German. */
const german = new L10n({ language: "de", texts }, ["de-DE"]);

/** Removes the invisible characters that keep the direction of an argument apart. */
function plain(text: string): string {
  return text.replace(/[\u2068\u2069]/g, "");
}

test("arguments of a text are safe, and the text keeps their directions apart", () => {
  assert.equal(german.text("unknown-command", { command: "a\u202eb" }), "Es gibt keinen Befehl /\u2068a\ufffdb\u2069. /help zählt sie auf.");
});

test("reason of a refusal is in the user's language, with what only the server's text has", () => {
  const reason = (name: string | null, text: string) => plain(reasonText(german, { name, text }));
  assert.equal(reason("muted", "You are muted on this server."), "Du darfst hier nicht reden");
  assert.equal(reason("muted", "You are muted in room lobby for another 10 min: be kind: please."), "Du darfst hier nicht reden · noch 10 Minuten · be kind: please.");
  assert.equal(reason("muted", "Only moderators may speak here now."), "Hier dürfen nur Moderatoren reden");
  assert.equal(reason("banned", "You are banned from this server for another 3 days."), "Du bist ausgesperrt · noch 3 Tage");
  assert.equal(reason("search_invalid", "This cannot be looked for."), "Eine Suche braucht ein Wort, und nicht zu viele.");
  assert.equal(reason("invite_invalid", "This invitation is for the name an\u202ena."), "Diese Einladung ist für den Namen an\ufffdna.");
  assert.equal(reason("invite_invalid", "This invitation has ended: ask for another one."), "Diese Einladung gilt nicht: vertippt, schon benutzt oder abgelaufen.");
  assert.equal(reason(null, "New\u202e trouble"), "New\ufffd trouble", "as the server says it");
});

test("sanction says where it holds, and only what is known", () => {
  const sanctioned = (more: Partial<Sanctioned>) =>
    plain(sanctionedText(german, { type: "sanctioned", action: "mute", room: null, by: null, reason: null, until: null, ...more }));
  assert.equal(sanctioned({}), "Du wurdest stumm geschaltet · ganzer Server");
  assert.equal(sanctioned({ action: "unmute", room: "lobby" }), "Du darfst wieder reden · #lobby");
  assert.equal(sanctioned({ action: "kick", room: "lobby", by: "hanna", reason: "spam" }), "Du wurdest hinausgewiesen · #lobby · von hanna · spam");
  const until = "2026-11-22T14:03:00.000Z";
  assert.equal(sanctioned({ until }), `Du wurdest stumm geschaltet · ganzer Server · bis ${german.moment(Date.parse(until))}`);
});
