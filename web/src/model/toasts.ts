/** Short notes. */

import type { ErrorEvent, Sanctioned } from "../engine/events";

/** A short note that the user can dismiss. */
export interface Toast {
  id: number;
  /** Name of a message of the catalogue, a text as it is, or an event that says it. */
  message:
    | { id: string; args?: Record<string, string | number> }
    | { text: string }
    | { error: Pick<ErrorEvent, "name" | "text"> }
    | { sanctioned: Sanctioned };
  /** `info` goes away by itself; the others stay until the user dismisses them. A `notice` is the server's. */
  kind: "info" | "notice" | "error";
}

/** Notes that are shown at a time. */
const MOST = 3;

/** Adds a note, in place of one that says the same. */
export function addToast(toasts: Toast[], toast: Toast): Toast[] {
  const others = toasts.filter((it) => JSON.stringify(it.message) !== JSON.stringify(toast.message));
  return [...others, toast].slice(-MOST);
}
