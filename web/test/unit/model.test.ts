import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatEvent, ChatRequest, DirectMessage, RoomMessage, Welcome } from "../../src/engine/events";
import { type Author, Ignored } from "../../src/model/ignored";
import { Model } from "../../src/model/model";
import { saveModel } from "../../src/model/saved";

/** A message in the lobby. */
function message(seq: number, more: Partial<RoomMessage> = {}): RoomMessage {
  return {
    type: "message", seq, time: "2026-11-22T14:03:07.123Z", room: "lobby", from: "bob", session: 2, style: "said",
    text: `text ${seq}`, history: false, requested: false, own: false, ...more,
  };
}

/** A message to anna alone. */
function direct(seq: number, from: string, more: Partial<DirectMessage> = {}): DirectMessage {
  return {
    type: "direct", seq, time: null, from, to: "anna", from_session: 2, to_session: 1, style: "said", text: "psst",
    history: false, own: false, ...more,
  };
}

/** Joined as anna. */
function welcome(more: Partial<Welcome> = {}): Welcome {
  return {
    type: "welcome", session: 1, name: "anna", server: "attic", rooms: ["lobby"], max_text: 4_000,
    session_kept: false, position_kept: false, log_changed: false, ...more,
  };
}

/** The end of the replay. */
const CAUGHT_UP: ChatEvent = { type: "history_end", room: null, more: false, requested: false };

/** A model that has joined, with the requests that it has sent. */
function joined(): { model: Model; requests: ChatRequest[] } {
  const requests: ChatRequest[] = [];
  const model = new Model((request) => requests.push(request));
  model.handle(welcome());
  model.handle({ type: "entered", room: "lobby", members: 2 });
  model.handle(CAUGHT_UP);
  return { model, requests };
}

/** Sequences of the messages of the lobby. */
function sequences(model: Model): number[] {
  return model.conversations.get("lobby")!.messages.map((it) => it.seq);
}

test("messages are in the order of their sequences, and none is there twice", () => {
  const { model } = joined();
  for (const seq of [5, 7, 3, 7, 6, 3, 9]) model.handle(message(seq));
  assert.deepEqual(sequences(model), [3, 5, 6, 7, 9]);
});

test("history of the first join is read, and what comes unseen is not", () => {
  const model = new Model(() => undefined);
  model.isLooking = false;
  model.handle(welcome());
  model.handle(message(1, { history: true }));
  model.handle(CAUGHT_UP);
  assert.equal(model.conversations.unread.messages, 0);
  model.handle(message(2));
  model.handle(message(3, { text: "are you there, Anna?" }));
  model.handle(message(4, { own: true, from: "anna" }));
  assert.deepEqual(model.conversations.unread, { messages: 2, mentions: 1 });
  assert.equal(model.conversation!.newAfter, 1);
  model.setLooking(true);
  assert.deepEqual(model.conversations.unread, { messages: 0, mentions: 0 });
  assert.equal(model.conversation!.newAfter, 1, "the line stays while the user looks");
});

test("what an ignored person writes is neither counted nor announced", () => {
  const { model } = joined();
  model.ignores = ({ from }) => from === "bob";
  model.onAttention = () => assert.fail("no attention");
  model.handle(message(1, { text: "in sight, anna" }));
  assert.equal(model.announcement, "");
  model.setLooking(false);
  model.handle(message(2, { text: "out of sight, anna" }));
  assert.deepEqual(model.conversations.unread, { messages: 0, mentions: 0 });
  assert.deepEqual(sequences(model), [1, 2], "but it is there");
});

test("whom the user ignores is a person where one is known, and a name otherwise", () => {
  const { model } = joined();
  model.handle(message(1, { person: 7 }));
  model.handle(message(2, { from: "carl", person: null }));
  assert.equal(model.conversations.authorOf("BOB").person, 7);
  assert.ok(!model.conversations.authorOf("carl").person);
  assert.deepEqual(model.conversations.authorOf("dora"), { from: "dora" });
  assert.equal(model.conversations.authorOf("BOB").from, "BOB", "as they are called now");
  const identify = (author: Author) => model.conversations.identify(author).person;
  assert.equal(identify({ from: "bob", session: 7 }), 7, "what they wrote before the claim");
  assert.equal(identify({ from: "bob", session: 8 }), undefined, "who had the name before them");
  const ignored = Ignored.of([]).with({ from: "Bob", person: 7 }).with({ from: "carl", session: 3, person: null });
  assert.deepEqual(ignored.stored, ["bob 7", "carl"]);
  for (const it of [ignored, Ignored.of(ignored.stored)]) {
    assert.ok(it.hides({ from: "bob", person: 7 }));
    assert.ok(it.hides({ from: "robert", person: 7 }), "the person under another name");
    assert.ok(!it.hides({ from: "bob", person: 8 }), "another person who has the name now");
    assert.ok(!it.hides({ from: "bob" }), "somebody without a key who has the name now");
    assert.ok(it.hides({ from: "CARL", person: 9 }), "a name is a name");
    assert.ok(it.hides({ from: "bob", session: 7 }), "what the person wrote before the claim");
    assert.ok(it.hides({ from: "bob", session: 9, person: 7 }), "another device of the person");
    assert.ok(!it.hides({ from: "bob", session: 7, person: 8 }), "a session is somebody else's once the server says so");
    assert.ok(it.has({ from: "BOB" }) && !it.has({ from: "dora" }), "of whom only the name is known");
    assert.ok(!it.has({ from: "bob", session: 8, person: 8 }), "the button offers to hide the new holder");
  }
  assert.equal(ignored.with({ from: "carl", session: 9, person: 9 }), ignored, "hidden already, by the name");
  assert.equal(ignored.with({ from: "bob" }), ignored, "hidden already, as far as is known");
  assert.deepEqual(ignored.without({ from: "BOB" }).stored, ["carl"]);
  assert.deepEqual(ignored.without({ from: "robert", person: 7 }).stored, ["carl"], "the person under another name");
  assert.deepEqual(ignored.without({ from: "dora", session: 4 }).stored, ignored.stored);
  // Several persons had one name, and nobody is ignored twice.
  const both = ignored.with({ from: "bob", person: 8 }).with({ from: "robert", person: 8 });
  assert.deepEqual(both.stored, ["bob 7", "carl", "bob 8"]);
  assert.ok(both.hides({ from: "x", person: 7 }) && both.hides({ from: "x", person: 8 }));
  assert.deepEqual(both.byName().stored, ["bob", "carl"]);
  assert.deepEqual(both.without({ from: "bob" }).stored, ["carl"]);
  // In another log the number may be somebody else's.
  let isNew = false;
  model.onNewLog = () => (isNew = true);
  model.handle(welcome({ log_changed: true }));
  assert.ok(isNew);
  assert.ok(ignored.byName().hides({ from: "bob" }) && !ignored.byName().hides({ from: "robert", person: 7 }));
});

test("what was missed while the page was closed is unread, and only that", () => {
  const { model: earlier } = joined();
  earlier.handle(message(1));
  const model = new Model(() => undefined);
  model.isLooking = false;
  model.restore(JSON.parse(JSON.stringify(saveModel(earlier))));
  model.handle(welcome({ session_kept: true, position_kept: true }));
  model.handle(message(1, { history: true }));
  model.handle(message(2, { history: true }));
  model.handle(CAUGHT_UP);
  assert.equal(model.conversations.unread.messages, 1);
  assert.equal(model.conversation!.newAfter, 1);
});

test("room that a welcome does not name is gone, and what could not be loaded is asked for again", () => {
  const { model } = joined();
  model.handle({ type: "entered", room: "attic", members: 1 });
  const room = model.conversation!;
  Object.assign(room, { older: "failed", newer: "failed" });
  model.conversations.open("direct", "bob");
  model.handle(welcome({ session_kept: true, position_kept: true }));
  assert.deepEqual([...model.conversations.keys()], ["lobby", "@bob"]);
  assert.deepEqual([room.older, room.newer], ["unknown", "unknown"]);
});

test("server that knows neither session nor position may be another: sessions of people are forgotten", () => {
  const { model } = joined();
  const bob = model.conversations.open("direct", "bob");
  for (const [session_kept, position_kept, session] of [[true, false, 2], [false, true, 2], [false, false, null]] as const) {
    bob.session = 2;
    model.handle(welcome({ session_kept, position_kept }));
    assert.equal(bob.session, session);
  }
});

test("own message is there at once, and its echo takes its place", () => {
  const { model, requests } = joined();
  model.say("hello", "said");
  const room = model.conversation!;
  assert.deepEqual(room.pending.map((it) => [it.text, it.error]), [["hello", null]]);
  const { id } = requests.at(-1)!;
  model.handle(message(8, { own: true, from: "anna", text: "hello", id: id! }));
  model.handle({ type: "acknowledged", seq: 8, time: null, text: null, id: id! });
  assert.deepEqual([room.pending, sequences(model)], [[], [8]]);
});

test("who sends a message sees it: the list goes to the newest, which are loaded again if need be", () => {
  const { model, requests } = joined();
  const room = model.conversation!;
  for (const seq of [5, 6, 7]) model.handle(message(seq));
  const { stretch } = room;
  model.isReading = true;
  model.say("hello", "said");
  assert.ok(room.stretch > stretch && !model.isReading);
  assert.deepEqual(sequences(model), [5, 6, 7]);
  room.newer = "unknown";
  room.marked = 6;
  model.say("hello again", "said");
  assert.deepEqual([room.newer, room.marked, room.pending.length], ["none", null, 2]);
  const { type, before } = requests.at(-1)!;
  assert.deepEqual([type, before], ["history", 0]);
});

test("refused message stays, and can be taken back", () => {
  const { model, requests } = joined();
  model.say("waves", "action");
  const { id } = requests.at(-1)!;
  model.handle({ type: "error", code: 312, name: "muted", text: "no", message: "waves", id: id! });
  const room = model.conversation!;
  assert.deepEqual(room.pending[0]!.error, { name: "muted", text: "no" });
  assert.equal(model.toasts.length, 0, "it is shown at the message");
  assert.equal(model.takeBack(room, id!), "/me waves");
  assert.equal(room.pending.length, 0);
});

test("refused message for a room that was left is shown as a note", () => {
  const { model, requests } = joined();
  model.handle({ type: "entered", room: "attic", members: 1 });
  model.say("where is the key?", "said", model.conversations.get("attic")!);
  model.handle({ type: "left", room: "attic", forced: true });
  model.handle({ type: "error", code: 301, name: "not_in_room", text: "", message: "where is the key?", id: requests.at(-1)!.id! });
  assert.ok(model.toasts.some(({ message }) => "text" in message && message.text === "where is the key?"));
});

test("removed message loses its text", () => {
  const { model } = joined();
  model.handle(message(3, { text: "secret" }));
  model.handle({ type: "removed", room: "lobby", seq: 3, by: "carl", reason: null });
  const { style, text } = model.conversation!.messages[0]!;
  assert.deepEqual([style, text], ["removed", ""]);
});

test("40,000 messages do not make the page grow, whether somebody reads older ones or not", () => {
  const { model } = joined();
  const room = model.conversation!;
  room.older = "none";
  for (let seq = 1; seq <= 40_000; seq += 1) model.handle(message(seq));
  assert.deepEqual([room.messages.length, room.newest, room.older], [500, 40_000, "unknown"]);
  model.isReading = true;
  for (let seq = 40_001; seq <= 60_000; seq += 1) model.handle(message(seq));
  assert.deepEqual([room.messages.length, room.newest, room.newer], [1_000, 40_500, "unknown"]);
  assert.equal(room.latest, 60_000);
});

test("direct messages have a conversation of their own and survive a reload", () => {
  const { model } = joined();
  const direct = { type: "direct", time: null, style: "said", from_session: 2, to_session: 1, history: false } as const;
  model.handle({ ...direct, seq: 4, from: "bob", to: "anna", text: "psst", own: false });
  model.handle({ ...direct, seq: 5, from: "anna", to: "bob", text: "what?", own: true });
  const { messages, mentions } = model.conversations.get("@bob")!;
  assert.deepEqual([messages.map((it) => it.text), mentions], [["psst", "what?"], 1]);
  const again = new Model(() => undefined);
  again.restore(JSON.parse(JSON.stringify(saveModel(model))));
  again.handle(welcome());
  assert.equal(again.conversations.get("@bob")!.messages.length, 2);
});

test("members follow the roster and its changes", () => {
  const { model } = joined();
  const room = model.conversation!;
  model.handle({ type: "roster", room: "lobby", members: 2, names: ["anna", "bob"], asked: false });
  model.handle({ type: "presence", room: "lobby", members: 2, joined: ["carl"], left: ["bob"] });
  assert.deepEqual([room.names, room.members], [["anna", "carl"], 2]);
  model.handle({ type: "presence", room: "lobby", members: 900, joined: null, left: null });
  assert.deepEqual([room.names, room.members], [null, 900]);
});

test("room that was joined is shown, and another one after it was left", () => {
  const { model } = joined();
  model.join("kitchen");
  model.handle({ type: "entered", room: "kitchen", members: 1 });
  assert.equal(model.current, "kitchen");
  model.handle({ type: "left", room: "kitchen", forced: true });
  assert.equal(model.current, "lobby");
  assert.deepEqual(model.toasts[0]!.message, { id: "left-forced", args: { room: "kitchen" } });
});

test("results of a search come page by page, and those of an earlier one are not taken", () => {
  const { model, requests } = joined();
  const found = (seq: number, id: string): ChatEvent => ({
    type: "found", seq, time: null, room: "lobby", from: "bob", style: "said", text: "", own: false, id,
  });
  model.search.start("tea", { text: "tea" });
  const first = requests.at(-1)!.id!;
  model.search.start("milk", { text: "milk" });
  const { id } = requests.at(-1)!;
  model.handle(found(1, first));
  for (const seq of [7, 9]) model.handle(found(seq, id!));
  model.handle({ type: "search_end", found: 2, more: true, before: 7, id: id! });
  model.search.more();
  const more = requests.at(-1)!;
  assert.equal(more.before, 7);
  model.handle(found(3, more.id!));
  model.handle({ type: "search_end", found: 1, more: false, before: null, id: more.id! });
  assert.deepEqual(model.search.results.map((it) => it.seq), [9, 7, 3]);
});

test("direct message goes to the session that the user knows, and to another only when the user says so", () => {
  const { model, requests } = joined();
  const direct = { type: "direct", time: null, style: "said", to_session: 1, history: false, own: false, from: "bob", to: "anna" } as const;
  model.handle({ ...direct, seq: 4, from_session: 2, text: "psst" });
  model.openDirect("BOB");
  assert.equal(model.current, "@bob", "a name has many spellings");
  const bob = model.conversation!;
  model.say("secret", "said");
  const request = requests.at(-1)!;
  assert.deepEqual([request.to, request.session], ["bob", 2]);
  model.handle({ type: "error", code: 307, name: "recipient_changed", text: "no", message: "secret", id: request.id! });
  model.say("another", "said");
  assert.equal(requests.at(-1)!.session, 2, "the next one does not go to the stranger either");

  // After a reload, too.
  const again = new Model((request) => requests.push(request));
  again.restore(JSON.parse(JSON.stringify(saveModel(model))));
  again.handle(welcome({ session_kept: true, position_kept: true }));
  again.say("third", "said", again.conversations.get("@bob")!);
  assert.equal(requests.at(-1)!.session, 2);

  model.sendAnyway(bob, bob.pending[0]!);
  assert.deepEqual([requests.at(-1)!.text, requests.at(-1)!.session], ["secret", undefined]);
  model.handle({ ...direct, seq: 5, from_session: 9, text: "who are you?" });
  model.handle({ ...direct, seq: 6, from_session: 10, text: "it is me, I have come anew" });
  assert.deepEqual(bob.messages.map((it) => it.anew ?? false), [false, false, true]);
  model.handle(welcome({ log_changed: true }));
  model.say("again", "said", bob);
  assert.equal(requests.at(-1)!.session, undefined, "its number may be another's in another log");
});

test("what was not sent survives a reload, once in the page and after what was refused", () => {
  const { model, requests } = joined();
  model.say("refused", "said");
  model.handle({ type: "error", code: 312, name: "muted", text: "no", message: "refused", id: requests.at(-1)!.id! });
  model.say("on its way", "action");
  const { id } = requests.at(-1)!;
  const unsent = JSON.stringify({ log: null, messages: [{ request: requests.at(-1), sent: [1, 6], addressed: 0 }] });
  const again = new Model((request) => requests.push(request));
  again.restore(JSON.parse(JSON.stringify(saveModel(model))), unsent);
  const { pending } = again.conversations.get("lobby")!;
  assert.deepEqual(pending.map((it) => [it.text, it.error?.name ?? null]), [["refused", "muted"], ["on its way", null]]);
  again.say("new", "said", again.conversations.get("lobby")!);
  assert.equal(new Set(pending.map((it) => it.id)).size, 3, "each has an id of its own");
  again.handle(message(8, { own: true, from: "anna", text: "on its way", id: id! }));
  assert.deepEqual(pending.length - 1, again.conversations.get("lobby")!.pending.length);
  const broken = new Model(() => undefined);
  broken.restore(JSON.parse(JSON.stringify(saveModel(model))), "{broken");
  assert.equal(broken.conversations.get("lobby")!.pending.length, 1);
});

test("latest message of somebody is removed, and the one before the next time", () => {
  const { model, requests } = joined();
  for (const seq of [1, 2, 3]) model.handle(message(seq, { text: `Tea ${seq}` }));
  model.handle(message(4, { own: true, from: "anna" }));
  const room = model.conversation!;
  const removed = () => requests.filter((it) => it.type === "remove").map((it) => it.seq);
  assert.ok(model.moderation.removeLatest(room, "", ""));
  assert.ok(model.moderation.removeLatest(room, "BOB", ""));
  assert.ok(model.moderation.removeLatest(room, "bob", "tea"));
  assert.ok(!model.moderation.removeLatest(room, "bob", "coffee"));
  assert.ok(!model.moderation.removeLatest(room, "", ""));
  assert.deepEqual(removed(), [4, 3, 2]);
});

test("bans and mutes are looked at, lifted, and asked for again", () => {
  const { model, requests } = joined();
  const ban = { kind: "ban", name: "carl", until: null, by: "anna", reason: null } as const;
  model.moderation.look("lobby");
  assert.deepEqual([requests.at(-1)!.type, requests.at(-1)!.room], ["sanctions", "lobby"]);
  model.handle({ type: "sanctions", room: "lobby", items: [ban] });
  model.moderation.lift(model.moderation.sanctions![0]!);
  const { type, name, room, id } = requests.at(-1)!;
  assert.deepEqual([type, name, room], ["unban", "carl", "lobby"]);
  model.handle({ type: "done", text: "", affected: 1, id: id! });
  assert.equal(requests.at(-1)!.type, "sanctions");
  model.moderation.lookAway();
  const count = requests.length;
  model.moderation.send({ type: "ban", name: "carl", room: "lobby", address: true, dry_run: true });
  model.handle({ type: "done", text: "", affected: 3, id: requests.at(-1)!.id! });
  assert.equal(requests.length, count + 1);
  assert.deepEqual(model.toasts.at(-1)!.message, { id: "ban-counted", args: { name: "carl", affected: 3 } });
});

test("what sends the user out is told once: in a note, or at the end", () => {
  const { model } = joined();
  const kick = { type: "sanctioned", action: "kick", room: "lobby", by: "bob", reason: null, until: null } as const;
  model.handle(kick);
  model.handle({ type: "left", room: "lobby", forced: true });
  assert.deepEqual(model.toasts.map((it) => it.message), [{ sanctioned: kick }]);
  const mute = { ...kick, action: "mute", room: null } as const;
  model.handle(mute);
  const unmute = { ...mute, action: "unmute" } as const;
  model.handle(unmute);
  assert.deepEqual(model.toasts.map((it) => it.message), [{ sanctioned: kick }, { sanctioned: unmute }], "it takes the place of the mute");
  const ban = { ...kick, action: "ban", room: null } as const;
  model.handle(ban);
  model.handle({ type: "end", reason: "refused", name: "removed", text: "bob has banned you from this server." });
  assert.deepEqual(model.toasts, []);
  assert.deepEqual(model.phase, { phase: "ended", name: "removed", text: "bob has banned you from this server.", sanctioned: ban });
});

test("missing invitation asks for it beside the name, which stays as it was entered", () => {
  const model = new Model(() => undefined);
  model.name = "anna";
  model.handle({ type: "invite_wanted", reason: "invite_required", text: "Only invited people may come in." });
  assert.deepEqual(model.phase, { phase: "name", name: "anna", refused: { name: "invite_required", text: "Only invited people may come in." } });
});

test("name is kept and given up as the server answers, and an invitation that permits no claim is no trouble", () => {
  const { model, requests } = joined();
  requests.length = 0;
  model.claim("invited");
  model.claim("wanted");
  assert.deepEqual(requests, [{ type: "claim", id: "invited" }, { type: "claim", id: "wanted" }]);
  const refuse = (id: string) => model.handle({ type: "error", code: 317, name: "cannot_claim", text: "No.", id });
  refuse("invited");
  assert.deepEqual([model.toasts.length, model.claimed], [0, ""]);
  refuse("wanted");
  assert.deepEqual(model.toasts[0]?.message, { error: { name: "cannot_claim", text: "No." } });
  model.handle({ type: "done", text: "", id: "invited" });
  assert.deepEqual([model.toasts[1]?.message, model.claimed], [{ id: "name-kept", args: { name: "anna" } }, "anna"]);
  model.handle(welcome());
  assert.equal(model.claimed, "anna");
  model.giveUpName();
  model.handle({ type: "done", text: "", id: requests.at(-1)!.id! });
  assert.equal(model.claimed, "");
  model.handle({ type: "done", text: "", id: "wanted" });
  model.handle(welcome({ log_changed: true }));
  assert.equal(model.claimed, "", "a new log keeps no name");
});

test("code for another device is good for five minutes once the server has taken it, until the device has come", () => {
  const { model } = joined();
  model.offerLink({ code: "0123-4567-89AB-CDEF", url: "http://pi.local/", svg: "" });
  assert.equal(model.linkCode, null);
  model.handle({ type: "done", text: "", id: "link" });
  const left = (model.linkCode?.end ?? 0) - Date.now();
  assert.ok(left > 290_000 && left <= 300_000, `${left} ms`);
  assert.deepEqual(model.toasts, []);
  model.handle({ type: "notice", code: 3, text: "dinner" });
  assert.notEqual(model.linkCode, null);
  model.handle({ type: "notice", code: 10, text: "Another device" });
  assert.equal(model.linkCode, null);
  assert.deepEqual(model.toasts.map((it) => it.message), [{ text: "dinner" }, { id: "device-linked" }]);
});

test("code that the server refuses leaves the one before on show", () => {
  const { model } = joined();
  const offer = (code: string) => model.offerLink({ code, url: "http://pi.local/", svg: "" });
  const refuse = () => model.handle({ type: "error", code: 317, name: "cannot_link", text: "Too many.", id: "link" });
  offer("first");
  model.handle({ type: "done", text: "", id: "link" });
  const { end } = model.linkCode!;
  offer("second");
  assert.deepEqual([model.linkCode?.code, model.linkCode?.end], ["first", end], "the server has not answered");
  refuse();
  assert.deepEqual([model.linkCode?.code, model.linkCode?.end, model.toasts.length], ["first", end, 1]);
  // The server answers in order.
  offer("third");
  offer("fourth");
  model.handle({ type: "done", text: "", id: "link" });
  refuse();
  assert.equal(model.linkCode?.code, "third");
});

test("what was read on another device is read here, and what was read here stays so", () => {
  const { model } = joined();
  model.isLooking = false;
  for (const seq of [5, 6, 8]) model.handle(message(seq, { text: seq === 8 ? "anna!" : "hello" }));
  const lobby = model.conversations.get("lobby")!;
  assert.deepEqual([lobby.unread, lobby.mentions, lobby.newAfter], [3, 1, 4]);
  const mark = (seq: number, room: string | null = "lobby") => model.handle({ type: "read_mark", room, seq });
  mark(9, "garden");
  mark(9, null);
  mark(6);
  assert.deepEqual([lobby.unread, lobby.mentions, lobby.newAfter], [1, 1, 6]);
  mark(5);
  assert.deepEqual([lobby.unread, lobby.read], [1, 6]);
  mark(8);
  assert.deepEqual([lobby.unread, lobby.mentions, lobby.newAfter], [0, 0, null]);
  model.handle(message(9));
  assert.equal(lobby.unread, 1);
});

test("mark that comes before the first history says which of it is new", () => {
  const model = new Model(() => undefined);
  model.isLooking = false;
  model.handle(welcome());
  model.handle({ type: "entered", room: "lobby", members: 2 });
  model.handle({ type: "read_mark", room: "lobby", seq: 3 });
  for (const seq of [2, 3, 4]) model.handle(message(seq, { history: true }));
  model.handle(CAUGHT_UP);
  assert.deepEqual([model.conversations.get("lobby")!.unread, model.conversations.get("lobby")!.newAfter], [1, 3]);

  // So it is with people whose first messages come after it.
  model.handle({ type: "read_mark", room: null, seq: 6 });
  for (const seq of [5, 6, 7]) model.handle(direct(seq, "bob", { history: true }));
  assert.deepEqual([model.conversations.get("@bob")!.unread, model.conversations.get("@bob")!.newAfter], [1, 6]);
});

test("what the user sees is told to the other devices of somebody who has claimed the name", () => {
  const { model, requests } = joined();
  const marks = () => requests.splice(0).filter((it) => it.type === "mark_read").map(({ room, seq }) => [room, seq]);
  model.handle(message(5));
  assert.deepEqual(marks(), []);
  model.claimed = "anna";
  model.handle(message(6));
  assert.deepEqual(marks(), [["lobby", 6]]);
  model.isLooking = false;
  for (const it of [message(7), direct(8, "bob"), direct(9, "carl"), direct(10, "bob")]) model.handle(it);
  assert.deepEqual(marks(), []);
  model.setLooking(true);
  assert.deepEqual(marks(), [["lobby", 7]]);
  // One mark is for all direct messages: what carl has written is not read yet.
  model.openDirect("bob");
  assert.deepEqual(marks(), [[undefined, 8]]);
  model.openDirect("carl");
  assert.deepEqual(marks(), [[undefined, 10]]);
  model.handle(direct(11, "anna", { to: "carl", own: true }));
  assert.deepEqual(marks(), [[undefined, 11]]);
});

test("who comes into a room does not take back how far another device has read", () => {
  const requests: ChatRequest[] = [];
  const model = new Model((request) => requests.push(request));
  const marks = () => requests.splice(0).filter((it) => it.type === "mark_read").map(({ room, seq }) => [room, seq]);
  model.claimed = "anna";
  model.handle(welcome());
  assert.deepEqual(marks(), [], "neither messages nor mark have come");
  model.handle({ type: "read_mark", room: "lobby", seq: 30 });
  model.handle(message(31));
  assert.deepEqual(marks(), [["lobby", 31]]);
});

test("device without the old conversations does not take back how far direct messages were read", () => {
  const { model, requests } = joined();
  const marks = () => requests.splice(0).filter((it) => it.type === "mark_read").map(({ room, seq }) => [room, seq]);
  model.claimed = "anna";
  model.handle({ type: "read_mark", room: null, seq: 500 });
  model.openDirect("dora");
  assert.deepEqual(marks(), []);
  model.handle(direct(501, "dora"));
  assert.deepEqual(marks(), [[undefined, 501]]);
  model.openDirect("carl");
  model.openDirect("dora");
  assert.deepEqual(marks(), [], "nothing is new");
});
