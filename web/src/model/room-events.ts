/** What the server tells of a room beside its messages: members, topic, modes, removed messages, gaps. */

import type { ChatEvent } from "../engine/events";
import type { Conversation } from "./conversation";

/** An event about a room. */
export type RoomEvent = Extract<ChatEvent, { type: "gap" | "removed" | "topic" | "modes" | "roster" | "presence" }>;

/** Changes the members of a room. */
function applyMembers(room: Conversation, event: Extract<RoomEvent, { type: "roster" | "presence" }>): void {
  room.members = event.members;
  if (event.type === "roster") {
    room.names = event.names;
  } else if (room.names && event.joined && event.left) {
    const left = new Set(event.left);
    room.names = [...new Set([...room.names.filter((it) => !left.has(it)), ...event.joined])];
  } else {
    room.names = null;
  }
}

/** Changes a room by an event; undefined if this user is not in it. */
export function applyRoomEvent(room: Conversation | undefined, event: RoomEvent): void {
  if (!room) return;
  switch (event.type) {
    case "gap": {
      const last = room.messages.at(-1);
      if (last) last.gap = true;
      return;
    }
    case "removed":
      return room.remove(event.seq);
    case "topic":
      room.topic = event.text;
      return;
    case "modes":
      Object.assign(room, { slowSeconds: event.slow_seconds, moderated: event.moderated });
      return;
    case "roster":
    case "presence":
      return applyMembers(room, event);
  }
}
