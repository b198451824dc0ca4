/** The user, and how the page behaves. */

import { useState } from "preact/hooks";
import { notificationState } from "../browser/attention";
import { load, save } from "../browser/storage";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { askUnlink } from "./device-dialog";
import { Dialog } from "./dialog";

/** Whether notifications are shown, or why not. */
function Notifications() {
  const { l10n } = useShared();
  const [state, setState] = useState(notificationState());
  if (state !== "default") return <p class="hint">{l10n.text(`settings-notify-${state}`)}</p>;
  const ask = async () => {
    await Notification.requestPermission();
    setState(notificationState());
  };
  return (
    <button type="button" onClick={() => void ask()}>{l10n.text("settings-notify")}</button>
  );
}

/** Keeps the name for this user, or gives it up, on a server that can keep it. */
function OwnName() {
  const shared = useShared();
  const { model, l10n, actions } = shared;
  if (model.proof === "impossible") return null;
  const label = l10n.text(model.claimed ? "name-give-up" : "name-keep");
  const note = l10n.text("name-give-up-note");
  const giveUp = () => actions.show({ kind: "confirm", label, note, carryOut: () => model.giveUpName() });
  return (
    <>
      <p class="hint">{model.claimed ? l10n.text("name-kept", { name: model.claimed }) : l10n.text("name-keep-note")}</p>
      {model.claimed && (
        <>
          <button type="button" onClick={actions.linkDevice}>{l10n.text("device-add")}</button>
          <button type="button" onClick={() => askUnlink(shared)}>{l10n.text("device-unlink")}</button>
        </>
      )}
      <button type="button" onClick={model.claimed ? giveUp : actions.keepName}>{label}</button>
    </>
  );
}

/** The user, and how the page behaves. */
export function SettingsDialog() {
  const { model, l10n, actions } = useShared();
  const [sound, setSound] = useState(load("sound") ?? false);
  return (
    <Dialog title={l10n.text("settings")}>
      <p>{l10n.text("settings-name", { name: safeLine(model.name), server: safeLine(model.server) })}</p>
      <OwnName />
      <label class="check">
        <input
          type="checkbox"
          checked={sound}
          onChange={(event) => {
            setSound(event.currentTarget.checked);
            save("sound", event.currentTarget.checked);
          }}
        />
        {l10n.text("settings-sound")}
      </label>
      <Notifications />
      <div class="buttons">
        <button type="button" onClick={() => actions.show({ kind: "invite" })}>{l10n.text("invite")}</button>
        <button type="button" onClick={() => actions.show({ kind: "help" })}>{l10n.text("help-title")}</button>
        <button type="button" class="danger" onClick={actions.leave}>{l10n.text("settings-leave")}</button>
      </div>
    </Dialog>
  );
}
