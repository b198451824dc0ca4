/**
 * Loads stretches of a room's history: older messages, newer ones again, those around a certain
 * one. The server gives only what is before a sequence, so newer messages are found by asking a
 * step ahead. An answer that comes after the user has gone elsewhere is not taken: it would leave a
 * hole.
 */

import type { ChatRequest, ErrorEvent } from "../engine/events";
import type { Conversation } from "./conversation";
import type { Message } from "./message";

/** Messages that are asked for at a time. */
export const PAGE = 50;

/** Messages that the server gives at most: fewer than these are without a hole. */
const LARGEST_PAGE = 100;

/** What is being loaded. */
type Load = {
  conversation: Conversation;
  /** Sequence before which messages were asked for; 0: the newest. */
  before: number;
  limit: number;
  kind: "older" | "newer" | "around";
  /** What has come so far. */
  messages: Map<number, Message>;
};

/** The loads that are on their way. */
export class History {
  readonly #request: (request: ChatRequest) => string;
  /** Loads by the ids of their requests. They are answered in this order. */
  readonly #loads = new Map<string, Load>();

  /** `request` sends a request and returns its id. */
  constructor(request: (request: ChatRequest) => string) {
    this.#request = request;
  }

  /** Asks for older messages of a room, unless that is done or there are none. */
  loadOlder(conversation: Conversation, limit = PAGE): void {
    if (conversation.older !== "unknown" || conversation.kind !== "room") return;
    conversation.older = "loading";
    this.#ask(conversation, "older", conversation.oldest ?? 0, limit);
  }

  /** Asks for the messages after those that are here, unless that is done or there are none. */
  loadNewer(conversation: Conversation): void {
    if (conversation.newer !== "unknown") return;
    conversation.newer = "loading";
    this.#ask(conversation, "newer", conversation.newest + 1 + conversation.step, LARGEST_PAGE);
  }

  /** Asks for the messages around the marked one in place of those that are here. */
  loadAround(conversation: Conversation, target: number): void {
    this.#ask(conversation, "around", target + 1, PAGE);
  }

  #ask(conversation: Conversation, kind: Load["kind"], before: number, limit: number): void {
    const id = this.#request({ type: "history", room: conversation.name, before, limit });
    this.#loads.set(id, { conversation, before, limit, kind, messages: new Map() });
  }

  /** Takes a message that was asked for. It comes again if the connection was lost meanwhile. */
  take(message: Message): void {
    const [load] = this.#loads.values();
    load?.messages.set(message.seq, message);
  }

  /** Handles the end of an answer. `more`: there are older messages. */
  finish(id: string | undefined, more: boolean): void {
    const load = this.#remove(id);
    if (!load) return;
    const messages = [...load.messages.values()].sort((a, b) => a.seq - b.seq);
    if (load.kind === "older") this.#onOlder(load, messages, more);
    else if (load.kind === "newer") this.#onNewer(load, messages);
    else this.#onAround(load, messages, more);
  }

  /** Handles an error, which may be about something else. */
  fail(event: ErrorEvent): void {
    const load = this.#remove(event.id);
    if (!load) return;
    // Not asked for again at once: that might fail again, for ever.
    if (load.kind === "older") load.conversation.older = "failed";
    if (load.kind === "newer" && load.conversation.newer === "loading") load.conversation.newer = "failed";
  }

  #remove(id: string | undefined): Load | undefined {
    const load = this.#loads.get(id ?? "");
    this.#loads.delete(id ?? "");
    return load;
  }

  #onOlder({ conversation, before }: Load, messages: Message[], more: boolean): void {
    // Others were dropped meanwhile, or there is another stretch: these would leave a hole.
    const fits = before === 0 ? conversation.newer === "none" : before === conversation.oldest;
    conversation.older = more || !fits ? "unknown" : "none";
    if (fits) conversation.extendUp(messages);
  }

  #onNewer({ conversation, before, limit }: Load, messages: Message[]): void {
    if (conversation.newer !== "loading") return;
    conversation.newer = "unknown";
    const { newest } = conversation;
    const fresh = messages.filter((it) => it.seq > newest);
    if (fresh.length === limit) {
      // There may be others before them.
      conversation.step = Math.ceil(conversation.step / 4);
    } else {
      if (fresh.length < PAGE / 2) conversation.step *= 2;
      if (before > conversation.latest) conversation.newer = "none";
      conversation.extendDown(fresh);
      if (fresh.length > 0) return;
    }
    this.loadNewer(conversation);
  }

  #onAround({ conversation, before }: Load, messages: Message[], more: boolean): void {
    if (conversation.marked !== before - 1) return;
    conversation.replace(messages, more, false);
    // If it is there no more, the one before it.
    conversation.target = messages.at(-1)?.seq ?? null;
    this.loadNewer(conversation);
  }
}
