/** What can be done with a message or a person, as a list of buttons. */

import type { Conversation } from "../model/conversation";
import type { Author } from "../model/ignored";
import type { Message } from "../model/message";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { Dialog } from "./dialog";

/** A button of the list, which closes the dialog. */
function Choice(props: { label: string; danger?: boolean; onClick: () => void }) {
  const { actions } = useShared();
  return (
    <li>
      <button
        type="button"
        class={props.danger ? "danger" : ""}
        onClick={() => {
          actions.show(null);
          props.onClick();
        }}
      >
        {props.label}
      </button>
    </li>
  );
}

/** Asks before something that cannot be taken back. */
export function ConfirmDialog({ label, note, carryOut }: { label: string; note?: string; carryOut: () => void }) {
  return (
    <Dialog title={label}>
      {note && <p>{note}</p>}
      <ul class="actions">
        <Choice label={label} danger onClick={carryOut} />
      </ul>
    </Dialog>
  );
}

/** What can be done with a person. `session`: where it is about a message, that of its author. */
function PersonChoices({ author, room, session }: { author: Author; room: Conversation; session?: number | undefined }) {
  const { model, l10n, actions, ignored } = useShared();
  const name = author.from;
  if (name === model.name) return null;
  const args = { name: safeLine(name) };
  const isIgnored = ignored.has(author);
  const role = room.kind === "room" ? model.roleIn(room) : null;
  const who = { name, room: room.name, session };
  const moderate = (id: string, type: string, more = {}) => {
    const label = l10n.text(id, args);
    const carryOut = () => model.moderation.send({ type, ...who, ...more });
    return <Choice label={label} danger onClick={() => actions.show({ kind: "confirm", label, carryOut })} />;
  };
  const ask = (action: "ban" | "mute") => actions.show({ kind: "sanction", action, ...who });
  return (
    <>
      <Choice label={l10n.text("action-write", args)} onClick={() => model.openDirect(name)} />
      {room.kind === "room" && <Choice label={l10n.text("action-mention", args)} onClick={() => actions.compose(`@${name} `)} />}
      <Choice label={l10n.text(isIgnored ? "action-unignore" : "action-ignore", args)} onClick={() => actions.ignore(author, !isIgnored)} />
      {role && (
        <>
          <Choice label={l10n.text("action-mute", args)} danger onClick={() => ask("mute")} />
          {moderate("action-kick", "kick")}
          <Choice label={l10n.text("action-ban", args)} danger onClick={() => ask("ban")} />
        </>
      )}
      {role === "owner" && moderate("action-moderator", "role", { role: "moderator" })}
      {role === "owner" && moderate("action-no-moderator", "role", { role: "none" })}
    </>
  );
}

/** Copies a text; browsers allow that on https and localhost only. */
function CopyChoice({ message }: { message: Message }) {
  const { l10n } = useShared();
  if (!isSecureContext) return null;
  return <Choice label={l10n.text("message-copy")} onClick={() => void navigator.clipboard.writeText(message.text)} />;
}

/** What can be done with a message of the present conversation. */
export function MessageDialog({ seq }: { seq: number }) {
  const { model, l10n, actions } = useShared();
  const room = model.conversation;
  const message = room?.messages.find((it) => it.seq === seq);
  if (!room || !message) return null;
  const mayRemove = room.kind === "room" && message.style !== "removed" && (message.own || model.roleIn(room) !== null);
  const label = l10n.text("message-remove");
  const carryOut = () => model.moderation.remove(room, seq);
  return (
    <Dialog title={safeLine(message.from)}>
      <ul class="actions">
        {message.style !== "removed" && <CopyChoice message={message} />}
        {mayRemove && (
          <Choice label={label} danger onClick={() => actions.show({ kind: "confirm", label, note: safeLine(message.text), carryOut })} />
        )}
        <PersonChoices author={message} room={room} session={message.session} />
      </ul>
    </Dialog>
  );
}

/** What can be done with a person. */
export function PersonDialog({ name }: { name: string }) {
  const { model, l10n } = useShared();
  const room = model.conversation;
  if (!room) return null;
  return (
    <Dialog title={safeLine(name)}>
      {name === model.name && <p class="hint">{l10n.text("you")}</p>}
      <ul class="actions">
        <PersonChoices author={model.conversations.authorOf(name)} room={room} />
      </ul>
    </Dialog>
  );
}
