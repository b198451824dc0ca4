/** The conversations that the page has. */

import type { Welcome } from "../engine/events";
import { foldName } from "../text/fold";
import { Conversation, conversationKey } from "./conversation";
import type { Author } from "./ignored";

/** Rooms that this user is in, and people that this user writes with, by their keys and in the order in which they came. */
export class Conversations extends Map<string, Conversation> {
  /** Unread messages of all, and those that mention this user or are for them only. */
  get unread(): { messages: number; mentions: number } {
    const all = [...this.values()];
    return {
      messages: all.reduce((sum, it) => sum + it.unread, 0),
      mentions: all.reduce((sum, it) => sum + it.mentions, 0),
    };
  }

  /** Key of the first; empty if there is none. */
  get firstKey(): string {
    return [...this.keys()][0] ?? "";
  }

  /** Returns a conversation, which is made if it is new. */
  open(kind: "room" | "direct", name: string): Conversation {
    const key = conversationKey(kind, name);
    const known = this.get(key);
    if (known) return known;
    const conversation = new Conversation(kind, name);
    this.set(key, conversation);
    return conversation;
  }

  /** Finds a room by its name in any spelling. */
  findRoom(name: string): Conversation | undefined {
    const key = foldName(name);
    return [...this.values()].find((it) => it.kind === "room" && foldName(it.name) === key);
  }

  /** Returns who has a name, by the latest message that is here; if there is none, only the name is known. */
  authorOf(name: string): Author {
    const key = foldName(name);
    const all = [...this.values()].flatMap((it) => it.messages);
    const latest = all.filter((it) => foldName(it.from) === key).sort((one, other) => one.seq - other.seq).pop();
    return { ...latest, from: name };
  }

  /** Returns an author with the number of the person, also if only a later message has it: somebody has claimed the name meanwhile. */
  identify(author: Author): Author {
    const latest = this.authorOf(author.from);
    return latest.person === (author.person ?? author.session) ? latest : author;
  }

  /** Handles a welcome: what does not hold in this session goes, and the rooms are those that it names. */
  onWelcome(event: Welcome): void {
    for (const it of this.values()) {
      if (event.log_changed) it.beginAnew();
      // Of a server that knows neither session nor position it is not known whether its log is the same.
      if (!event.session_kept && !event.position_kept) it.session = null;
      if (it.kind === "room" && !event.rooms.includes(it.name)) this.delete(it.key);
    }
    for (const room of event.rooms) this.open("room", room).retry();
  }
}
