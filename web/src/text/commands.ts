/** Typed lines: messages and commands, which are those of the terminal's client. */

import type { ChatRequest } from "../engine/events";

/** What a typed line asks for. */
export type Line =
  | { kind: "empty" }
  | { kind: "message"; text: string; style: "said" | "action" }
  | { kind: "direct"; to: string; text: string }
  | { kind: "request"; request: ChatRequest }
  | { kind: "view"; view: "rooms" | "people" | "help"; query?: string }
  | { kind: "search"; query: string }
  | { kind: "error"; message: "unknown-command" | "command-incomplete"; command: string };

/** Lengths of bans and mutes: a number and its unit. */
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Returns the seconds of a length such as `10m`; null if it is none. */
export function parseLength(text: string): number | null {
  const found = /^(\d+)([smhd])$/.exec(text);
  return found ? Number(found[1]) * (UNITS[found[2]!] ?? 0) : null;
}

/** Splits a text at its first blanks. */
function splitWord(text: string): [string, string] {
  const at = text.search(/\s/);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at).trim()];
}

/** Arguments of a command about a user: options, the name, what follows. */
interface UserArguments {
  name: string;
  rest: string;
  server: boolean;
  address: boolean;
}

/** Parses `[--server] [--address] NAME REST`. */
function userArguments(text: string): UserArguments {
  const result: UserArguments = { name: "", rest: text, server: false, address: false };
  for (;;) {
    const [word, rest] = splitWord(result.rest);
    if (word === "--server") result.server = true;
    else if (word === "--address") result.address = true;
    else return { ...result, name: word.replace(/^@/, ""), rest };
    result.rest = rest;
  }
}

/** Builds the request of a command about a user. `room` is the present one. */
function userRequest(command: string, text: string, room: string): ChatRequest | null {
  const { name, rest, server, address } = userArguments(text);
  if (name === "") return null;
  const base: ChatRequest = { type: command, name, ...(server ? { server } : { room }) };
  const withReason = (reason: string) => (reason ? { ...base, reason } : base);
  switch (command) {
    case "kick":
      return withReason(rest);
    case "ban":
    case "mute": {
      const [first, after] = splitWord(rest);
      const seconds = parseLength(first);
      const request = withReason(seconds === null ? rest : after);
      return { ...request, ...(seconds === null ? {} : { seconds }), ...(address ? { address } : {}) };
    }
    case "role":
      return /^(moderator|owner|none)$/.test(rest) ? { ...base, role: rest } : null;
    default:
      return base;
  }
}

/** Builds the request of `/slow`; null if the length is missing or wrong. */
function slowRequest(text: string, room: string): ChatRequest | null {
  const seconds = text === "off" ? 0 : parseLength(text);
  return seconds === null ? null : { type: "slow", seconds, room };
}

/** Parses a typed line. `room` is the present room; null in a conversation with one person. */
export function parseLine(line: string, room: string | null): Line {
  if (line.trim() === "") return { kind: "empty" };
  if (!line.startsWith("/")) return { kind: "message", text: line, style: "said" };
  if (line.startsWith("//")) return { kind: "message", text: line.slice(1), style: "said" };
  const [word, text] = splitWord(line.slice(1));
  const command = word.toLowerCase();
  const roomName = text.replace(/^#+/, "");
  const incomplete: Line = { kind: "error", message: "command-incomplete", command };
  const request = (request: ChatRequest | null): Line => (request ? { kind: "request", request } : incomplete);
  const here = room ?? "";
  switch (command) {
    case "help":
    case "?":
      return { kind: "view", view: "help" };
    case "rooms":
      return { kind: "view", view: "rooms" };
    case "who":
      return { kind: "view", view: "people" };
    case "search":
      return { kind: "search", query: text };
    case "me":
      return text ? { kind: "message", text, style: "action" } : incomplete;
    case "msg": {
      const [to, what] = splitWord(text);
      return to && what ? { kind: "direct", to: to.replace(/^@/, ""), text: what } : incomplete;
    }
    case "join":
      return request(roomName ? { type: "join", room: roomName } : null);
    case "leave":
      return request(roomName || here ? { type: "leave", room: roomName || here } : null);
    case "topic":
      return request(text && here ? { type: "topic", text: text === "-" ? "" : text, room: here } : null);
    case "slow":
      return request(slowRequest(text, here));
    case "moderated":
      return request(/^(on|off)$/.test(text) ? { type: "moderated", on: text === "on", room: here } : null);
    case "announce":
      return request(text ? { type: "announce", text, room: here } : null);
    case "kick":
    case "ban":
    case "unban":
    case "mute":
    case "unmute":
    case "role":
      return request(userRequest(command, text, here));
    case "reconnect":
      return { kind: "request", request: { type: "reconnect" } };
    default:
      return { kind: "error", message: "unknown-command", command };
  }
}
