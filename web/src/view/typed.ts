/** Carries out typed lines. */

import type { Conversation } from "../model/conversation";
import type { Model } from "../model/model";
import { type Line, parseLine } from "../text/commands";
import { parseSearch } from "../text/search-query";
import type { Shared } from "./context";
import { askUnlink } from "./device-dialog";

/** Carries out what is typed in a conversation. Returns false if the line is to stay. */
export function carryOut(typed: string, conversation: Conversation, shared: Shared): boolean {
  const { model, actions } = shared;
  const room = conversation.kind === "room" ? conversation.name : null;
  const line = parseLine(typed, room);
  switch (line.kind) {
    case "empty":
      return false;
    case "message":
      model.say(line.text, line.style);
      return true;
    case "direct":
      model.openDirect(line.to);
      model.say(line.text, "said");
      return true;
    case "request":
      if (line.request.type === "join") model.join(String(line.request.room));
      else model.moderation.send(line.request);
      return true;
    case "view":
      actions.show({ kind: line.view });
      return true;
    case "bans":
      actions.show({ kind: "moderation", room: line.isServer ? null : room });
      return true;
    case "search":
      return search(line.query, shared);
    case "own-name":
      if (line.isKept) actions.keepName();
      else model.giveUpName();
      return true;
    case "link":
      actions.linkDevice();
      return true;
    case "unlink":
      if (line.isSure) model.unlinkOthers();
      else askUnlink(shared);
      return true;
    case "quit":
      actions.leave();
      return true;
    case "error":
      model.toast({ id: line.message, args: { command: line.command } }, "error");
      model.onChange();
      return false;
    default:
      return inConversation(line, conversation, shared);
  }
}

/** Begins a search, or asks for older results of the last one. Returns what is wrong with it; null: nothing. */
export function beginSearch(typed: string, { search }: Model): string | null {
  const query = parseSearch(typed);
  if ("wrong" in query) {
    search.reset();
    return query.wrong;
  }
  if (typed) search.start(typed, query);
  else search.more();
  return null;
}

/** Begins a search and shows it. Returns false if the line is to stay. */
function search(typed: string, { model, actions }: Shared): boolean {
  const piece = beginSearch(typed, model);
  if (piece === null) actions.show({ kind: "search" });
  else model.toast({ id: "search-wrong", args: { piece } }, "error");
  model.onChange();
  return piece === null;
}

/** Lines that are about rooms, their messages and members. */
type ConversationLine = Extract<Line, { kind: "people" | "history" | "remove" | "ignore" | "room" | "leave" | "topic" }>;

/** Carries out a line that is about a room, its messages or members. */
function inConversation(line: ConversationLine, conversation: Conversation, { model, l10n, actions, ignored }: Shared): boolean {
  const find = (name: string) => (name ? model.conversations.findRoom(name) : conversation);
  const tell = (id: string, args = {}) => model.toast({ id, args });
  switch (line.kind) {
    case "history":
      model.loadOlder(conversation, line.count);
      document.querySelector(".messages")?.scrollTo({ top: 0 });
      break;
    case "remove":
      if (!model.moderation.removeLatest(conversation, line.name, line.text)) tell("remove-none");
      break;
    case "ignore":
      if (line.name) actions.ignore(model.conversations.authorOf(line.name), line.isIgnored);
      else {
        const names = ignored.entries.map(([name, person]) => (person === null ? name : l10n.text("ignored-person", { name })));
        tell("ignored-list", { names: names.join(", "), count: names.length });
      }
      break;
    case "topic":
      tell(conversation.topic ? "topic" : "topic-none", { topic: conversation.topic ?? "" });
      break;
    default: {
      const room = find(line.room);
      if (!room) tell("error-not_in_room");
      else if (line.kind === "leave") model.leave(room);
      else if (line.kind === "people") {
        model.select(room.key);
        actions.show({ kind: "members" });
      } else if (line.room) model.select(room.key);
      else tell("room-here", { room: room.name });
    }
  }
  model.onChange();
  return true;
}
