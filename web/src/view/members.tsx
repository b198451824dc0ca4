/** Who is in a room: a list, which is beside the messages or in a dialog. */

import { safeLine } from "../text/safe";
import { hueClass, useShared } from "./context";
import { Dialog } from "./dialog";

/** The members of a room. */
export function MemberList() {
  const { model, l10n, actions } = useShared();
  const room = model.conversation;
  if (!room || room.kind !== "room") return null;
  const names = room.names && [...room.names].sort((a, b) => a.localeCompare(b));
  return (
    <ul class="members">
      {model.roleIn(room) && (
        <li>
          <button type="button" onClick={() => actions.show({ kind: "moderation", room: room.name })}>{l10n.text("moderation-open")}</button>
        </li>
      )}
      {!names && <li class="hint">{l10n.text(room.members ? "members-too-many" : "members-none")}</li>}
      {names?.map((name) => (
        <li key={name}>
          <button type="button" onClick={() => actions.show({ kind: "person", name })}>
            <span class={`avatar ${hueClass(name)}`} aria-hidden="true">{[...safeLine(name)][0]?.toUpperCase()}</span>
            <bdi>{safeLine(name)}</bdi>
            {name === model.name && <span class="choice-note">{l10n.text("you")}</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The members of a room as a dialog, on small screens. */
export function MembersDialog() {
  const { l10n } = useShared();
  return (
    <Dialog title={l10n.text("members-title")}>
      <MemberList />
    </Dialog>
  );
}
