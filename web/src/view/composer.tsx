/** The field for writing. */

import { useLayoutEffect, useReducer, useRef } from "preact/hooks";
import type { Conversation } from "../model/conversation";
import { useShared } from "./context";
import { Icon } from "./icon";
import { carryOut } from "./typed";

/** Returns true on devices without a keyboard: there Enter begins a new line. */
function isTouch(): boolean {
  return matchMedia("(pointer: coarse)").matches;
}

/** Completes the word before the cursor, which begins with `@`, to a member's name. */
function completeName(field: HTMLTextAreaElement, names: readonly string[]): boolean {
  const before = field.value.slice(0, field.selectionStart);
  const typed = /(?:^|\s)@([^\s@]+)$/.exec(before)?.[1]?.toLowerCase();
  const name = typed && names.find((it) => it.toLowerCase().startsWith(typed));
  if (!typed || !name) return false;
  field.setRangeText(`${name} `, field.selectionStart - typed.length, field.selectionStart, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
}

/** The field for writing to a conversation. It is made anew for each. */
export function Composer({ conversation }: { conversation: Conversation }) {
  const shared = useShared();
  const { model, l10n, actions } = shared;
  const field = useRef<HTMLTextAreaElement>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const place = conversation.kind === "room" ? `#${conversation.name}` : conversation.name;
  const excess = new TextEncoder().encode(conversation.draft).length - model.maxText;

  // The field grows with its text, up to a limit of the style sheet.
  useLayoutEffect(() => {
    const it = field.current;
    if (!it) return;
    it.style.height = "auto";
    it.style.height = `${it.scrollHeight}px`;
  }, [conversation.draft]);

  /** Takes over what is typed. Nothing but this field is drawn again. */
  const setDraft = (draft: string) => {
    conversation.draft = draft;
    redraw(0);
    actions.keepDraft();
  };

  const send = () => {
    if (excess > 0 || !carryOut(conversation.draft, conversation, shared)) return;
    setDraft("");
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !isTouch()) {
      event.preventDefault();
      send();
    } else if (event.key === "Tab" && !event.shiftKey && field.current) {
      if (completeName(field.current, conversation.names ?? [])) event.preventDefault();
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {excess > 0 && (
        <p class="problem" role="alert">
          {l10n.text("compose-too-long", { bytes: excess })}
        </p>
      )}
      <div class="composer-row">
        <textarea
          ref={field}
          id="compose"
          dir="auto"
          rows={1}
          enterkeyhint={isTouch() ? "enter" : "send"}
          aria-label={l10n.text("compose-label", { place })}
          placeholder={l10n.text("compose-placeholder")}
          value={conversation.draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="primary send" aria-label={l10n.text("compose-send")} disabled={excess > 0}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}
