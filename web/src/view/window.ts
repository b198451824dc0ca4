/**
 * The stretch of a long list that is in the page. It follows the newest messages, or moves along
 * with the reader: so the page has as many rows for 40,000 messages as for 200.
 */

import type { Message } from "../model/message";

/** Messages in the page at a time. */
const SIZE = 150;

/** Messages by which the window moves. */
const STEP = 60;

/** Stretch of a list: from, up to and without. */
export interface Stretch {
  from: number;
  to: number;
}

/** A window on a list of messages. */
export class ListWindow {
  /** Sequence of the last message in the window; null: it follows the newest. */
  #last: number | null = null;

  /** Returns true if the window ends with the newest message. */
  get followsNewest(): boolean {
    return this.#last === null;
  }

  /** Returns the stretch that the window shows. */
  stretch(messages: readonly Message[]): Stretch {
    const to = this.#last === null ? messages.length : indexAfter(messages, this.#last);
    return { from: Math.max(0, to - SIZE), to };
  }

  /** Moves towards older messages. Returns false if it begins with the oldest already. */
  moveUp(messages: readonly Message[]): boolean {
    const { from, to } = this.stretch(messages);
    if (from === 0) return false;
    const last = messages[Math.max(SIZE, to - STEP) - 1];
    if (last) this.#last = last.seq;
    return true;
  }

  /** Moves towards newer messages. Returns false if it ends with the newest already. */
  moveDown(messages: readonly Message[]): boolean {
    if (this.#last === null) return false;
    const { to } = this.stretch(messages);
    const last = messages[to + STEP - 1];
    this.#last = last && to + STEP < messages.length ? last.seq : null;
    return true;
  }

  /** Keeps what it shows, whatever comes. */
  hold(messages: readonly Message[]): void {
    this.#last ??= messages.at(-1)?.seq ?? null;
  }

  /** Shows what is around a message. */
  center(messages: readonly Message[], seq: number): void {
    this.#last = messages[indexAfter(messages, seq) + SIZE / 2]?.seq ?? null;
  }

  /** Follows the newest messages. */
  follow(): void {
    this.#last = null;
  }
}

/** Returns the index after the last message with a sequence of at most `seq`. */
function indexAfter(messages: readonly Message[], seq: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle]!.seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
