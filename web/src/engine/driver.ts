/** The engine's driver: WebSocket, clock and timer. It decides nothing. */

import type { Engine, Start } from "./engine";
import type { ChatEvent, ChatRequest } from "./events";
import type { Output } from "./outputs";

/** Name of the WebSocket's subprotocol. */
const SUBPROTOCOL = "pi-chat";

/** Close code for leaving: the name is free at once. */
const LEAVE = 1000;

/** Close code for giving up a connection: the name waits for the next one. */
const GIVE_UP = 4000;

/** What the driver reports. */
export interface Listener {
  /** Shows an event. */
  onEvent(event: ChatEvent): void;
  /** Tells that the engine has stopped in the middle of its work: the driver has stopped for good. */
  onCrash(error: unknown): void;
  /** Saves the session for the next page. */
  onSession(session: string): void;
  /** Saves the messages that are not acknowledged, before any of them is sent; empty: none. */
  onUnsent(messages: string): void;
  /**
   * Returns a proof of the user's key for a server with this challenge and key; empty if the user has none. If it fails,
   * the connection is given up.
   */
  onChallenge(challenge: Uint8Array): Promise<Uint8Array>;
}

/** A clock that goes on while the device sleeps, and never back. In milliseconds. */
class Clock {
  readonly #start = Date.now();
  #latest = 0;

  /** Returns the time since the clock was made. */
  now(): number {
    this.#latest = Math.max(this.#latest, Date.now() - this.#start);
    return this.#latest;
  }
}

/** Runs an engine on WebSockets to one address. */
export class Driver {
  readonly #engine: Engine;
  readonly #url: string;
  readonly #listener: Listener;
  readonly #clock = new Clock();
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Prepares the driver; `start` begins. */
  constructor(engine: Engine, url: string, listener: Listener) {
    this.#engine = engine;
    this.#url = url;
    this.#listener = listener;
  }

  /** Begins a session. */
  start(start: Start): void {
    this.#carryOut(() => this.#engine.start(start));
  }

  /** Passes a request to the engine. */
  request(request: ChatRequest): void {
    this.#input("request", JSON.stringify(request));
  }

  /** Asks the server to take a link code with this hash. The answer is the event `done` or `error` with the id `link`. */
  link(hash: Uint8Array): void {
    this.#input("link", hash);
  }

  /** Answers `name_wanted` or `invite_wanted`. `invite`: the code of an invitation; empty if there is none. */
  answerName(name: string, invite: string): void {
    this.#input("name", name);
    this.#input("invite", invite);
  }

  /** Answers `password_wanted`. */
  answerPassword(password: string): void {
    this.#input("password", password);
  }

  /** Lets the engine look at the clock, after a time in which timers may not have run. */
  wake(): void {
    this.#input("wake");
  }

  /** Stops for good, without leaving: another page goes on with the session. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#closeSocket(GIVE_UP);
  }

  #input(...[name, content]: [Parameters<Engine["input"]>[0], (string | Uint8Array)?]): void {
    if (this.#stopped) return;
    this.#carryOut(() => this.#engine.input(name, this.#clock.now(), content));
  }

  /** Runs the engine, and carries out what it asks for. An engine that has trapped is not called again. */
  #carryOut(run: () => Output[]): void {
    let outputs;
    try {
      outputs = run();
    } catch (error) {
      this.stop();
      return this.#listener.onCrash(error);
    }
    for (const output of outputs) {
      if (this.#stopped) return;
      switch (output.kind) {
        case "connect":
          this.#connect(output.bytes);
          break;
        case "send":
          if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(output.bytes);
          break;
        case "disconnect":
          this.#closeSocket(LEAVE);
          break;
        case "abandon":
          this.#closeSocket(GIVE_UP);
          break;
        case "event":
          this.#listener.onEvent(output.event);
          break;
        case "persist":
          this.#listener.onSession(output.session);
          break;
        case "challenge":
          void this.#prove(output.bytes);
          break;
        case "unsent":
          this.#listener.onUnsent(output.messages);
          break;
        case "wake":
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => this.wake(), Math.max(0, output.at - this.#clock.now()));
      }
    }
  }

  /** Opens a WebSocket and sends `hello` on it. Its events count only while it is the present one. */
  #connect(hello: Uint8Array<ArrayBuffer>): void {
    this.#closeSocket(GIVE_UP);
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      socket.send(hello);
      this.#input("connected");
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== "string") return this.#input("received", new Uint8Array(data));
      // The protocol has no text messages.
      this.#closeSocket(GIVE_UP);
      this.#input("disconnected", "text message");
    };
    socket.onclose = ({ reason }) => {
      this.#socket = null;
      this.#input(opened ? "disconnected" : "connect_failed", reason);
    };
  }

  /** Answers the server's challenge, unless the connection is another one by then. */
  async #prove(challenge: Uint8Array): Promise<void> {
    const socket = this.#socket;
    const proof = await this.#listener.onChallenge(challenge).catch(() => null);
    if (socket !== this.#socket) return;
    if (proof) return this.#input("proved", proof);
    this.#closeSocket(GIVE_UP);
    this.#input("disconnected", "no proof");
  }

  #closeSocket(code: number): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }
}
