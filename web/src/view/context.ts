/** What all parts of the view share. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Author, Ignored } from "../model/ignored";
import type { Model } from "../model/model";
import type { L10n } from "../text/l10n";

/** Parts of the page that lie over the conversation. */
export type Overlay =
  | { kind: "rooms" }
  | { kind: "search" }
  | { kind: "members" }
  | { kind: "settings" }
  | { kind: "help" }
  | { kind: "invite" }
  /** The code for another device of the user. */
  | { kind: "device" }
  /** Moderation of a room; null: of the whole server. */
  | { kind: "moderation"; room: string | null }
  | { kind: "sanction"; action: "ban" | "mute"; name: string; room: string; session: number | undefined }
  /** A question before something that cannot be taken back. */
  | { kind: "confirm"; label: string; note?: string; carryOut: () => void }
  | { kind: "message"; seq: number }
  | { kind: "person"; name: string };

/** What the view can do beside changing the model. */
export interface Actions {
  /** Answers the question for a name or an invitation, or begins. `invite`: code of the invitation; empty if there is none. */
  enter(name: string, invite: string): void;
  /** Answers the question for the password. */
  answerPassword(password: string): void;
  /** Connects at once. */
  retry(): void;
  /** Claims the name for the user's key. */
  keepName(): void;
  /** Makes a code for another device of the user, and shows it. */
  linkDevice(): void;
  /** Leaves, and frees the name. */
  leave(): void;
  /** Begins again after the end. */
  again(): void;
  /** Takes the session over from another tab. */
  takeOver(): void;
  /** Opens a part of the page; null closes it. */
  show(overlay: Overlay | null): void;
  /** Opens and closes the list of conversations on a small screen. */
  showMenu(isOpen: boolean): void;
  /** Puts text into the field for writing. */
  compose(text: string): void;
  /** Has a draft that was typed stored soon. */
  keepDraft(): void;
  /** Hides what somebody writes, or shows it again. */
  ignore(author: Author, isIgnored: boolean): void;
}

/** Everything that the view needs. */
export interface Shared {
  model: Model;
  l10n: L10n;
  actions: Actions;
  overlay: Overlay | null;
  isMenuOpen: boolean;
  ignored: Ignored;
}

export const SharedContext = createContext<Shared | null>(null);

/** Returns what all parts share. */
export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("outside of the page");
  return shared;
}

/** Returns one of twelve colours for a name: always the same. */
export function hueClass(name: string): string {
  let hash = 7;
  for (const c of name.toLowerCase()) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) % 9_973;
  return `hue-${hash % 12}`;
}
