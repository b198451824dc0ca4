/** The code by which another device of the user comes in under the name. */

import { useEffect, useReducer } from "preact/hooks";
import type { ShownCode } from "../model/devices";
import type { Shared } from "./context";
import { useShared } from "./context";
import { Dialog } from "./dialog";
import { QrCode } from "./qr-code";

/** Asks whether the name is to be taken from all other devices. */
export function askUnlink({ model, l10n, actions }: Shared): void {
  const label = l10n.text("device-unlink");
  actions.show({ kind: "confirm", label, note: l10n.text("device-unlink-note"), carryOut: () => model.unlinkOthers() });
}

/** Shows a code with the time that it is still good, and then offers to make another one. */
export function DeviceDialog({ made: { code, url, svg, end } }: { made: ShownCode }) {
  const { model, l10n, actions } = useShared();
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => redraw(0), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil((end - Date.now()) / 1_000);
  const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  return (
    <Dialog title={l10n.text("device-add")}>
      {left > 0 ? (
        <>
          <QrCode svg={svg} />
          <p>{l10n.text("device-how", { address: url, name: model.name })}</p>
          <p class="link-code">{code}</p>
          <p class="hint" role="timer">{l10n.text("device-left", { time })}</p>
        </>
      ) : (
        <>
          <p>{l10n.text("device-over")}</p>
          <button class="primary" type="button" onClick={actions.linkDevice}>{l10n.text("device-again")}</button>
        </>
      )}
    </Dialog>
  );
}
