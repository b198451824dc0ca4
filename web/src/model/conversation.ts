/** A conversation: a room, or one person. It holds a stretch of messages that ends with the newest. */

import type { Role, Style } from "../engine/events";

/** A message that is shown. */
export interface Message {
  /** Sequence in the server's log: messages are in this order, and none is there twice. */
  seq: number;
  /** Time in milliseconds since 1970; null if it is unknown. */
  time: number | null;
  from: string;
  style: Style;
  text: string;
  own: boolean;
  /** True if messages before this one are lost for good. */
  gap?: boolean;
}

/** A message of this user that the server has not acknowledged. */
export interface PendingMessage {
  id: string;
  text: string;
  style: "said" | "action";
  /** Why it was refused; null while it is on its way. */
  error: { name: string | null; text: string } | null;
}

/** Messages that are held at most, while nobody reads the older ones. */
const KEPT = 500;

/** Messages after which no older ones are loaded: the search finds them. */
const MOST_LOADED = 5_000;

/** Messages that are held at most while somebody reads older ones. */
const MOST = 10_000;

/** A room that this user is in, or a person that this user writes with. */
export class Conversation {
  /** Name of the room or the person. */
  readonly name: string;
  readonly kind: "room" | "direct";
  /** Messages, in the order of their sequences. */
  readonly messages: Message[] = [];
  /** Own messages that are on their way, or were refused. They follow the others. */
  pending: PendingMessage[] = [];
  /** What is known of older messages. */
  older: "unknown" | "loading" | "none" = "unknown";
  /** Sequence up to which this user has read. */
  read = 0;
  /** Sequence after which messages are new since this user looked; null: no line is shown. */
  newAfter: number | null = null;
  unread = 0;
  mentions = 0;
  /** What is typed and not sent. */
  draft = "";
  /** Members of the room, with this user. */
  members = 0;
  /** Names of the members; null if there are too many. */
  names: string[] | null = null;
  topic: string | null = null;
  slowSeconds = 0;
  moderated = false;
  /** This user's role in the room. */
  role: Role | null = null;

  constructor(kind: "room" | "direct", name: string) {
    this.kind = kind;
    this.name = name;
  }

  /** Sequence of the oldest message; null if there is none. */
  get oldest(): number | null {
    return this.messages[0]?.seq ?? null;
  }

  /** Sequence of the newest message; 0 if there is none. */
  get newest(): number {
    return this.messages.at(-1)?.seq ?? 0;
  }

  /** True if so many messages are here that no older ones are loaded. */
  get isFull(): boolean {
    return this.messages.length >= MOST_LOADED;
  }

  /** Puts a message where it belongs. Returns false if it is there already. */
  insert(message: Message): boolean {
    const { messages } = this;
    let low = 0;
    let high = messages.length;
    // Nearly all messages are newer than the others.
    if (message.seq > this.newest) low = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (messages[middle]!.seq < message.seq) low = middle + 1;
      else high = middle;
    }
    if (messages[low]?.seq === message.seq) return false;
    messages.splice(low, 0, message);
    return true;
  }

  /** Takes away the text of a message, if it is here. */
  remove(seq: number): void {
    const message = this.messages.find((it) => it.seq === seq);
    if (message) Object.assign(message, { style: "removed", text: "" });
  }

  /**
   * Forgets old messages beyond a limit, so that a page that is open for weeks does not grow.
   * They can be loaded again. `isReading`: somebody reads older messages, which must stay.
   */
  trim(isReading: boolean): void {
    const excess = this.messages.length - (isReading ? MOST : KEPT);
    if (excess <= 0) return;
    this.messages.splice(0, excess);
    if (this.older === "none" && this.kind === "room") this.older = "unknown";
  }

  /** Marks everything as read. */
  markRead(): void {
    this.read = Math.max(this.read, this.newest);
    this.unread = 0;
    this.mentions = 0;
  }
}
