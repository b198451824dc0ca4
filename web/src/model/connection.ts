/** The state of the connection. */

import type { StateEvent } from "../engine/events";

/** State of the connection, for the user. */
export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "silent" }
  | { state: "waiting"; until: number };

/** Returns the state after an event; null if it does not change. */
export function connectionAfter(event: StateEvent): Connection | null {
  switch (event.state) {
    case "connecting":
      return { state: "connecting" };
    case "reconnecting":
      return { state: "waiting", until: Date.now() + event.delay_ms };
    case "unresponsive":
      return { state: "silent" };
    case "responsive":
      return { state: "live" };
    // `welcome` or `reconnecting` follows, or has said it.
    case "connected":
    case "disconnected":
    case "waiting":
      return null;
  }
}
