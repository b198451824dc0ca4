/** Short notes that the user can dismiss. */

import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { IconButton } from "./icon";

/** The notes. While a dialog is open they are in it: what is outside cannot be reached then. */
export function Toasts() {
  const { model, l10n } = useShared();
  return (
    <div class="toasts" role="status">
      {model.toasts.map(({ id, kind, message }) => (
        <div key={id} class={`toast toast-${kind}`}>
          <p dir="auto">{safeLine("text" in message ? message.text : (l10n.find(message.id, message.args) ?? String(message.args?.text ?? message.id)))}</p>
          <IconButton icon="close" label={l10n.text("dismiss")} onClick={() => model.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
