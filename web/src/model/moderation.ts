/** What a moderator sees and does beside the messages: bans and mutes, and messages to remove. */

import type { ChatRequest, Sanction } from "../engine/events";
import { foldName } from "../text/fold";
import type { Conversation } from "./conversation";

/** Moderation of a room or of the whole server. */
export class Moderation {
  /** Bans and mutes of the place that is looked at; null before the answer. */
  sanctions: Sanction[] | null = null;
  readonly #request: (request: ChatRequest) => string;
  /** Room that is looked at; null: the whole server; undefined: none. */
  #place: string | null | undefined;
  /** Names in the bans that only count who would be sent out, by the ids of their requests. */
  readonly #counts = new Map<string, string>();
  /** Sequences of messages whose removal was asked for. */
  readonly #removed = new Set<number>();

  /** `request` sends a request and returns its id. */
  constructor(request: (request: ChatRequest) => string) {
    this.#request = request;
  }

  /** Begins to look at the bans and mutes of a room; null: of the whole server. */
  look(place: string | null): void {
    this.sanctions = null;
    this.#place = place;
    this.#ask();
  }

  /** Looks at none any more. */
  lookAway(): void {
    this.#place = undefined;
  }

  #ask(): void {
    if (this.#place === undefined) return;
    this.#request({ type: "sanctions", ...(this.#place === null ? { server: true } : { room: this.#place }) });
  }

  /** Sends a moderator's request. */
  send(request: ChatRequest): void {
    const id = this.#request(request);
    if (request.dry_run) this.#counts.set(id, String(request.name));
  }

  /** Lifts a ban or mute. */
  lift({ kind, name }: Sanction): void {
    const place = this.#place === null ? { server: true } : { room: this.#place };
    this.#request({ type: `un${kind}`, name, ...place });
  }

  /** Handles that a request was carried out. Returns the name of a ban that only counted. */
  onDone(id: string | undefined): string | null {
    const name = this.#counts.get(id ?? "") ?? null;
    this.#counts.delete(id ?? "");
    this.#ask();
    return name;
  }

  /**
   * Removes the latest message of somebody that holds a text, or of this user if there is no name. The next time it is
   * the one before. Returns false if there is none.
   */
  removeLatest(room: Conversation, name: string, text: string): boolean {
    const [author, part] = [foldName(name), text.toLowerCase()];
    const found = room.messages.findLast(
      (it) =>
        it.style !== "removed" &&
        !this.#removed.has(it.seq) &&
        (name === "" ? it.own : foldName(it.from) === author) &&
        it.text.toLowerCase().includes(part),
    );
    if (found) this.remove(room, found.seq);
    return found !== undefined;
  }

  /** Removes a message. */
  remove(room: Conversation, seq: number): void {
    this.#removed.add(seq);
    this.#request({ type: "remove", room: room.name, seq });
  }
}
