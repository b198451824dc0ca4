import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatRequest, RoomMessage } from "../../src/engine/events";
import type { Conversation } from "../../src/model/conversation";
import { Model } from "../../src/model/model";

/** A server with the messages of one room, whose sequences have holes: other rooms have them. */
class RoomServer {
  readonly model = new Model((request) => void this.#requests.push(request));
  readonly log: number[] = [];
  /** Number of answers that it has given. */
  answers = 0;
  readonly #requests: ChatRequest[] = [];

  /** `distance(at)`: by how much the sequence of message `at` is above the one before. */
  constructor(count: number, distance: (at: number) => number) {
    for (let at = 0; at < count; at += 1) this.log.push((this.log.at(-1) ?? 0) + distance(at));
    this.model.handle({
      type: "welcome", session: 1, name: "anna", server: "attic", rooms: ["lobby"], max_text: 4_000,
      session_kept: false, position_kept: false, log_changed: false,
    });
    for (const seq of this.log.slice(-10)) this.model.handle(this.message(seq, { history: true }));
    this.model.handle({ type: "history_end", room: null, more: false, requested: false });
    this.answer();
  }

  /** The room. */
  get room(): Conversation {
    return this.model.conversation!;
  }

  /** Sequences that the page has. */
  get here(): number[] {
    return this.room.messages.map((it) => it.seq);
  }

  /** Returns a message. */
  message(seq: number, more: Partial<RoomMessage> = {}): RoomMessage {
    return {
      type: "message", seq, time: null, room: "lobby", from: "bob", session: 2, style: "said", text: `text ${seq}`,
      history: false, requested: false, own: false, ...more,
    };
  }

  /** Has somebody say something. */
  say(): void {
    this.log.push(this.log.at(-1)! + 1);
    this.model.handle(this.message(this.log.at(-1)!));
  }

  /** Refuses the first request for messages. */
  refuse(): void {
    const at = this.#requests.findIndex((it) => it.type === "history");
    const [request] = this.#requests.splice(at, 1);
    this.model.handle({ type: "error", code: 311, name: "unavailable", text: "no", id: request!.id! });
  }

  /** Answers all requests, also those that the answers lead to. */
  answer(): void {
    for (let request = this.#requests.shift(); request; request = this.#requests.shift()) {
      if (request.type === "say") continue;
      assert.equal(request.type, "history");
      this.answers += 1;
      assert.ok(this.answers < 10_000, "it asks without end");
      const before = Number(request.before) || Infinity;
      const all = this.log.filter((it) => it < before);
      const some = all.slice(-Number(request.limit));
      for (const seq of some) this.model.handle(this.message(seq, { history: true, requested: true }));
      this.model.handle({ type: "history_end", room: "lobby", more: all.length > some.length, requested: true, id: request.id! });
    }
  }

  /** What the page has must be a stretch of the log without a hole, and not too long. */
  check(): void {
    const from = this.log.indexOf(this.here[0]!);
    assert.deepEqual(this.here, this.log.slice(from, from + this.here.length));
    assert.ok(this.here.length <= 1_000, `${this.here.length} messages`);
  }

  /** Reads back to the first message. */
  readBack(): void {
    this.model.isReading = true;
    while (this.room.older !== "none") {
      this.model.loadOlder(this.room);
      this.answer();
      this.check();
    }
  }

  /** Reads on to the newest message. */
  readOn(): void {
    while (this.room.newer !== "none") {
      this.model.loadNewer(this.room);
      this.answer();
      this.check();
    }
  }
}

/** Logs in which the room has every sequence, few of them, or both by turns. */
const DISTANCES: [string, (at: number) => number][] = [
  ["alone", () => 1],
  ["few", () => 997],
  ["by turns", (at) => (Math.floor(at / 300) % 2 ? 1 : 400)],
];

for (const [name, distance] of DISTANCES) {
  test(`one reads back to the first of 5,000 messages, and on to the newest: ${name}`, () => {
    const server = new RoomServer(5_000, distance);
    server.readBack();
    assert.equal(server.here[0], server.log[0]);
    server.say();
    assert.equal(server.room.newer, "unknown", "a new one is not put after a hole");
    assert.equal(server.room.unread, 0, "the test does not look away");
    server.answers = 0;
    server.readOn();
    assert.equal(server.here.at(-1), server.log.at(-1));
    server.model.isReading = false;
    assert.ok(server.answers < 400, `${server.answers} requests for 4,000 messages`);
    server.say();
    server.check();
    assert.equal(server.here.at(-1), server.log.at(-1), "now new ones are appended");
  });

  test(`one goes to a message far back, and to the newest again: ${name}`, () => {
    const server = new RoomServer(5_000, distance);
    const seq = server.log[1_234]!;
    server.model.goTo("lobby", seq);
    server.answer();
    server.check();
    assert.equal(server.room.target, seq);
    for (let page = 0; page < 8; page += 1) {
      server.model.loadNewer(server.room);
      server.answer();
      server.check();
    }
    assert.ok([1_200, 1_240].every((at) => server.here.includes(server.log[at]!)), "what is around it");
    server.say();
    server.check();
    server.model.goToNewest();
    server.answer();
    server.check();
    assert.equal(server.here.at(-1), server.log.at(-1));
    assert.equal(server.room.newer, "none");
  });
}

test("message that is here already is gone to without a request", () => {
  const server = new RoomServer(30, () => 1);
  const { answers } = server;
  server.model.goTo("lobby", 12);
  server.answer();
  assert.deepEqual([server.room.target, server.answers], [12, answers]);
});

test("answer that is late is not put beside another stretch", () => {
  const server = new RoomServer(5_000, () => 1);
  server.model.loadOlder(server.room);
  server.model.goTo("lobby", 3_000);
  server.answer();
  server.check();
  server.model.goTo("lobby", 1_000);
  server.model.loadNewer(server.room);
  server.answer();
  server.check();
  server.model.goTo("lobby", 3_000);
  server.model.goTo("lobby", 2_000);
  server.answer();
  server.check();
  assert.equal(server.room.target, 2_000, "the last one counts");
  server.model.isReading = false;
  server.model.goToNewest();
  server.answer();
  server.model.loadOlder(server.room);
  for (let count = 0; count < 600; count += 1) server.say();
  server.answer();
  server.check();
});

test("answer that comes after the user has gone to the newest is not taken, nor is its refusal", () => {
  const asks: ((model: Model) => void)[] = [(model) => model.loadNewer(model.conversation!), (model) => model.goTo("lobby", 3_000)];
  const leaves: ((model: Model) => void)[] = [
    (model) => model.say("hello", "said"),
    (model) => model.goToNewest(),
    (model) => model.openDirect("bob"),
  ];
  for (const ask of asks) {
    for (const leave of leaves) {
      for (const isRefused of [false, true]) {
        const server = new RoomServer(5_000, () => 1);
        server.model.goTo("lobby", 1_000);
        server.answer();
        ask(server.model);
        leave(server.model);
        if (isRefused) server.refuse();
        server.answer();
        server.model.select("lobby");
        server.answer();
        server.say();
        server.check();
        assert.deepEqual([server.here.at(-1), server.here.length], [5_001, 51]);
      }
    }
  }
});

test("another room is shown from its newest messages, and so is this one afterwards", () => {
  const server = new RoomServer(5_000, () => 1);
  server.model.goTo("lobby", 1_000);
  server.answer();
  server.model.openDirect("bob");
  server.say();
  server.model.select("lobby");
  server.answer();
  server.check();
  assert.equal(server.here.at(-1), 5_001);
});

test("history that cannot be read is not asked for again and again", () => {
  const requests: ChatRequest[] = [];
  const model = new Model((request) => requests.push(request));
  model.conversations.open("room", "lobby");
  model.select("lobby");
  model.handle({ type: "error", code: 311, name: "unavailable", text: "no", id: requests[0]!.id! });
  model.loadOlder(model.conversation!);
  assert.equal(requests.length, 1);
  model.select("lobby");
  assert.equal(requests.length, 2, "but when the room is chosen again");
});

test("another log begins anew: rooms are loaded again, direct messages stay before the new ones", () => {
  const server = new RoomServer(30, () => 1);
  const direct = { type: "direct", time: null, style: "said", from_session: 2, to_session: 1, history: false, own: false } as const;
  server.model.handle({ ...direct, seq: 40, from: "bob", to: "anna", text: "old" });
  server.model.handle({
    type: "welcome", session: 1, name: "anna", server: "attic", rooms: ["lobby"], max_text: 4_000,
    session_kept: false, position_kept: false, log_changed: true,
  });
  assert.deepEqual(server.here, []);
  server.model.handle({ ...direct, seq: 3, from: "bob", to: "anna", text: "new" });
  assert.deepEqual(server.model.conversations.get("@bob")!.messages.map((it) => it.text), ["old", "new"]);
});
