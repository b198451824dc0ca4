/** The rows of a stretch of messages: messages, and lines between them. */

import type { Message } from "../model/message";
import { startOfDay } from "../text/l10n";

/** A row. Its key stays with what it shows. */
export type Row =
  | { kind: "day"; key: string; time: number }
  | { kind: "new"; key: string }
  | { kind: "gap"; key: string }
  | { kind: "anew"; key: string; name: string }
  | { kind: "message"; key: string; message: Message; isFirst: boolean };

/** Time after which a message of the same author has name and time again, in milliseconds. */
const GROUP_TIME = 5 * 60_000;

/** Returns true if a message follows another of the same author closely. */
function continues(previous: Message, message: Message): boolean {
  return (
    previous.from === message.from &&
    previous.own === message.own &&
    previous.style === "said" &&
    message.style === "said" &&
    !previous.gap &&
    (message.time ?? 0) - (previous.time ?? 0) < GROUP_TIME
  );
}

/**
 * Returns the rows of `messages[from..to]`. `newAfter`: the sequence after which messages are new
 * since the user looked; null if that is not shown.
 */
export function makeRows(messages: readonly Message[], from: number, to: number, newAfter: number | null): Row[] {
  const rows: Row[] = [];
  for (let at = from; at < to; at += 1) {
    const message = messages[at]!;
    const previous = messages[at - 1];
    const isNewDay =
      message.time !== null && (!previous || startOfDay(previous.time ?? 0) !== startOfDay(message.time));
    const isNew = newAfter !== null && message.seq > newAfter && (!previous || previous.seq <= newAfter) && !message.own;
    if (isNewDay) rows.push({ kind: "day", key: `day-${message.seq}`, time: message.time! });
    if (isNew) rows.push({ kind: "new", key: "new" });
    if (message.anew) rows.push({ kind: "anew", key: `anew-${message.seq}`, name: message.from });
    const isFirst = isNewDay || isNew || message.anew || !previous || !continues(previous, message) || at === from;
    rows.push({ kind: "message", key: `message-${message.seq}`, message, isFirst });
    if (message.gap) rows.push({ kind: "gap", key: `gap-${message.seq}` });
  }
  return rows;
}
