/** Typed commands of moderators. They become requests. */

import type { ChatRequest } from "../engine/events";

/** Lengths of bans, mutes and slow mode: a number and its unit. */
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Options by their names. */
const OPTIONS: Record<string, keyof Options> = { "--server": "server", "--address": "address", "--yes": "yes" };

/** Options of a command. */
interface Options {
  server: boolean;
  address: boolean;
  yes: boolean;
}

/** Returns the seconds of a length such as `10m`; null if it is none. */
export function parseLength(text: string): number | null {
  const found = /^(\d+)([smhd])$/.exec(text);
  return found ? Number(found[1]) * (UNITS[found[2]!] ?? 0) : null;
}

/** Splits a text at its first blanks. */
export function splitWord(text: string): [string, string] {
  const at = text.search(/\s/);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at).trim()];
}

/** Takes options from the beginning of a text, and returns the rest; null if there is no such option. */
function takeOptions(text: string, options: Options): string | null {
  let rest = text;
  while (rest.startsWith("--")) {
    const [word, after] = splitWord(rest);
    const option = OPTIONS[word];
    if (!option) return null;
    options[option] = true;
    rest = after;
  }
  return rest;
}

/** What stands after a command: options before and after a name, and the rest. */
interface Arguments extends Options {
  name: string;
  rest: string;
}

/** Parses `[OPTIONS] [NAME] [OPTIONS] REST`; null if an option is unknown. */
function parseArguments(text: string, hasName: boolean): Arguments | null {
  const options = { server: false, address: false, yes: false };
  const first = takeOptions(text, options);
  if (first === null || !hasName) return first === null ? null : { ...options, name: "", rest: first };
  const [name, after] = splitWord(first);
  const rest = takeOptions(after, options);
  return rest === null || name === "" ? null : { ...options, name: name.replace(/^@/, ""), rest };
}

/**
 * Takes the length of a ban or mute from the beginning of a text: 0 is without end. Returns null if it is mistyped,
 * such as `10min`: it must not count as the reason of a ban without end.
 */
function takeLength(text: string): [number, string] | null {
  const [first, after] = splitWord(text);
  const seconds = first === "forever" ? 0 : parseLength(first);
  if (seconds !== null) return first !== "forever" && seconds === 0 ? null : [seconds, after];
  return /^\d/.test(first) ? null : [0, text];
}

/** Builds the request of a command about a user; null if something is missing or wrong. */
function userRequest(type: string, text: string, room: string): ChatRequest | null {
  const found = parseArguments(text, true);
  if (!found || (found.address && type !== "ban")) return null;
  const { name, server, address, yes } = found;
  const request: ChatRequest = { type, name, ...(server ? { server } : { room }) };
  if (type === "role") return /^(moderator|owner|none)$/.test(found.rest) ? { ...request, role: found.rest } : null;
  const [seconds, reason] = type === "ban" || type === "mute" ? (takeLength(found.rest) ?? [null, ""]) : [0, found.rest];
  if (seconds === null) return null;
  // Who would be hit besides is counted first.
  const byAddress = address ? { address, dry_run: !yes } : {};
  return { ...request, ...(seconds ? { seconds } : {}), ...(reason ? { reason } : {}), ...byAddress };
}

/** Builds the request of a command without a user; null if something is missing or wrong. */
function roomRequest(type: string, text: string, room: string): ChatRequest | null {
  switch (type) {
    case "topic":
      return text ? { type, text: text === "-" ? "" : text, room } : null;
    case "slow": {
      const seconds = text === "off" ? 0 : parseLength(text);
      return seconds === null ? null : { type, seconds, room };
    }
    case "moderated":
      return /^(on|off)$/.test(text) ? { type, on: text === "on", room } : null;
    default: {
      const found = parseArguments(text, false);
      return found?.rest ? { type, text: found.rest, ...(found.server ? { server: true } : { room }) } : null;
    }
  }
}

/** Commands about a user. */
const ABOUT_USERS = ["kick", "ban", "unban", "mute", "unmute", "role"];

/** Commands about a room. */
const ABOUT_ROOMS = ["topic", "slow", "moderated", "announce"];

/**
 * Builds the request of a moderator's command in a room: null if something is missing or wrong, undefined if it is no
 * such command.
 */
export function moderationRequest(command: string, text: string, room: string): ChatRequest | null | undefined {
  if (ABOUT_USERS.includes(command)) return userRequest(command, text, room);
  return ABOUT_ROOMS.includes(command) ? roomRequest(command, text, room) : undefined;
}
