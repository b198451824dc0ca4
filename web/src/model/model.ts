/**
 * The model: what the page knows. Events of the engine change it, and the view shows it. What the
 * user does becomes a request to the engine, whose answer is an event again.
 */

import type {
  ChatEvent,
  ChatRequest,
  DirectMessage,
  ErrorEvent,
  ListedRoom,
  Role,
  RoomMessage,
  Welcome,
} from "../engine/events";
import { mentions } from "../text/pieces";
import { Conversation, type Message } from "./conversation";
import { Outbox, parseUnsent } from "./outbox";
import type { SavedModel } from "./saved";
import { Search } from "./search";

/** State of the connection, for the user. */
export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "silent" }
  | { state: "waiting"; until: number };

/** What the page shows. */
export type Phase =
  | { phase: "chat" }
  | { phase: "name"; name: string; refused: { name: string | null; text: string } | null }
  | { phase: "password"; again: boolean }
  | { phase: "ended"; name: string | null; text: string }
  | { phase: "elsewhere" };

/** A short note that the user can dismiss. */
export interface Toast {
  id: number;
  /** Name of a message of the catalogue, or a text as it is. */
  message: { id: string; args?: Record<string, string | number> } | { text: string };
  kind: "info" | "error";
}

/** Where a message that deserves attention came from. */
export interface Attention {
  conversation: Conversation;
  from: string;
  text: string;
}

/** Messages that are asked for at a time. */
const PAGE = 50;

/** Notes that are shown at a time. */
const MAX_TOASTS = 3;

/** Default room. */
const LOBBY = "lobby";

/** What the page knows. */
export class Model {
  phase: Phase = { phase: "name", name: "", refused: null };
  connection: Connection = { state: "connecting" };
  /** True from the first attempt on: a name was given. */
  isEntering = false;
  /** This user's name, as the server has it. */
  name = "";
  server = "";
  /** Longest text in bytes. */
  maxText = 4_000;
  /** Rooms first, then people, each in the order in which they came. */
  readonly conversations = new Map<string, Conversation>();
  /** Key of the conversation that is shown. */
  current = "";
  toasts: Toast[] = [];
  /** Rooms of the server; null before they were asked for. */
  listedRooms: ListedRoom[] | null = null;
  readonly search: Search;
  readonly #outbox: Outbox;
  /** This user's role on the whole server. */
  serverRole: Role | null = null;
  /** Whether this user sees the newest messages of the present conversation. */
  isLooking = true;
  /** Whether the user has scrolled up. */
  isReading = false;
  /** What the screen reader is told. */
  announcement = "";
  /** Called when the model has changed. */
  onChange: () => void = () => undefined;
  /** Called for a message that concerns this user and was not seen. */
  onAttention: (attention: Attention) => void = () => undefined;
  readonly #send: (request: ChatRequest) => void;
  #nextId = 1;
  #joining: string | null = null;
  #welcome: Welcome | null = null;

  /** `send` passes a request to the engine; it is never called while an event is handled. */
  constructor(send: (request: ChatRequest) => void) {
    this.#send = send;
    this.search = new Search((request) => this.request(request));
    this.#outbox = new Outbox(this.conversations, (request) => this.request(request));
  }

  /** The conversation that is shown. */
  get conversation(): Conversation | null {
    return this.conversations.get(this.current) ?? null;
  }

  /** Sends a request with an id of its own, which it returns. */
  request(request: ChatRequest): string {
    const id = String(this.#nextId++);
    this.#send({ ...request, id });
    return id;
  }

  /** Unread messages of all conversations, and those that mention this user or are for them only. */
  get unread(): { messages: number; mentions: number } {
    const all = [...this.conversations.values()];
    return {
      messages: all.reduce((sum, it) => sum + it.unread, 0),
      mentions: all.reduce((sum, it) => sum + it.mentions, 0),
    };
  }

  /** Role of this user in a conversation: what may be done there. */
  roleIn(conversation: Conversation): Role | null {
    return this.serverRole ?? conversation.role;
  }

  /** Handles an event of the engine. */
  handle(event: ChatEvent): void {
    this.#apply(event);
    this.onChange();
  }

  #apply(event: ChatEvent): void {
    switch (event.type) {
      case "state":
        return this.#onState(event);
      case "welcome":
        return this.#onWelcome(event);
      case "message":
        return this.#onMessage(event);
      case "direct":
        return this.#onDirect(event);
      case "acknowledged":
        return this.#outbox.drop(event.id);
      case "error":
        return this.#onError(event);
      case "unsent":
        return this.#onError({ type: "error", code: 0, name: "unsent", text: "", message: event.text, to: event.to, ...(event.id ? { id: event.id } : {}) });
      case "history_end":
        return this.#onHistoryEnd(event.room, event.requested, event.more);
      case "gap":
        return this.#onGap(event.room);
      case "entered":
        return this.#onEntered(event.room, event.members);
      case "left":
        return this.#onLeft(event.room, event.forced);
      case "roster":
      case "presence":
        return this.#onMembers(event);
      case "found":
      case "search_end":
        return this.search.handle(event);
      case "removed":
        return this.conversations.get(event.room)?.remove(event.seq);
      case "topic": {
        const room = this.conversations.get(event.room);
        if (room) room.topic = event.text;
        return;
      }
      case "modes": {
        const room = this.conversations.get(event.room);
        if (room) Object.assign(room, { slowSeconds: event.slow_seconds, moderated: event.moderated });
        return;
      }
      case "role":
        return this.#onRole(event);
      case "sanctioned":
        return this.toast({ id: `sanctioned-${event.action}`, args: { room: event.room ?? "", by: event.by ?? "", reason: event.reason ?? "" } }, event.action.startsWith("un") ? "info" : "error");
      case "rooms":
        this.listedRooms = event.rooms;
        return;
      case "done":
        return this.toast({ id: "done", args: { affected: event.affected } });
      case "sanctions":
        return this.toast({ id: "sanctions", args: { list: event.items.map((it) => `${it.name} (${it.kind})`).join(", "), count: event.items.length } });
      case "notice":
        return this.toast({ text: event.text });
      case "name_wanted":
        this.phase = { phase: "name", name: event.name, refused: { name: event.reason, text: event.text } };
        return;
      case "password_wanted":
        this.phase = { phase: "password", again: event.again };
        return;
      case "end":
        this.phase = { phase: "ended", name: event.name ?? event.reason, text: event.text };
    }
  }

  #onState(event: Extract<ChatEvent, { type: "state" }>): void {
    switch (event.state) {
      case "connecting":
        this.connection = { state: "connecting" };
        break;
      case "reconnecting":
        this.connection = { state: "waiting", until: Date.now() + event.delay_ms };
        break;
      case "unresponsive":
        this.connection = { state: "silent" };
        break;
      case "responsive":
        this.connection = { state: "live" };
        break;
      // `welcome` or `reconnecting` follows, or has said it.
      case "connected":
      case "disconnected":
      case "waiting":
    }
  }

  #onWelcome(event: Welcome): void {
    this.#welcome = event;
    this.name = event.name;
    this.server = event.server;
    this.maxText = event.max_text;
    this.phase = { phase: "chat" };
    this.connection = { state: "live" };
    if (event.log_changed) {
      for (const it of this.conversations.values()) Object.assign(it, { read: 0, newAfter: null });
    }
    const rooms = new Set(event.rooms);
    for (const [key, it] of this.conversations) {
      if (it.kind === "room" && !rooms.has(it.name)) this.conversations.delete(key);
    }
    for (const room of rooms) this.open("room", room);
    if (!this.conversation) this.select(event.rooms[0] ?? LOBBY);
  }

  /** Returns a conversation, which is made if it is new. */
  open(kind: "room" | "direct", name: string): Conversation {
    const key = conversationKey(kind, name);
    let conversation = this.conversations.get(key);
    if (!conversation) {
      conversation = new Conversation(kind, name);
      if (kind === "direct") conversation.older = "none";
      this.conversations.set(key, conversation);
    }
    return conversation;
  }

  #onMessage(event: RoomMessage): void {
    if (event.id) this.#outbox.drop(event.id);
    const room = this.open("room", event.room);
    // Older messages that were dropped do not come back one by one.
    const isRead = event.requested || (event.history && !this.#welcome?.position_kept && room.read === 0);
    this.#take(room, event, isRead, mentions(event.text, this.name));
  }

  #onDirect(event: DirectMessage): void {
    if (event.id) this.#outbox.drop(event.id);
    const conversation = this.open("direct", event.own ? event.to : event.from);
    this.#take(conversation, event, false, true);
  }

  /** Puts a message into a conversation, and counts it unless it is read. */
  #take(conversation: Conversation, event: RoomMessage | DirectMessage, isRead: boolean, concerns: boolean): void {
    const message: Message = {
      seq: event.seq,
      time: event.time === null ? null : Date.parse(event.time),
      from: event.from,
      style: event.style,
      text: event.style === "removed" ? "" : event.text,
      own: event.own,
    };
    if (!conversation.insert(message) || isRead) return;
    const isCurrent = conversation === this.conversation;
    if (event.own || event.seq <= conversation.read) {
      if (isCurrent && this.isLooking) conversation.markRead();
    } else if (isCurrent && this.isLooking) {
      conversation.markRead();
      this.announcement = `${message.from}: ${message.text}`;
    } else {
      conversation.newAfter ??= conversation.read || event.seq - 1;
      conversation.unread += 1;
      if (concerns) {
        conversation.mentions += 1;
        if (!event.history) this.onAttention({ conversation, from: event.from, text: event.text });
      }
    }
    conversation.trim(isCurrent && this.isReading);
  }

  #onError(event: ErrorEvent): void {
    if (event.id && this.#outbox.refuse(event)) return;
    for (const it of this.conversations.values()) {
      if (it.older === "loading") it.older = "unknown";
    }
    if (this.search.fail(event)) return;
    this.toast(event.name && event.name !== "client" ? { id: `error-${event.name}`, args: { text: event.text } } : { text: event.text }, "error");
  }

  #onHistoryEnd(room: string | null, isRequested: boolean, more: boolean): void {
    if (room === null) return this.#onCaughtUp();
    const conversation = this.conversations.get(room);
    if (!conversation) return;
    if (isRequested) conversation.older = more ? "unknown" : "none";
    else if (!conversation.read) conversation.markRead();
  }

  /** Handles the end of the replay after a welcome. */
  #onCaughtUp(): void {
    for (const it of this.conversations.values()) {
      if (it.read === 0) it.markRead();
    }
    this.#fill();
  }

  #onGap(room: string): void {
    const last = this.conversations.get(room)?.messages.at(-1);
    if (last) last.gap = true;
  }

  #onEntered(room: string, members: number): void {
    const conversation = this.open("room", room);
    Object.assign(conversation, { members, topic: null, slowSeconds: 0, moderated: false });
    if (this.#joining !== null) {
      this.#joining = null;
      this.select(room);
    }
  }

  #onLeft(room: string, isForced: boolean): void {
    this.conversations.delete(room);
    if (isForced) this.toast({ id: "left-forced", args: { room } }, "error");
    if (this.current === room) this.select([...this.conversations.keys()][0] ?? "");
  }

  #onMembers(event: Extract<ChatEvent, { type: "roster" | "presence" }>): void {
    const room = this.conversations.get(event.room);
    if (!room) return;
    room.members = event.members;
    if (event.type === "roster") {
      room.names = event.names;
    } else if (room.names && event.joined && event.left) {
      const left = new Set(event.left);
      room.names = [...new Set([...room.names.filter((it) => !left.has(it)), ...event.joined])];
    } else {
      room.names = null;
    }
  }

  #onRole(event: Extract<ChatEvent, { type: "role" }>): void {
    if (!event.own) return;
    if (event.room === null) this.serverRole = event.role;
    else this.open("room", event.room).role = event.role;
  }

  /** Asks for older messages if the present conversation has few. */
  #fill(): void {
    const conversation = this.conversation;
    if (conversation && conversation.messages.length < PAGE) this.loadOlder(conversation);
  }

  /** Asks for older messages of a room, unless that is done or there are none. */
  loadOlder(conversation: Conversation): void {
    if (conversation.older !== "unknown" || conversation.kind !== "room") return;
    if (this.connection.state !== "live" || conversation.isFull) return;
    conversation.older = "loading";
    const before = conversation.oldest;
    this.request({ type: "history", room: conversation.name, limit: PAGE, ...(before === null ? {} : { before }) });
  }

  /** Shows a conversation. */
  select(key: string): void {
    const previous = this.conversation;
    if (previous && previous !== this.conversations.get(key)) previous.newAfter = null;
    this.current = key;
    this.isReading = false;
    if (this.isLooking) this.conversation?.markRead();
    this.#fill();
    this.onChange();
  }

  /** Says whether the user sees the newest messages of the present conversation. */
  setLooking(isLooking: boolean): void {
    const conversation = this.conversation;
    if (!conversation || this.isLooking === isLooking) return void (this.isLooking = isLooking);
    this.isLooking = isLooking;
    if (isLooking) conversation.markRead();
    else conversation.newAfter = null;
    this.onChange();
  }

  /** Sends a message to the present conversation, or to another person. */
  say(text: string, style: "said" | "action", to = this.conversation): void {
    if (!to) return;
    this.#outbox.send(to, text, style);
    to.newAfter = null;
    this.onChange();
  }

  /** Takes a refused message back for another try, and returns its text. */
  takeBack(conversation: Conversation, id: string): string {
    const pending = conversation.pending.find((it) => it.id === id);
    this.#outbox.drop(id);
    this.onChange();
    return pending ? (pending.style === "action" ? `/me ${pending.text}` : pending.text) : "";
  }

  /** Joins a room and shows it; shows it at once if this user is there. */
  join(room: string): void {
    if (this.conversations.get(room)?.kind === "room") return this.select(room);
    this.#joining = room;
    this.request({ type: "join", room });
  }

  /** Leaves a room, or closes the conversation with a person. */
  leave(conversation: Conversation): void {
    if (conversation.kind === "room") return void this.request({ type: "leave", room: conversation.name });
    this.conversations.delete(conversationKey("direct", conversation.name));
    this.select([...this.conversations.keys()][0] ?? "");
  }

  /** Opens a conversation with one person. */
  openDirect(name: string): void {
    this.open("direct", name);
    this.select(conversationKey("direct", name));
  }

  /** Shows a note. */
  toast(message: Toast["message"], kind: Toast["kind"] = "info"): void {
    this.toasts = [...this.toasts, { id: this.#nextId++, message, kind }].slice(-MAX_TOASTS);
  }

  /** Takes a note away. */
  dismiss(id: number): void {
    this.toasts = this.toasts.filter((it) => it.id !== id);
    this.onChange();
  }

  /** Takes over what an earlier page has saved: `unsent` as the engine saves messages on their way. */
  restore(saved: SavedModel, unsent: string | null = null): void {
    const onTheirWay = parseUnsent(unsent);
    this.#nextId = Math.max(this.#nextId, ...onTheirWay.map(({ message }) => Number(message.id) + 1 || 0));
    for (const it of saved.conversations) {
      const conversation = this.open(it.kind, it.name);
      const { read, unread, mentions, draft, newAfter } = it;
      Object.assign(conversation, { read, unread, mentions, draft, newAfter });
      for (const message of it.messages ?? []) conversation.insert(message);
      const refused = (it.refused ?? []).map((message) => ({ ...message, id: String(this.#nextId++) }));
      conversation.pending = refused;
    }
    for (const { kind, name, message } of onTheirWay) this.open(kind, name).pending.push(message);
    this.current = saved.current;
  }
}

/** Returns the key of a conversation. A room's name cannot begin with `@`. */
export function conversationKey(kind: "room" | "direct", name: string): string {
  return kind === "room" ? name : `@${name}`;
}
