/** The state of the connection. */

import type { StateEvent } from "../engine/events";

/** State of the connection, for the user. `silent`: it is open, but nothing comes. `waiting`: for the next attempt. */
export type Connection = "connecting" | "live" | "silent" | "waiting";

/** Returns the state after an event; null if it does not change. */
export function connectionAfter({ state }: StateEvent): Connection | null {
  switch (state) {
    case "connecting":
      return "connecting";
    case "reconnecting":
      return "waiting";
    case "unresponsive":
      return "silent";
    case "responsive":
      return "live";
    // `welcome` or `reconnecting` follows, or has said it.
    case "connected":
    case "disconnected":
    case "waiting":
      return null;
  }
}
