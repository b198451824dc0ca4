/**
 * One page of a browser has the session at a time: two would take it from each other. A page that
 * is opened beside it offers to take over.
 */

import { load, save } from "./storage";

/** Time in which another page has to answer, in milliseconds. */
const ANSWER_TIME = 250;

/** Messages between the pages. */
type TabMessage = { type: "who" | "here" | "mine"; from: string };

/** This page among those of the browser. */
export class Tabs {
  readonly #id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  /** Null where browsers have none, as in some windows of a login: the storage alone tells then. */
  readonly #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("pi-chat") : null;
  readonly #onLost: () => void;
  #isOwner = false;
  #onAnswer: () => void = () => undefined;

  /** `onLost` is called when another page takes the session over. */
  constructor(onLost: () => void) {
    this.#onLost = onLost;
    this.#channel?.addEventListener("message", ({ data }: MessageEvent<TabMessage>) => this.#onMessage(data));
    // A frozen page may miss the message, but sees who the owner is when it comes back.
    document.addEventListener("visibilitychange", () => this.#check());
    addEventListener("storage", () => this.#check());
  }

  /** Returns true if another page has the session and answers. */
  async isElsewhere(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#onAnswer = () => resolve(true);
      this.#post("who");
      setTimeout(() => resolve(false), ANSWER_TIME);
    });
  }

  /** Takes the session over from any other page. */
  take(): void {
    this.#isOwner = true;
    save("owner", this.#id);
    this.#post("mine");
  }

  #post(type: TabMessage["type"]): void {
    this.#channel?.postMessage({ type, from: this.#id } satisfies TabMessage);
  }

  #onMessage(message: TabMessage): void {
    if (message.type === "who" && this.#isOwner) this.#post("here");
    if (message.type === "here") this.#onAnswer();
    if (message.type === "mine") this.#lose();
  }

  #check(): void {
    const owner = load("owner");
    // Null: the browser stores nothing, or forgets it. That is no other page.
    if (owner !== null && owner !== this.#id) this.#lose();
  }

  #lose(): void {
    if (!this.#isOwner) return;
    this.#isOwner = false;
    this.#onLost();
  }
}
