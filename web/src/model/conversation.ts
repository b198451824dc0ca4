/**
 * A conversation: a room, or one person. It holds a stretch of its messages, without a hole. The
 * stretch ends with the newest message, unless somebody reads far back.
 */

import type { Role } from "../engine/events";
import { foldName } from "../text/fold";
import type { Message, PendingMessage } from "./message";

/** Messages that are held at most, while nobody reads the older ones. */
const KEPT = 500;

/** Messages that are held at most while somebody reads older ones: the stretch moves along. */
export const MOST = 1_000;

/** Sequences to look ahead at first for newer messages. Other rooms count in the same sequence. */
const FIRST_STEP = 64;

/** What is known of the messages before or after those that are here. */
type Beyond = "unknown" | "loading" | "none" | "failed";

/** Returns the key of a conversation. A room's name cannot begin with `@`. A person's name has many spellings. */
export function conversationKey(kind: "room" | "direct", name: string): string {
  return kind === "room" ? name : `@${foldName(name)}`;
}

/** A room that this user is in, or a person that this user writes with. */
export class Conversation {
  /** Name of the room or the person. */
  readonly name: string;
  readonly kind: "room" | "direct";
  /** What tells it from the others. */
  readonly key: string;
  /** Messages, in the order of their sequences. */
  readonly messages: Message[] = [];
  /** Own messages that are on their way, or were refused. They follow the others. */
  pending: PendingMessage[] = [];
  /** What is known of older messages. Of direct messages the server has none. */
  older: Beyond;
  /** What is known of newer messages. `none`: those that come are appended. */
  newer: Beyond = "none";
  /** Greatest sequence that is known of. */
  latest = 0;
  /** Sequences to look ahead for newer messages. */
  step = FIRST_STEP;
  /** Number of the stretch: another one has another number. */
  stretch = 0;
  /** Sequence of a message that is to be shown; null: none. */
  target: number | null = null;
  /** Sequence of the message that a search has led to; null: none. */
  marked: number | null = null;
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
  /** Session of the person, to which direct messages go: who takes the name later does not get them. */
  session: number | null = null;
  topic: string | null = null;
  slowSeconds = 0;
  moderated = false;
  /** This user's role in the room. */
  role: Role | null = null;

  constructor(kind: "room" | "direct", name: string) {
    this.kind = kind;
    this.name = name;
    this.key = conversationKey(kind, name);
    this.older = kind === "room" ? "unknown" : "none";
  }

  /** Sequence of the oldest message; null if there is none. */
  get oldest(): number | null {
    return this.messages[0]?.seq ?? null;
  }

  /** Sequence of the newest message; 0 if there is none. */
  get newest(): number {
    return this.messages.at(-1)?.seq ?? 0;
  }

  /** Puts a message where it belongs. Returns false if it is there already. */
  insert(message: Message): boolean {
    const { messages } = this;
    this.latest = Math.max(this.latest, message.seq);
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
    const at = this.messages.findIndex((it) => it.seq === seq);
    const message = this.messages[at];
    if (message) this.messages[at] = { ...message, style: "removed", text: "" };
  }

  /**
   * Takes a message that has just come. Returns false if it is there already. `isReading`: somebody
   * reads older messages, which must stay; beyond a limit new ones are then loaded when the reader
   * comes to them.
   */
  receive(message: Message, isReading: boolean): boolean {
    const isRoom = this.kind === "room";
    if (isRoom && this.newer === "none" && isReading && this.messages.length >= MOST) this.newer = "unknown";
    if (this.newer === "none") {
      const isNew = this.insert(message);
      // Direct messages cannot be loaded again.
      this.#dropOldest(isReading || !isRoom ? MOST : KEPT);
      return isNew;
    }
    const isNew = message.seq > this.latest;
    this.latest = Math.max(this.latest, message.seq);
    return isNew;
  }

  /** Puts older messages before the others. Beyond a limit the newest ones go. */
  extendUp(messages: readonly Message[]): void {
    for (const it of messages) this.insert(it);
    if (this.messages.length <= MOST) return;
    this.messages.length = MOST;
    if (this.newer === "none") this.newer = "unknown";
  }

  /** Puts newer messages after the others. Beyond a limit the oldest ones go. */
  extendDown(messages: readonly Message[]): void {
    for (const it of messages) this.insert(it);
    this.#dropOldest(MOST);
  }

  /** Puts another stretch in place of this one. `hasOlder`, `isNewest`: what is before and after it. */
  replace(messages: readonly Message[], hasOlder: boolean, isNewest: boolean): void {
    this.messages.length = 0;
    for (const it of messages) this.insert(it);
    this.older = hasOlder ? "unknown" : "none";
    this.newer = isNewest ? "none" : "unknown";
    this.stretch += 1;
    this.step = FIRST_STEP;
  }

  /** Ends what a search has led to, and begins another stretch at the newest messages: the list goes there. */
  goToNewest(): void {
    this.marked = null;
    if (this.newer === "none") this.stretch += 1;
    else this.replace([], true, true);
  }

  /** Lets what could not be loaded be asked for again. */
  retry(): void {
    if (this.older === "failed") this.older = "unknown";
    if (this.newer === "failed") this.newer = "unknown";
  }

  /**
   * Handles that the server has another log: sequences begin anew. What was said in a room is loaded
   * again; direct messages stay, before those to come.
   */
  beginAnew(): void {
    if (this.kind === "room") this.replace([], true, true);
    for (const [at, it] of this.messages.entries()) it.seq = at - this.messages.length;
    Object.assign(this, { read: 0, latest: 0, newAfter: null, session: null, marked: null, target: null });
  }

  #dropOldest(limit: number): void {
    if (this.messages.length <= limit) return;
    this.messages.splice(0, this.messages.length - limit);
    if (this.older === "none" && this.kind === "room") this.older = "unknown";
  }

  /** Notes the session of the person. Returns true if it was another one before. */
  meet(session: number): boolean {
    const isOther = this.session !== null && this.session !== session;
    this.session = session;
    return isOther;
  }

  /** Sequence of the first message of somebody else that is not read; null if none is known of. */
  get firstUnread(): number | null {
    return this.messages.find((it) => it.seq > this.read && !it.own)?.seq ?? null;
  }

  /** Handles that the user has read up to a sequence on another device. What was read here stays read. */
  readElsewhere(seq: number): void {
    if (seq <= this.read) return;
    this.read = seq;
    const rest = this.messages.filter((it) => it.seq > seq && !it.own).length;
    this.unread = seq < this.latest ? Math.min(this.unread, rest) : 0;
    this.mentions = Math.min(this.mentions, this.unread);
    if (this.newAfter !== null) this.newAfter = this.unread ? seq : null;
  }

  /** Marks everything as read. */
  markRead(): void {
    this.read = Math.max(this.read, this.latest);
    this.unread = 0;
    this.mentions = 0;
  }
}
