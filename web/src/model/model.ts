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
  Sanctioned,
  Welcome,
} from "../engine/events";
import { mentions } from "../text/pieces";
import { type Connection, connectionAfter } from "./connection";
import type { Conversation } from "./conversation";
import { Conversations } from "./conversations";
import { CODE_TIME, DEVICE_LINKED, LINK, type LinkCode, type ShownCode } from "./devices";
import { History, PAGE } from "./history";
import type { Author } from "./ignored";
import { type Message, type PendingMessage, toMessage } from "./message";
import { Moderation } from "./moderation";
import { Outbox, parseUnsent } from "./outbox";
import { applyRoomEvent } from "./room-events";
import { restoreConversations, type SavedModel } from "./saved";
import { Search } from "./search";
import { addToast, type Toast } from "./toasts";

/** Why the server has not let the user in: name of the error, and the server's words. */
export type Refused = Pick<ErrorEvent, "name" | "text">;

/** What the page shows. */
export type Phase =
  | { phase: "chat" }
  | { phase: "name"; name: string; refused: Refused | null }
  | { phase: "password"; again: boolean }
  | { phase: "ended"; name: string | null; text: string; sanctioned: Sanctioned | null }
  | { phase: "elsewhere" };

/** Where a message that deserves attention came from. */
export interface Attention {
  conversation: Conversation;
  from: string;
  text: string;
}

/** Whether the user's key was proved to the server; `impossible`: the server takes no proofs. */
export type Proof = "impossible" | "none" | "given";

/** Why a name is claimed: the user wants it, or comes with an invitation, which may not permit it. */
export type ClaimReason = "wanted" | "invited";

/** Default room. */
const LOBBY = "lobby";

/** Id of the request that gives the claimed name up. */
const GIVE_UP = "give-up";

/** What the page knows. */
export class Model {
  phase: Phase = { phase: "name", name: "", refused: null };
  connection: Connection = "connecting";
  /** True from the first attempt on: a name was given. */
  isEntering = false;
  /** Code of the invitation that the user brings, as it was typed; empty if there is none. */
  invite = "";
  /** This user's name, as the server has it; before that, as it was entered. */
  name = "";
  /** Name that the server keeps for the user's key; empty if there is none. */
  claimed = "";
  proof: Proof = "impossible";
  /** Code for another device of this user; null: there is none, or it was used. */
  linkCode: ShownCode | null = null;
  server = "";
  /** Longest text in bytes. */
  maxText = 4_000;
  readonly conversations = new Conversations();
  /** Key of the conversation that is shown. */
  current = "";
  toasts: Toast[] = [];
  /** Rooms of the server; null before they were asked for. */
  listedRooms: ListedRoom[] | null = null;
  readonly search: Search;
  readonly moderation: Moderation;
  /** Codes for another device that the server has not taken yet, in the order in which it answers. */
  readonly #offered: LinkCode[] = [];
  readonly #outbox: Outbox;
  readonly #history: History;
  /** This user's role on the whole server. */
  serverRole: Role | null = null;
  /** Whether this user sees the newest messages of the present conversation. */
  isLooking = true;
  /** Whether the user has scrolled up. */
  isReading = false;
  /** What the screen reader is told. */
  announcement = "";
  /** Whether the user ignores who has written something: it is neither counted nor announced. */
  ignores: (author: Author) => boolean = () => false;
  /** Called when the server has another log than before. */
  onNewLog: () => void = () => undefined;
  /** Called when the model has changed. */
  onChange: () => void = () => undefined;
  /** Called for a message that concerns this user and was not seen. */
  onAttention: (attention: Attention) => void = () => undefined;
  readonly #send: (request: ChatRequest) => void;
  #nextId = 1;
  #joining: string | null = null;
  /** Mark of the direct messages: sequence up to which this user has read them, here or on another device. */
  #directRead = 0;
  #welcome: Welcome | null = null;
  /** What sends this user out of the server: the end follows. */
  #sentOut: Sanctioned | null = null;

  /** `send` passes a request to the engine. It is also called while an event is handled: then it must wait until that is done. */
  constructor(send: (request: ChatRequest) => void) {
    this.#send = send;
    const request = (it: ChatRequest) => this.request(it);
    this.search = new Search(request);
    this.moderation = new Moderation(request);
    this.#outbox = new Outbox(this.conversations, request);
    this.#history = new History(request);
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
        this.connection = connectionAfter(event) ?? this.connection;
        return;
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
        if (event.requested) return this.#history.finish(event.id, event.more);
        return this.#onHistoryEnd(event.room);
      case "entered":
        return this.#onEntered(event.room, event.members);
      case "left":
        return this.#onLeft(event.room, event.forced);
      case "found":
      case "search_end":
        return this.search.handle(event);
      case "gap":
      case "removed":
      case "topic":
      case "modes":
      case "roster":
      case "presence":
        return applyRoomEvent(this.conversations.get(event.room), event);
      case "role":
        return this.#onRole(event);
      case "sanctioned":
        return this.#onSanctioned(event);
      case "rooms":
        this.listedRooms = event.rooms;
        return;
      case "done":
        return this.#onDone(event.id, event.affected);
      case "sanctions":
        this.moderation.sanctions = event.items;
        return;
      case "read_mark":
        if (event.room === null) this.#directRead = event.seq;
        for (const it of this.conversations.values()) {
          if (event.room === null ? it.kind === "direct" : it.name === event.room) it.readElsewhere(event.seq);
        }
        return;
      case "notice":
        if (event.code === DEVICE_LINKED) {
          this.linkCode = null;
          return this.toast({ id: "device-linked" }, "notice");
        }
        return this.toast({ text: event.text }, "notice");
      case "name_wanted":
        this.phase = { phase: "name", name: event.name, refused: { name: event.reason, text: event.text } };
        return;
      case "invite_wanted":
        this.phase = { phase: "name", name: this.name, refused: { name: event.reason, text: event.text } };
        return;
      case "password_wanted":
        this.phase = { phase: "password", again: event.again };
        return;
      case "end":
        this.phase = { phase: "ended", name: event.name ?? event.reason, text: event.text, sanctioned: this.#sentOut };
    }
  }

  #onWelcome(event: Welcome): void {
    this.#welcome = event;
    this.name = event.name;
    this.server = event.server;
    this.maxText = event.max_text;
    // A new log knows no claims.
    if (event.log_changed) {
      this.claimed = "";
      this.#directRead = 0;
      this.onNewLog();
    }
    this.phase = { phase: "chat" };
    this.connection = "live";
    this.conversations.onWelcome(event);
    if (!this.conversation) this.select(event.rooms[0] ?? LOBBY);
  }

  #onMessage(event: RoomMessage): void {
    if (event.id) this.#outbox.drop(event.id);
    if (event.requested) return this.#history.take(toMessage(event));
    const room = this.conversations.open("room", event.room);
    const isRead = event.history && !this.#welcome?.position_kept && room.read === 0;
    this.#take(room, toMessage(event), event, isRead, mentions(event.text, this.name));
  }

  #onDirect(event: DirectMessage): void {
    if (event.id) this.#outbox.drop(event.id);
    const conversation = this.conversations.open("direct", event.own ? event.to : event.from);
    // The mark of a device that has just come is there before its messages are.
    conversation.readElsewhere(this.#directRead);
    const anew = !event.own && conversation.meet(event.from_session);
    this.#take(conversation, { ...toMessage(event), anew }, event, false, true);
  }

  /** Puts a message into a conversation, and counts it unless it is read. */
  #take(
    conversation: Conversation,
    message: Message,
    event: RoomMessage | DirectMessage,
    isRead: boolean,
    concerns: boolean,
  ): void {
    const isCurrent = conversation === this.conversation;
    if (!conversation.receive(message, isCurrent && this.isReading) || isRead) return;
    if (event.own || this.ignores(message) || event.seq <= conversation.read) {
      if (isCurrent && this.isLooking) this.#read(conversation);
    } else if (isCurrent && this.isLooking) {
      this.#read(conversation);
      this.announcement = `${message.from}: ${message.text}`;
    } else {
      conversation.newAfter ??= conversation.read || event.seq - 1;
      conversation.unread += 1;
      if (concerns) {
        conversation.mentions += 1;
        if (!event.history) this.onAttention({ conversation, from: event.from, text: event.text });
      }
    }
  }

  #onError(event: ErrorEvent): void {
    // Nobody has asked for it.
    if (event.id === "invited") return;
    if (event.id === LINK) this.#offered.shift();
    if (event.id && this.#outbox.refuse(event)) return;
    if (this.search.fail(event)) return;
    this.#history.fail(event);
    // A message for a room in which the user is no more: nothing else shows its text.
    if (event.message) this.toast({ text: event.message }, "error");
    this.toast({ error: { name: event.name, text: event.text } }, "error");
  }

  #onHistoryEnd(room: string | null): void {
    if (room === null) return this.#onCaughtUp();
    const conversation = this.conversations.get(room);
    if (conversation && !conversation.read) conversation.markRead();
  }

  /** Handles the end of the replay after a welcome. */
  #onCaughtUp(): void {
    for (const it of this.conversations.values()) {
      if (it.read === 0) it.markRead();
    }
    this.#fill();
  }

  #onEntered(room: string, members: number): void {
    const conversation = this.conversations.open("room", room);
    Object.assign(conversation, { members, topic: null, slowSeconds: 0, moderated: false });
    if (this.#joining !== null) {
      this.#joining = null;
      this.select(room);
    }
  }

  #onLeft(room: string, isForced: boolean): void {
    this.conversations.delete(room);
    const isTold = this.toasts.some(({ message }) => "sanctioned" in message && message.sanctioned.room === room);
    if (isForced && !isTold) this.toast({ id: "left-forced", args: { room } }, "error");
    if (this.current === room) this.select(this.conversations.firstKey);
  }

  #onSanctioned(event: Sanctioned): void {
    const isEnd = event.room === null && (event.action === "kick" || event.action === "ban");
    // What was told of the same place before holds no more.
    this.toasts = this.toasts.filter(({ message }) => !("sanctioned" in message) || (!isEnd && message.sanctioned.room !== event.room));
    if (isEnd) this.#sentOut = event;
    else this.toast({ sanctioned: event }, event.action.startsWith("un") ? "info" : "error");
  }

  #onDone(id: string | undefined, affected = 0): void {
    if (id === "wanted" || id === "invited") {
      this.claimed = this.name;
      return this.toast({ id: "name-kept", args: { name: this.name } });
    }
    if (id === LINK) {
      const offered = this.#offered.shift();
      if (offered) this.linkCode = { ...offered, end: Date.now() + CODE_TIME };
      return;
    }
    if (id === GIVE_UP) {
      this.claimed = "";
      // Whoever claims a name again is a new person, without marks.
      this.#directRead = 0;
    }
    const name = this.moderation.onDone(id);
    if (name === null) this.toast({ id: "done", args: { affected } });
    else this.toast({ id: "ban-counted", args: { name, affected } });
  }

  #onRole(event: Extract<ChatEvent, { type: "role" }>): void {
    if (!event.own) return;
    if (event.room === null) this.serverRole = event.role;
    else this.conversations.open("room", event.room).role = event.role;
  }

  /** Asks for older messages if the present conversation has few. */
  #fill(): void {
    const conversation = this.conversation;
    if (conversation && conversation.messages.length < PAGE) this.loadOlder(conversation);
  }

  /** Asks for older messages of a room, unless that is done or there are none. */
  loadOlder(conversation: Conversation, count = PAGE): void {
    this.#history.loadOlder(conversation, count);
  }

  /** Asks for the messages after those that are here, unless that is done or there are none. */
  loadNewer(conversation: Conversation): void {
    this.#history.loadNewer(conversation);
  }

  /** Goes to the newest messages of the present conversation, which are loaded if they are not here. */
  goToNewest(): void {
    this.conversation?.goToNewest();
    this.isReading = false;
    this.#fill();
    this.onChange();
  }

  /** Goes to a message of a room, and shows what is around it. */
  goTo(room: string, seq: number): void {
    const conversation = this.conversations.get(room);
    if (!conversation) return;
    this.select(room);
    this.isReading = true;
    this.isLooking = false;
    conversation.marked = seq;
    if (conversation.messages.some((it) => it.seq === seq)) conversation.target = seq;
    else this.#history.loadAround(conversation, seq);
    this.onChange();
  }

  /** Shows a conversation, from its newest messages. */
  select(key: string): void {
    const previous = this.conversation;
    const next = this.conversations.get(key);
    if (previous && previous !== next) {
      previous.newAfter = null;
      previous.goToNewest();
    }
    this.current = key;
    this.isReading = false;
    next?.retry();
    if (this.isLooking && next) this.#read(next);
    this.#fill();
    this.onChange();
  }

  /** Marks a conversation as read, and tells that to the user's other devices. The engine sends no more than is due. */
  #read(conversation: Conversation): void {
    conversation.markRead();
    if (!this.claimed) return;
    if (conversation.kind === "room") {
      const { name: room, read: seq } = conversation;
      // Before the room's mark and its first messages are here, there is nothing to tell: the server keeps what comes last.
      return void (seq && this.#send({ type: "mark_read", room, seq }));
    }
    // One mark is for all of them: up to the first message that is unread in any.
    const direct = [...this.conversations.values()].filter((it) => it.kind === "direct");
    const unread = direct.flatMap((it) => it.firstUnread ?? []);
    const seq = unread.length > 0 ? Math.min(...unread) - 1 : Math.max(...direct.map((it) => it.read));
    // Another device may know conversations that are not here.
    if (seq <= this.#directRead) return;
    this.#send({ type: "mark_read", seq });
    this.#directRead = seq;
  }

  /** Says whether the user sees the newest messages of the present conversation. */
  setLooking(isLooking: boolean): void {
    const conversation = this.conversation;
    if (!conversation || this.isLooking === isLooking) return void (this.isLooking = isLooking);
    this.isLooking = isLooking;
    if (isLooking) this.#read(conversation);
    else conversation.newAfter = null;
    this.onChange();
  }

  /** Sends a message to the present conversation, or to another person. */
  say(text: string, style: "said" | "action", to = this.conversation): void {
    if (!to) return;
    this.#outbox.send(to, text, style);
    to.newAfter = null;
    // Elsewhere the user would not see the own message, nor that it is refused.
    if (to === this.conversation) this.goToNewest();
    else this.onChange();
  }

  /** Takes a refused message back for another try, and returns its text. */
  takeBack(conversation: Conversation, id: string): string {
    const pending = conversation.pending.find((it) => it.id === id);
    this.#outbox.drop(id);
    this.onChange();
    return pending ? (pending.style === "action" ? `/me ${pending.text}` : pending.text) : "";
  }

  /** Sends a refused message again: to whoever has the person's name now. */
  sendAnyway(conversation: Conversation, { id, text, style }: PendingMessage): void {
    this.#outbox.drop(id);
    conversation.session = null;
    this.say(text, style, conversation);
  }

  /** Joins a room and shows it; shows it at once if this user is there. */
  join(room: string): void {
    const known = this.conversations.findRoom(room);
    if (known) return this.select(known.name);
    this.#joining = room;
    this.request({ type: "join", room });
  }

  /** Leaves a room, or closes the conversation with a person. */
  leave(conversation: Conversation): void {
    if (conversation.kind === "room") return void this.request({ type: "leave", room: conversation.name });
    this.conversations.delete(conversation.key);
    this.select(this.conversations.firstKey);
  }

  /** Claims the name for the user's key. */
  claim(reason: ClaimReason): void {
    this.#send({ type: "claim", id: reason });
  }

  /** Gives the claimed name up. */
  giveUpName(): void {
    this.#send({ type: "unclaim", id: GIVE_UP });
  }

  /** Takes the claimed name from all other devices. */
  unlinkOthers(): void {
    this.#send({ type: "unlink" });
  }

  /** Notes a code for another device, which the server is asked to take. One that is on show stays until it has. */
  offerLink(code: LinkCode): void {
    this.#offered.push(code);
  }

  /** Opens a conversation with one person. */
  openDirect(name: string): void {
    this.select(this.conversations.open("direct", name).key);
  }

  /** Shows a note, in place of one that says the same. */
  toast(message: Toast["message"], kind: Toast["kind"] = "info"): void {
    this.toasts = addToast(this.toasts, { id: this.#nextId++, message, kind });
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
    restoreConversations(this.conversations, saved, () => String(this.#nextId++));
    for (const { kind, name, message } of onTheirWay) this.conversations.open(kind, name).pending.push(message);
    this.current = saved.current;
  }
}
