/** The client's engine: a WebAssembly module, `web/engine`. It decides all that the protocol asks. */

import { foldName } from "../text/fold";
import { decodeOutputs, type Output } from "./outputs";

/** Functions of the module that take an input and the time. */
type InputName =
  | "connected"
  | "connect_failed"
  | "disconnected"
  | "received"
  | "proved"
  | "request"
  | "link"
  | "name"
  | "invite"
  | "password"
  | "wake";

/** What the module exports. */
type Exports = Record<InputName, (now: number) => number> & {
  memory: WebAssembly.Memory;
  allocate: (length: number) => number;
  outputs: () => number;
  start: () => number;
};

/** What the engine is told at its start. */
export interface Start {
  /** Name to ask for. */
  name: string;
  /** Rooms to join; if empty, the lobby. */
  rooms: string[];
  /** Random number below 2^53. */
  seed: number;
  /** Session that an earlier page saved. */
  session: string | null;
  /** Messages that an earlier page saved as not acknowledged. */
  unsent: string | null;
  /** Code of an invitation. */
  invite: string | null;
}

/** The engine of one session. */
export class Engine {
  /** Exports of the module. */
  readonly #exports: Exports;

  /** Makes an instance of the module. */
  constructor(module: WebAssembly.Module) {
    const fold = (address: number, length: number) => {
      const text = new TextDecoder().decode(new Uint8Array(this.#exports.memory.buffer, address, length));
      this.#write(foldName(text));
    };
    const instance = new WebAssembly.Instance(module, { page: { fold } });
    this.#exports = instance.exports as unknown as Exports;
  }

  /** Starts a session, and returns the first outputs. */
  start(start: Start): Output[] {
    this.#write(JSON.stringify(start));
    return this.#outputs(this.#exports.start());
  }

  /**
   * Passes an input that came at `now`, in milliseconds since the page was loaded. Returns what is
   * to be done.
   */
  input(name: InputName, now: number, content: string | Uint8Array = ""): Output[] {
    this.#write(content);
    return this.#outputs(this.#exports[name](now));
  }

  /** Writes the input of the next call into the module's memory. */
  #write(content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const address = this.#exports.allocate(bytes.length);
    new Uint8Array(this.#exports.memory.buffer, address, bytes.length).set(bytes);
  }

  /** Reads the outputs of the last call, which have this length. */
  #outputs(length: number): Output[] {
    const address = this.#exports.outputs();
    return decodeOutputs(new Uint8Array(this.#exports.memory.buffer, address, length));
  }
}
