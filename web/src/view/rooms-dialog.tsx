/** Finding a room: the server's rooms, and a field for any. */

import { useEffect, useState } from "preact/hooks";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { Dialog } from "./dialog";

/** The server's rooms, and a field for any room. */
export function RoomsDialog() {
  const { model, l10n, actions } = useShared();
  const [name, setName] = useState("");
  useEffect(() => void model.request({ type: "rooms" }), []);
  const go = (room: string) => {
    actions.show(null);
    actions.showMenu(false);
    model.join(room);
  };
  return (
    <Dialog title={l10n.text("rooms-title")}>
      <form
        class="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          const room = name.trim().replace(/^#+/, "");
          if (room) go(room);
        }}
      >
        <label for="room-name">{l10n.text("rooms-label")}</label>
        <input id="room-name" dir="auto" autocapitalize="off" spellcheck={false} aria-describedby="rooms-note" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        <button class="primary" type="submit">{l10n.text("rooms-go")}</button>
      </form>
      <p class="hint" id="rooms-note">{l10n.text("rooms-note")}</p>
      {!model.listedRooms && <p class="hint">{l10n.text("rooms-loading")}</p>}
      <ul class="choices">
        {model.listedRooms?.map((room) => (
          <li key={room.name}>
            <button type="button" onClick={() => go(room.name)}>
              <span class="choice-title" dir="auto">#{safeLine(room.name)}</span>
              <span class="choice-note">
                {l10n.text("room-members", { count: room.members })}
                {model.conversations.has(room.name) && ` · ${l10n.text("room-joined")}`}
              </span>
              {room.topic && <span class="choice-text" dir="auto">{safeLine(room.topic)}</span>}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
