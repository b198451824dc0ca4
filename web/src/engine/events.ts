/**
 * Events of the engine: the objects that `docs/json.md` describes, as far as the page uses them.
 * Numbers above 2^53 come as strings of digits; no server of ours has them.
 */

/** What a message looks like: `said`, `* anna waves`, or removed by a moderator. */
export type Style = "said" | "action" | "removed";

/** Fields of all messages. */
interface MessageFields {
  seq: number;
  time: string | null;
  from: string;
  style: Style;
  text: string;
  own: boolean;
  id?: string;
}

/** Field of messages in rooms, also found ones: number of the person that has claimed the name. */
interface OfPerson {
  person?: number | null;
}

/** Message in a room. */
export interface RoomMessage extends MessageFields, OfPerson {
  type: "message";
  room: string;
  session: number;
  history: boolean;
  requested: boolean;
}

/** Message to one person. */
export interface DirectMessage extends MessageFields {
  type: "direct";
  to: string;
  from_session: number;
  from_person?: number | null;
  to_session: number;
  history: boolean;
}

/** Message that a search has found. */
export interface FoundMessage extends MessageFields, OfPerson {
  type: "found";
  room: string;
}

/** State of the connection. */
export type StateEvent =
  | { type: "state"; state: "connecting" | "connected" | "responsive" }
  | { type: "state"; state: "disconnected"; reason: string }
  | { type: "state"; state: "reconnecting"; delay_ms: number }
  | { type: "state"; state: "unresponsive" | "waiting"; requests: number };

/** Joined or resumed. */
export interface Welcome {
  type: "welcome";
  session: number;
  name: string;
  server: string;
  rooms: string[];
  max_text: number;
  session_kept: boolean;
  position_kept: boolean;
  log_changed: boolean;
}

/** Refused request. */
export interface ErrorEvent {
  type: "error";
  code: number;
  name: string | null;
  text: string;
  to?: string;
  message?: string;
  id?: string;
}

/** What a moderator did to this user. */
export interface Sanctioned {
  type: "sanctioned";
  action: "kick" | "ban" | "unban" | "mute" | "unmute";
  room: string | null;
  by: string | null;
  reason: string | null;
  until: string | null;
}

/** A ban or mute that is in force. */
export interface Sanction {
  kind: "ban" | "mute";
  name: string;
  until: string | null;
  by: string | null;
  reason: string | null;
}

/** Room in a list. */
export interface ListedRoom {
  name: string;
  members: number;
  topic: string | null;
}

/** Role of a user. */
export type Role = "moderator" | "owner";

/** An event of the engine. */
export type ChatEvent =
  | RoomMessage
  | DirectMessage
  | FoundMessage
  | StateEvent
  | Welcome
  | ErrorEvent
  | Sanctioned
  | { type: "name_wanted"; name: string; reason: string | null; text: string }
  | { type: "password_wanted"; again: boolean }
  | { type: "invite_wanted"; reason: string | null; text: string }
  | { type: "entered"; room: string; members: number; id?: string }
  | { type: "left"; room: string; forced: boolean; id?: string }
  | { type: "history_end"; room: string | null; more: boolean; requested: boolean; id?: string }
  | { type: "gap"; room: string }
  | { type: "search_end"; found: number; more: boolean; before: number | null; id?: string }
  | { type: "acknowledged"; seq: number | null; time: string | null; text: string | null; id?: string }
  | { type: "unsent"; to: string; text: string; perhaps_taken: boolean; id?: string }
  | { type: "roster"; room: string; members: number; names: string[] | null; asked: boolean }
  | { type: "presence"; room: string; members: number; joined: string[] | null; left: string[] | null }
  | { type: "read_mark"; room: string | null; seq: number }
  | { type: "notice"; code: number; text: string }
  | { type: "removed"; room: string; seq: number; by: string | null; reason: string | null }
  | { type: "topic"; room: string; text: string | null; by: string | null; changed: boolean }
  | { type: "modes"; room: string; slow_seconds: number; moderated: boolean }
  | { type: "role"; room: string | null; session: number; name: string; role: Role | null; own: boolean }
  | { type: "done"; text: string; affected?: number; id?: string }
  | { type: "rooms"; rooms: ListedRoom[]; id?: string }
  | { type: "sanctions"; room: string | null; items: Sanction[]; id?: string }
  | { type: "end"; reason: "left" | "unavailable" | "refused" | "protocol"; name?: string | null; text: string };

/** A request to the engine: an object of `docs/json.md`. */
export type ChatRequest = { type: string; id?: string } & Record<string, unknown>;
