/** Messages as the page shows them. */

import type { DirectMessage, RoomMessage, Style } from "../engine/events";

/** A message that is shown. When its text or style changes, another object takes its place: so it is drawn again. */
export interface Message {
  /** Sequence in the server's log: messages are in this order, and none is there twice. */
  seq: number;
  /** Time in milliseconds since 1970; null if it is unknown. */
  time: number | null;
  from: string;
  style: Style;
  text: string;
  own: boolean;
  /** Session of the author. */
  session?: number;
  /** Number of the person that has claimed the author's name; missing: nobody has. */
  person?: number | undefined;
  /** True if messages after this one are lost for good. */
  gap?: boolean;
  /** True if it is a direct message from another session than the one before. */
  anew?: boolean;
}

/** A message of this user that the server has not acknowledged. */
export interface PendingMessage {
  id: string;
  text: string;
  style: "said" | "action";
  /** Why it was refused; null while it is on its way. */
  error: { name: string | null; text: string } | null;
}

/** Returns the message of an event as it is shown. */
export function toMessage(event: RoomMessage | DirectMessage): Message {
  return {
    seq: event.seq,
    time: event.time === null ? null : Date.parse(event.time),
    from: event.from,
    style: event.style,
    text: event.style === "removed" ? "" : event.text,
    own: event.own,
    session: event.type === "message" ? event.session : event.from_session,
    person: (event.type === "message" ? event.person : event.from_person) ?? undefined,
  };
}
