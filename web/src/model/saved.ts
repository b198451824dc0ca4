/** What the page keeps in the browser's storage: where the user has read, drafts, direct messages. */

import type { Conversations } from "./conversations";
import type { Message, PendingMessage } from "./message";

/** Direct messages of a person that are kept: the server's history has none of them. */
const KEPT_DIRECT = 100;

/** Saved conversation. */
export interface SavedConversation {
  kind: "room" | "direct";
  name: string;
  read: number;
  unread: number;
  mentions: number;
  newAfter: number | null;
  draft: string;
  /** Only of a person. */
  messages?: Message[];
  /** Session of a person, once it is known. */
  session?: number | null;
  /** Own messages that were refused. The engine keeps those that are on their way. */
  refused?: PendingMessage[];
}

/** Saved model. */
export interface SavedModel {
  conversations: SavedConversation[];
  current: string;
}

/** Returns what is to be saved of a model. */
export function saveModel(model: { conversations: Conversations; current: string }): SavedModel {
  const conversations = [...model.conversations.values()].map((it): SavedConversation => {
    const { kind, name, read, unread, mentions, draft, newAfter, session } = it;
    const refused = it.pending.filter(({ error }) => error);
    const saved = { kind, name, read, unread, mentions, draft, newAfter, session, refused };
    return kind === "direct" ? { ...saved, messages: it.messages.slice(-KEPT_DIRECT) } : saved;
  });
  return { conversations, current: model.current };
}

/** Opens the conversations of a saved model. `newId` makes ids: those of refused messages were another page's. */
export function restoreConversations(conversations: Conversations, saved: SavedModel, newId: () => string): void {
  for (const it of saved.conversations) {
    const conversation = conversations.open(it.kind, it.name);
    const { read, unread, mentions, draft, newAfter, session = null } = it;
    Object.assign(conversation, { read, unread, mentions, draft, newAfter, session });
    for (const message of it.messages ?? []) conversation.insert(message);
    conversation.pending = (it.refused ?? []).map((message) => ({ ...message, id: newId() }));
  }
}
