import assert from "node:assert/strict";
import { test } from "node:test";
import { Driver } from "../../src/engine/driver";
import type { Engine } from "../../src/engine/engine";
import type { Output } from "../../src/engine/outputs";

/** A WebSocket that goes nowhere, and remembers with which code it was closed. */
class Socket {
  static latest: Socket;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  code: number | undefined;

  constructor() {
    Socket.latest = this;
  }

  close(code: number): void {
    this.code = code;
  }
}

/** Starts a driver whose engine connects, notes its further inputs, and traps when it is to. */
function started() {
  const inputs: string[] = [];
  const told = { isToTrap: false, crashes: 0, proofs: [] as ((proof: Uint8Array | null) => void)[] };
  const engine = {
    start: (): Output[] => [{ kind: "connect", bytes: new Uint8Array() }],
    input: (name: string): Output[] => {
      if (told.isToTrap) throw new WebAssembly.RuntimeError("unreachable");
      inputs.push(name);
      return name === "received" ? [{ kind: "challenge", bytes: new Uint8Array() }] : [];
    },
  };
  Object.assign(globalThis, { WebSocket: Socket });
  const ignore = () => undefined;
  const onChallenge = () =>
    new Promise<Uint8Array>((resolve, reject) => told.proofs.push((it) => (it ? resolve(it) : reject(new Error("no signer")))));
  const listener = { onChallenge, onEvent: ignore, onSession: ignore, onUnsent: ignore, onCrash: () => void (told.crashes += 1) };
  const driver = new Driver(engine as unknown as Engine, "ws://a.example/chat", listener);
  driver.start({ name: "anna", rooms: [], seed: 7, session: null, unsent: null, invite: null });
  return { driver, inputs, told };
}

test("text message ends the connection, and its length is no length of a buffer", () => {
  const { inputs } = started();
  const socket = Socket.latest;
  socket.onmessage!({ data: "3000000000" });
  assert.deepEqual(inputs, ["disconnected"]);
  assert.deepEqual([socket.code, socket.onmessage], [4000, null]);
});

test("engine that traps is told once, and never called again", () => {
  const { driver, inputs, told } = started();
  told.isToTrap = true;
  Socket.latest.onmessage?.({ data: new ArrayBuffer(4) });
  told.isToTrap = false;
  driver.wake();
  driver.request({ type: "quit" });
  assert.deepEqual([told.crashes, inputs, Socket.latest.code], [1, [], 4000]);
});

test("proof goes to the connection that has asked for it, and one that cannot be made gives the connection up", async () => {
  const { driver, inputs, told } = started();
  const receive = () => Socket.latest.onmessage!({ data: new ArrayBuffer(4) });
  receive();
  told.proofs[0]!(new Uint8Array(96));
  await new Promise(setImmediate);
  assert.deepEqual(inputs.splice(0), ["received", "proved"]);
  receive();
  told.proofs[1]!(null);
  await new Promise(setImmediate);
  assert.deepEqual([inputs.splice(0), Socket.latest.code], [["received", "disconnected"], 4000]);
  // This one comes too late.
  const late = started();
  Socket.latest.onmessage!({ data: new ArrayBuffer(4) });
  Socket.latest.onmessage!({ data: "text" });
  late.told.proofs[0]!(new Uint8Array(96));
  await new Promise(setImmediate);
  assert.deepEqual(late.inputs, ["received", "disconnected"]);
  driver.stop();
});
