/** The browser's storage. A browser that refuses it only means that a reload begins anew. */

import type { SavedModel } from "../model/saved";

/** What is stored, by key. */
interface Stored {
  /** Name of this user. */
  name: string;
  /** Secret half of this user's key: 32 bytes. */
  key: number[];
  /** Name that the server keeps for the key. */
  claimed: string;
  /** Code of an invitation, until it was used or refused. */
  invite: string;
  /** Session of the engine. */
  session: string;
  /** Messages that the server has not acknowledged, as the engine writes them. */
  unsent: string;
  /** Rooms, where the user has read, drafts. */
  model: SavedModel;
  /** Whether a sound is played. */
  sound: boolean;
  /** Who is not shown: see `Ignored`. */
  ignored: string[];
  /** Page that has the session. */
  owner: string;
}

/** Prefix of all keys. */
const PREFIX = "pi-chat.";

/** Returns a stored value; null if there is none. */
export function load<K extends keyof Stored>(key: K): Stored[K] | null {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key) ?? "null") as Stored[K] | null;
  } catch {
    return null;
  }
}

/** Stores a value; null removes it. */
export function save<K extends keyof Stored>(key: K, value: Stored[K] | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Private windows may refuse, and a full storage does.
  }
}
