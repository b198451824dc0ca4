/** Typed lines: messages and commands, which are those of the terminal's client. */

import type { ChatRequest } from "../engine/events";
import { moderationRequest, splitWord } from "./moderation-commands";

/** What a typed line asks for. */
export type Line =
  | { kind: "empty" }
  | { kind: "message"; text: string; style: "said" | "action" }
  | { kind: "direct"; to: string; text: string }
  | { kind: "request"; request: ChatRequest }
  | { kind: "view"; view: "rooms" | "help" }
  /** Bans and mutes of the room, or of the whole server. */
  | { kind: "bans"; isServer: boolean }
  /** The members of a room; empty: of the present one. */
  | { kind: "people"; room: string }
  /** An empty search: older results of the last one. */
  | { kind: "search"; query: string }
  | { kind: "history"; count: number }
  /** Removes the latest message of somebody that holds the text; without a name: one's own. */
  | { kind: "remove"; name: string; text: string }
  /** Without a name: tells whom the user ignores. */
  | { kind: "ignore"; name: string; isIgnored: boolean }
  /** Talks in another room; empty: tells which one this is. */
  | { kind: "room"; room: string }
  /** Leaves a room; empty: the present one. */
  | { kind: "leave"; room: string }
  | { kind: "topic" }
  /** Keeps the name for this user's key, or gives it up. */
  | { kind: "own-name"; isKept: boolean }
  /** Makes a code for another device of the user. */
  | { kind: "link" }
  /** Takes the name from the other devices; unless the user is sure, asks first. */
  | { kind: "unlink"; isSure: boolean }
  | { kind: "quit" }
  | { kind: "error"; message: "unknown-command" | "command-incomplete"; command: string };

/** Messages that `/history` asks for. */
const HISTORY = 20;

/** Messages that `/history` asks for at most. */
const MOST_HISTORY = 100;

/** Parses a typed line. `room` is the present room; null in a conversation with one person. */
export function parseLine(line: string, room: string | null): Line {
  if (line.trim() === "") return { kind: "empty" };
  if (!line.startsWith("/")) return { kind: "message", text: line, style: "said" };
  if (line.startsWith("//")) return { kind: "message", text: line.slice(1), style: "said" };
  const [word, text] = splitWord(line.slice(1));
  const command = word.toLowerCase();
  return parseCommand(command, text, room) ?? { kind: "error", message: "command-incomplete", command };
}

/** Parses a command; null if something is missing or wrong. */
function parseCommand(command: string, text: string, room: string | null): Line | null {
  const roomName = text.replace(/^#+/, "");
  const name = text.replace(/^@/, "");
  switch (command) {
    case "help":
    case "?":
    case "moderation":
      return { kind: "view", view: "help" };
    case "rooms":
    case "list":
      return { kind: "view", view: "rooms" };
    case "bans":
      return text === "" || text === "--server" ? { kind: "bans", isServer: text !== "" || room === null } : null;
    case "who":
    case "names":
      return { kind: "people", room: roomName };
    case "search":
      return { kind: "search", query: text };
    case "me":
      return text ? { kind: "message", text, style: "action" } : null;
    case "msg": {
      const [to, what] = splitWord(name);
      return to && what ? { kind: "direct", to, text: what } : null;
    }
    case "join":
      return roomName ? { kind: "request", request: { type: "join", room: roomName } } : null;
    case "leave":
    case "part":
      return { kind: "leave", room: roomName };
    case "room":
      return { kind: "room", room: roomName };
    case "history": {
      const count = text ? Number(text) : HISTORY;
      return room !== null && Number.isInteger(count) && count > 0 && count <= MOST_HISTORY ? { kind: "history", count } : null;
    }
    case "remove": {
      const [author, part] = splitWord(name);
      return room === null ? null : { kind: "remove", name: author, text: part };
    }
    case "ignore":
      return { kind: "ignore", name, isIgnored: true };
    case "unignore":
      return name ? { kind: "ignore", name, isIgnored: false } : null;
    case "claim":
    case "unclaim":
      return text ? null : { kind: "own-name", isKept: command === "claim" };
    case "link":
      return text ? null : { kind: "link" };
    case "unlink":
      return /^(--yes)?$/.test(text) ? { kind: "unlink", isSure: text !== "" } : null;
    case "reconnect":
      return { kind: "request", request: { type: "reconnect" } };
    case "quit":
    case "exit":
      return { kind: "quit" };
    case "topic":
      if (text === "" && room !== null) return { kind: "topic" };
  }
  const request = moderationRequest(command, text, room ?? "");
  if (request === undefined) return { kind: "error", message: "unknown-command", command };
  // In a conversation with one person there is no room to moderate.
  return request && (room !== null || request.server) ? { kind: "request", request } : null;
}
