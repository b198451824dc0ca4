/**
 * The messages of a conversation. At the newest it stays there; elsewhere what the reader sees
 * stays where it is, whatever is added above or below.
 */

import { useEffect, useLayoutEffect, useReducer, useRef } from "preact/hooks";
import type { Conversation } from "../model/conversation";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { Icon } from "./icon";
import { MessageRow, PendingRow } from "./message";
import { makeRows, type Row } from "./rows";
import { ListWindow } from "./window";

/** Distance from an end at which more is shown, in pixels. */
const MARGIN = 600;

/** Distance from the end that counts as being there, in pixels. */
const END = 40;

/** Row at the top of what is seen, and how far below the top of the list its end is. The first of all
    rows loses its author when an older message of the same person comes before it: its beginning moves. */
interface Anchor {
  key: string;
  offset: number;
}

/** Returns the row that the reader sees first. */
function findAnchor(scroller: HTMLElement): Anchor | null {
  const top = scroller.getBoundingClientRect().top;
  for (const row of scroller.querySelectorAll<HTMLElement>("[data-key^=message]")) {
    const box = row.getBoundingClientRect();
    if (box.bottom > top) return { key: row.dataset.key ?? "", offset: box.bottom - top };
  }
  return null;
}

/** Scrolls so that a row is where it was. */
function restoreAnchor(scroller: HTMLElement, anchor: Anchor): void {
  const row = scroller.querySelector<HTMLElement>(`[data-key="${anchor.key}"]`);
  if (!row) return;
  const offset = row.getBoundingClientRect().bottom - scroller.getBoundingClientRect().top;
  if (Math.abs(offset - anchor.offset) >= 1) scroller.scrollTop += offset - anchor.offset;
}

/** Buttons of the messages: one of them at a time can be reached with Tab, the others from there with the arrows. */
const BUTTONS = ".message-actions";

/** Makes a button the one that can be reached with Tab. */
function rove(list: HTMLElement, button: HTMLElement | null | undefined): void {
  for (const it of list.querySelectorAll<HTMLElement>(`${BUTTONS}[tabindex="0"]`)) it.tabIndex = -1;
  if (button) button.tabIndex = 0;
}

/** Goes from a message's button to that of the message before or after it. */
function onListKey(event: KeyboardEvent): void {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const list = event.currentTarget as HTMLElement;
  const buttons = [...list.querySelectorAll<HTMLElement>(BUTTONS)];
  const at = buttons.indexOf(event.target as HTMLElement);
  if (!step || at < 0) return;
  event.preventDefault();
  buttons[at + step]?.focus();
}

/** A row of any kind. */
function RowView({ row }: { row: Row }) {
  const { l10n } = useShared();
  switch (row.kind) {
    case "day":
      return <li class="line day"><span>{l10n.day(row.time)}</span></li>;
    case "new":
      return <li class="line new" data-key="new"><span>{l10n.text("new-since")}</span></li>;
    case "gap":
      return <li class="line gap"><span>{l10n.text("messages-gap")}</span></li>;
    case "anew":
      return <li class="line gap"><span>{l10n.text("person-anew", { name: safeLine(row.name) })}</span></li>;
    case "message":
      return <MessageRow message={row.message} isFirst={row.isFirst} />;
  }
}

/** The messages of a conversation. It is made anew for each conversation. */
export function MessageList({ conversation }: { conversation: Conversation }) {
  const { model, l10n } = useShared();
  const scroller = useRef<HTMLDivElement>(null);
  const listWindow = useRef(new ListWindow()).current;
  const anchor = useRef<Anchor | null>(null);
  const isAtEnd = useRef(true);
  /** How far the list was scrolled when the reader's place was noted. */
  const scrolledTo = useRef(0);
  const stretch = useRef(conversation.stretch);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const { messages, pending } = conversation;
  const endsWithNewest = conversation.newer === "none";

  /** Shows more, or has more loaded, where the reader comes near an end of what is shown. */
  const extend = (list: HTMLElement) => {
    if (list.clientHeight === 0) return;
    const below = list.scrollHeight - list.scrollTop - list.clientHeight;
    if (list.scrollTop < MARGIN) {
      // At the newest, a window that is full is enough.
      if (isAtEnd.current && listWindow.stretch(messages).from > 0) return;
      if (listWindow.moveUp(messages)) redraw(0);
      else model.loadOlder(conversation);
    }
    if (below < MARGIN && !isAtEnd.current) {
      if (listWindow.moveDown(messages)) redraw(0);
      else model.loadNewer(conversation);
    }
  };

  /** Notes where the reader is. */
  const look = (list: HTMLElement) => {
    scrolledTo.current = list.scrollTop;
    const below = list.scrollHeight - list.scrollTop - list.clientHeight;
    isAtEnd.current = endsWithNewest && listWindow.followsNewest && below <= END;
    anchor.current = isAtEnd.current ? null : findAnchor(list);
    model.isReading = !isAtEnd.current;
    if (!isAtEnd.current) listWindow.hold(messages);
    model.setLooking(isAtEnd.current && document.visibilityState === "visible");
  };

  const onScroll = () => {
    const list = scroller.current;
    if (!list) return;
    look(list);
    extend(list);
  };

  // A reader who has scrolled since, of which the browser tells only with the next frame, must not be taken back.
  if (scroller.current && scroller.current.scrollTop !== scrolledTo.current) look(scroller.current);

  // Another stretch, or a message that a search has led to: the window moves there.
  if (conversation.target !== null) {
    listWindow.center(messages, conversation.target);
    isAtEnd.current = false;
  } else if (stretch.current !== conversation.stretch) {
    listWindow.follow();
    isAtEnd.current = endsWithNewest;
  }
  stretch.current = conversation.stretch;

  // After each drawing: what was added must not move what is read.
  useLayoutEffect(() => {
    const list = scroller.current;
    if (!list) return;
    const target = conversation.target !== null && list.querySelector(`[data-key="message-${conversation.target}"]`);
    if (!list.contains(document.activeElement)) rove(list, [...list.querySelectorAll<HTMLElement>(BUTTONS)].at(-1));
    if (target) {
      target.scrollIntoView({ block: "center" });
      target.querySelector<HTMLElement>(BUTTONS)?.focus({ preventScroll: true });
      conversation.target = null;
      look(list);
    } else if (isAtEnd.current) {
      list.scrollTop = list.scrollHeight;
    } else if (anchor.current) {
      restoreAnchor(list, anchor.current);
    }
    scrolledTo.current = list.scrollTop;
    extend(list);
  });

  // The first time, the reader begins where the new messages do.
  useLayoutEffect(() => {
    const line = isAtEnd.current && scroller.current?.querySelector<HTMLElement>("[data-key=new]");
    if (line) line.scrollIntoView({ block: "start" });
    model.setLooking(isAtEnd.current && document.visibilityState === "visible");
  }, []);

  // The keyboard of a phone makes the list smaller.
  useEffect(() => {
    const list = scroller.current;
    if (!list) return;
    const observer = new ResizeObserver(() => {
      if (isAtEnd.current) list.scrollTop = list.scrollHeight;
    });
    observer.observe(list);
    return () => observer.disconnect();
  }, []);

  const { from, to } = listWindow.stretch(messages);
  const rows = makeRows(messages, from, to, conversation.newAfter);
  const isAtBeginning = from === 0 && conversation.older === "none";
  return (
    <div class="messages-area">
      <div class="messages" ref={scroller} onScroll={onScroll} tabIndex={0} role="region" aria-label={l10n.text("messages")}>
        <div class="messages-top">
          {conversation.older === "loading" && l10n.text("messages-loading")}
          {isAtBeginning && l10n.text(conversation.kind === "direct" ? "direct-note" : messages.length ? "messages-begin" : "messages-empty")}
        </div>
        <ol
          onKeyDown={onListKey}
          onFocusIn={({ target, currentTarget }) => target instanceof HTMLElement && target.matches(BUTTONS) && rove(currentTarget, target)}
        >
          {rows.map((row) => (
            <RowView key={row.key} row={row} />
          ))}
          {endsWithNewest &&
            to === messages.length &&
            pending.map((it) => <PendingRow key={`pending-${it.id}`} conversation={conversation} message={it} />)}
        </ol>
      </div>
      {(!isAtEnd.current || !listWindow.followsNewest) && (
        <button type="button" class="to-newest" onClick={() => model.goToNewest()}>
          <Icon name="down" />
          {conversation.unread ? l10n.text("to-newest-unread", { count: conversation.unread }) : l10n.text("to-newest")}
        </button>
      )}
    </div>
  );
}
