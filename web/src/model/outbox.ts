/** Own messages that the server has not acknowledged: they are on their way, or were refused. */

import type { ChatRequest, ErrorEvent } from "../engine/events";
import type { Conversations } from "./conversations";
import type { Conversation } from "./conversation";
import type { PendingMessage } from "./message";

/** What is read of the engine's saved messages. */
interface SavedMessages {
  messages: { request: { type: string; room?: string; to?: string; text: string; style: "said" | "action"; id?: unknown } }[];
}

/** Returns what was saved of messages that were not acknowledged, with the places they are for. */
export function parseUnsent(text: string | null): { kind: "room" | "direct"; name: string; message: PendingMessage }[] {
  try {
    const { messages } = JSON.parse(text ?? "") as SavedMessages;
    return messages.map(({ request }) => ({
      kind: request.type === "say" ? "room" : "direct",
      name: request.room ?? request.to ?? "",
      message: { id: String(request.id), text: request.text, style: request.style, error: null },
    }));
  } catch {
    return [];
  }
}

/** The messages of all conversations that are on their way. */
export class Outbox {
  readonly #conversations: Conversations;
  readonly #request: (request: ChatRequest) => string;

  /** `request` sends a request and returns its id. */
  constructor(conversations: Conversations, request: (request: ChatRequest) => string) {
    this.#conversations = conversations;
    this.#request = request;
  }

  /** Sends a message to a room or a person. It is there at once. */
  send(to: Conversation, text: string, style: "said" | "action"): void {
    const session = to.session === null ? {} : { session: to.session };
    const request =
      to.kind === "room" ? { type: "say", room: to.name, text, style } : { type: "direct", to: to.name, text, style, ...session };
    to.pending.push({ id: this.#request(request), text, style, error: null });
  }

  /** Takes a message away: it was acknowledged, or the user takes it back. */
  drop(id: string | undefined): void {
    for (const it of this.#conversations.values()) {
      it.pending = it.pending.filter((pending) => pending.id !== id);
    }
  }

  /** Marks a message as refused. Returns false if the error is not about a message that is here. */
  refuse(event: ErrorEvent): boolean {
    for (const it of this.#conversations.values()) {
      const pending = it.pending.find(({ id }) => id === event.id);
      if (!pending) continue;
      pending.error = { name: event.name, text: event.text };
      return true;
    }
    return false;
  }
}
