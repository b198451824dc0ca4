import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Engine } from "../../src/engine/engine";
import type { Output } from "../../src/engine/outputs";

/** Frame of `docs/protocol/vectors/tcp-frames.json`. */
interface Vector {
  name: string;
  wire: string;
}

const vectors = JSON.parse(readFileSync("../docs/protocol/vectors/tcp-frames.json", "utf8")) as Vector[];

const module = new WebAssembly.Module(
  readFileSync(join(process.env.PAGE_TARGET ?? "", "wasm32-unknown-unknown/page/pi_chat_web_engine.wasm")),
);

/** Bytes of a frame of the vectors. */
function frame(name: string): Uint8Array {
  const found = vectors.find((it) => it.name === name);
  assert.ok(found, name);
  return Uint8Array.from(Buffer.from(found.wire, "hex"));
}

/** Starts an engine and opens its connection. */
function connected(
  session: string | null = null,
  unsent: string | null = null,
  invite: string | null = null,
): { engine: Engine; outputs: Output[] } {
  const engine = new Engine(module);
  const outputs = engine.start({ name: "anna", rooms: [], seed: 7, session, unsent, invite });
  outputs.push(...engine.input("connected", 10));
  return { engine, outputs };
}

/** Events among outputs. */
function events(outputs: Output[]) {
  return outputs.flatMap((it) => (it.kind === "event" ? [it.event] : []));
}

test("engine greets, joins, and reports in the objects of docs/json.md", () => {
  const { engine, outputs } = connected();
  assert.deepEqual(outputs.map((it) => it.kind), ["event", "connect", "event", "wake"]);
  const hello = outputs.find((it) => it.kind === "connect")!.bytes;
  assert.equal(Buffer.from(hello).toString("latin1", 3, 7), "PiCh");

  // The bytes may come in any pieces.
  const greeting = frame("server_hello: ordinary");
  assert.deepEqual(engine.input("received", 20, greeting.slice(0, 3)).filter((it) => it.kind === "send"), []);
  const joining = engine.input("received", 20, greeting.slice(3));
  assert.deepEqual(joining.map((it) => it.kind).filter((it) => it === "send"), ["send"]);

  const welcome = events(engine.input("received", 30, frame("welcome: ordinary"))).find((it) => it.type === "welcome");
  assert.ok(welcome?.name && Array.isArray(welcome.rooms));
});

test("engine saves a session, and goes on with it", () => {
  const { engine } = connected();
  engine.input("received", 20, frame("server_hello: ordinary"));
  const outputs = [...engine.input("received", 30, frame("welcome: ordinary")), ...engine.input("wake", 9_000)];
  const saved = outputs.find((it) => it.kind === "persist");
  assert.ok(saved, "it asks to save the session");
  const plain = connected().engine.input("received", 20, frame("server_hello: ordinary"));
  const resumed = connected(saved.session).engine.input("received", 20, frame("server_hello: ordinary"));
  const size = (outputs: Output[]) => outputs.find((it) => it.kind === "send")!.bytes.length;
  assert.ok(size(resumed) >= size(plain) + 16, "the join has the token");
  assert.equal(size(connected("{broken").engine.input("received", 20, frame("server_hello: ordinary"))), size(plain));
});

test("message is saved before it is sent, and sent by the next page with the same reference", () => {
  const join = (engine: Engine) => [
    ...engine.input("received", 20, frame("server_hello: ordinary")),
    ...engine.input("received", 30, frame("welcome: ordinary")),
    ...engine.input("received", 40, frame("end: ordinary")),
  ];
  const first = connected().engine;
  join(first);
  const said = first.input("request", 50, '{"type":"say","room":"lobby","text":"hi","style":"action","id":"7"}');
  assert.deepEqual(said.map((it) => it.kind).filter((it) => it !== "wake"), ["unsent", "send"]);
  const direct = first.input("request", 60, '{"type":"direct","to":"bob","session":9,"text":"psst","id":"8"}');
  const both = (direct[0] as Output & { kind: "unsent" }).messages;
  const { log, messages } = JSON.parse(both);
  const second = JSON.stringify({ log, messages: messages.slice(1) });

  const sends = (outputs: Output[]) => outputs.flatMap((it) => (it.kind === "send" ? [Buffer.from(it.bytes).toString("hex")] : []));
  const sent = [...sends(said), ...sends(direct)];
  assert.deepEqual(sends(join(connected(null, both).engine)).slice(1), sent);
  assert.deepEqual(sends(join(connected(null, second).engine)).slice(1), sent.slice(1), "it is not counted anew");
  assert.deepEqual(sends(join(connected(null, "{broken").engine)).slice(1), []);
});

test("invitation is sent until it is answered, and another one is asked for", () => {
  // What `join` says as text: the name and the code.
  const joinOf = (outputs: Output[]) => outputs.flatMap((it) => (it.kind === "send" ? [Buffer.from(it.bytes).toString("latin1")] : []))[0]!;
  // An error about `join`, without a text.
  const refusal = (code: number) => new Uint8Array([0, 7, 75, (code & 127) | 128, code >> 7, 2, 0, 0, 0]);
  const { engine } = connected(null, null, "o123456789abcdef");
  assert.match(joinOf(engine.input("received", 20, frame("server_hello: ordinary"))), /anna.*0123456789ABCDEF$/s);
  const wanted = (code: number) => events(engine.input("received", 30, refusal(code))).find((it) => it.type === "invite_wanted");
  assert.equal(wanted(210)?.reason, "invite_invalid");

  // Name and code are answered together: the connection is opened only once.
  assert.deepEqual(engine.input("name", 40, "bob").filter((it) => it.kind === "connect"), []);
  assert.equal(engine.input("invite", 50, "").filter((it) => it.kind === "connect").length, 1);
  engine.input("connected", 60);
  const plain = joinOf(engine.input("received", 70, frame("server_hello: ordinary")));
  assert.ok(plain.includes("bob") && !plain.includes("0123"), plain);
  assert.equal(wanted(209)?.reason, "invite_required");
  engine.input("invite", 80, "zzzzzzzzzzzzzzzz");
  engine.input("connected", 90);
  assert.match(joinOf(engine.input("received", 100, frame("server_hello: ordinary"))), /bob.*ZZZZZZZZZZZZZZZZ$/s);

  // A refused name leaves the invitation as it is, unless the answer has another one.
  engine.input("received", 110, frame("error: ordinary"));
  assert.equal(engine.input("name", 120, "carl").filter((it) => it.kind === "connect").length, 1);
  engine.input("invite", 130, "yyyyyyyyyyyyyyyy");
  engine.input("connected", 140);
  assert.match(joinOf(engine.input("received", 150, frame("server_hello: ordinary"))), /carl.*YYYYYYYYYYYYYYYY$/s);
});

test("invalid request is an error with its id", () => {
  const { engine } = connected();
  const [event] = events(engine.input("request", 20, '{"type":"say","id":"4"}'));
  assert.ok(event?.type === "error" && event.id === "4" && event.code === 0);
});

test("bytes that are not pi-chat end the session", () => {
  const { engine } = connected();
  const [end] = events(engine.input("received", 20, new Uint8Array([0, 0, 1, 2]))).filter((it) => it.type === "end");
  assert.ok(end?.type === "end" && end.reason === "protocol");
});

test("engine connects again after a lost connection, later each time", () => {
  const { engine } = connected();
  const lost = events(engine.input("disconnected", 20, "gone"));
  assert.deepEqual(lost.map((it) => it.type === "state" && it.state), ["disconnected", "reconnecting"]);
  const again = engine.input("wake", 60_000);
  assert.ok(again.some((it) => it.kind === "connect"));
});

test("server that takes proofs is answered with one, or with none, before the join", () => {
  const greeting = frame("server_hello: identity");
  for (const proof of [new Uint8Array(96).fill(7), new Uint8Array()]) {
    const { engine, outputs } = connected();
    const hello = outputs.find((it) => it.kind === "connect")!.bytes;
    assert.equal(hello[9]! & 8, 8, "identity is asked for");
    const asked = engine.input("received", 20, greeting);
    assert.deepEqual(asked.map((it) => it.kind).filter((it) => it !== "wake"), ["challenge"]);
    const { bytes } = asked.find((it) => it.kind === "challenge")!;
    assert.equal(Buffer.from(greeting).indexOf(Buffer.from(bytes)), greeting.length - 64);
    assert.deepEqual(engine.input("wake", 30).filter((it) => it.kind !== "wake"), [], "it is asked for once");
    const join = engine.input("proved", 40, proof).find((it) => it.kind === "send")!.bytes;
    // The number of the binding is between key and signature.
    assert.equal(Buffer.from(join).includes(Buffer.from([7, 2, 7])), proof.length > 0);
    assert.deepEqual(engine.input("proved", 50, proof), []);
  }
});

test("claim is sent, and its answer has the id", () => {
  const { engine } = connected();
  engine.input("received", 20, frame("server_hello: identity"));
  engine.input("proved", 25);
  engine.input("received", 30, frame("welcome: ordinary"));
  engine.input("received", 40, frame("end: ordinary"));
  for (const [type, action, reference] of [["claim", 1, 1], ["unclaim", 2, 2]] as const) {
    const sent = engine.input("request", 50, JSON.stringify({ type, id: type })).find((it) => it.kind === "send")!;
    assert.deepEqual([...sent.bytes], [0, 3, 20, reference, action]);
    const [done] = events(engine.input("received", 60, new Uint8Array([0, 4, 76, 20, reference, 1])));
    assert.ok(done?.type === "done" && done.id === type);
  }
});
