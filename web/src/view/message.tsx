/** A message, a message on its way, and the text of both. */

import { Component } from "preact";
import type { Conversation } from "../model/conversation";
import type { Message, PendingMessage } from "../model/message";
import type { L10n } from "../text/l10n";
import { mentions, splitText } from "../text/pieces";
import { reasonText } from "../text/reasons";
import { safeLine, safeText } from "../text/safe";
import { type Actions, hueClass, useShared } from "./context";
import { Icon } from "./icon";

/** Characters of a message that name its button. */
const LABEL = 80;

/** A text with links and mentions. */
export function Text({ text, name }: { text: string; name: string }) {
  return (
    <>
      {splitText(safeText(text), name).map((piece) =>
        piece.kind === "link" ? (
          <a dir="ltr" href={piece.href} target="_blank" rel="noopener noreferrer nofollow">{piece.text}</a>
        ) : piece.kind === "mention" ? (
          <mark>{piece.text}</mark>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}

/** What a message is drawn from. As long as all of it is the same, the message is not drawn again. */
interface RowProps {
  message: Message;
  /** Whether it begins with its author and time. */
  isFirst: boolean;
  /** Whether a search has led to it. */
  isMarked: boolean;
  /** Whether the user ignores its author. */
  isHidden: boolean;
  /** The user's own name. */
  name: string;
  l10n: L10n;
  actions: Actions;
}

/** The author's name: a button that says what can be done with the author. The keyboard has the message's button. */
function Author({ message, actions }: RowProps) {
  const { from } = message;
  return (
    <button type="button" tabIndex={-1} class={`author ${hueClass(from)}`} onClick={() => actions.show({ kind: "person", name: from })}>
      <bdi>{safeLine(from)}</bdi>
    </button>
  );
}

/** The time of a message. */
function Time({ message: { time }, l10n }: RowProps) {
  if (time === null) return null;
  return (
    <time dateTime={new Date(time).toISOString()} title={l10n.moment(time)}>
      {l10n.clock(time)}
    </time>
  );
}

/** The text of a message, or what stands in its place. */
function Content(props: RowProps) {
  const { message, isHidden, l10n } = props;
  if (message.style === "removed") return <p class="text is-removed">{l10n.text("message-removed")}</p>;
  if (isHidden) {
    return <p class="text is-removed">{l10n.text("ignored-message", { name: safeLine(message.from) })}</p>;
  }
  const name = message.own ? "" : props.name;
  if (message.style === "action") {
    return (
      <p class="text is-action" dir="auto">
        <Author {...props} /> <Text text={message.text} name={name} /> <Time {...props} />
      </p>
    );
  }
  return (
    <p class="text" dir="auto">
      <Text text={message.text} name={name} />
    </p>
  );
}

/**
 * A message as it is drawn. What is in it must not use what all parts share: that changes with each drawing. It is a
 * class, because with `useMemo` rows that are gone stay in memory.
 */
class Row extends Component<RowProps> {
  /** Says whether anything is another than it was. */
  override shouldComponentUpdate(next: RowProps): boolean {
    return Object.entries(next).some(([key, value]) => this.props[key as keyof RowProps] !== value);
  }

  /** Draws it. */
  override render(props: RowProps) {
    const { message, isFirst, isMarked, isHidden, name, l10n, actions } = props;
    const isForMe = !message.own && !isHidden && message.style !== "removed" && mentions(message.text, name);
    const classes = ["message", isFirst && "is-first", message.own && "is-own", isForMe && "is-mention", isMarked && "is-marked"];
    return (
      <li class={classes.filter(Boolean).join(" ")} data-key={`message-${message.seq}`}>
        {isFirst && message.style !== "action" && (
          <div class="message-head">
            <Author {...props} />
            <Time {...props} />
          </div>
        )}
        <div class="message-line">
          <Content {...props} />
          <button
            type="button"
            class="icon-button message-actions"
            tabIndex={-1}
            aria-label={`${l10n.text("message-actions")}: ${safeLine(message.from)}: ${safeLine(isHidden ? "" : message.text.slice(0, LABEL))}`}
            onClick={() => actions.show({ kind: "message", seq: message.seq })}
          >
            <Icon name="more" />
          </button>
        </div>
      </li>
    );
  }
}

/** A message. */
export function MessageRow({ message, isFirst }: { message: Message; isFirst: boolean }) {
  const { model, l10n, actions, ignored } = useShared();
  const props: RowProps = {
    message,
    isFirst,
    isMarked: message.seq === model.conversation?.marked,
    isHidden: !message.own && ignored.hides(message),
    name: model.name,
    l10n,
    actions,
  };
  return <Row {...props} />;
}

/** A message that is on its way or was refused. */
export function PendingRow({ conversation, message }: { conversation: Conversation; message: PendingMessage }) {
  const { model, l10n, actions } = useShared();
  const { error } = message;
  return (
    <li class={`message is-own is-pending ${error ? "is-refused" : ""}`} data-key={`pending-${message.id}`}>
      <p class="text" dir="auto">
        {message.style === "action" && <span class="author">{safeLine(model.name)} </span>}
        <Text text={message.text} name="" />
      </p>
      {error ? (
        <div class="refusal">
          <p role="alert">{l10n.text("message-refused", { reason: reasonText(l10n, error) })}</p>
          {error.name === "recipient_changed" && (
            <button type="button" onClick={() => model.sendAnyway(conversation, message)}>
              {l10n.text("message-send-anyway")}
            </button>
          )}
          <button type="button" onClick={() => actions.compose(model.takeBack(conversation, message.id))}>
            {l10n.text("message-edit")}
          </button>
          <button type="button" onClick={() => model.takeBack(conversation, message.id)}>
            {l10n.text("message-discard")}
          </button>
        </div>
      ) : (
        <span class="sending">{l10n.text("message-sending")}</span>
      )}
    </li>
  );
}
