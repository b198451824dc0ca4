/** Short notes that the user can dismiss. */

import type { Toast } from "../model/toasts";
import type { L10n } from "../text/l10n";
import { reasonText, sanctionedText } from "../text/reasons";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { IconButton } from "./icon";

/** Returns the text of a note, safe to show. */
function toastText(l10n: L10n, message: Toast["message"]): string {
  if ("text" in message) return safeLine(message.text);
  if ("error" in message) return reasonText(l10n, message.error);
  if ("sanctioned" in message) return sanctionedText(l10n, message.sanctioned);
  return l10n.text(message.id, message.args);
}

/** The notes. While a dialog is open they are in it: what is outside cannot be reached then. */
export function Toasts() {
  const { model, l10n } = useShared();
  return (
    <div class="toasts" role="status">
      {model.toasts.map(({ id, kind, message }) => (
        <div key={id} class={`toast toast-${kind}`}>
          <p dir="auto">{toastText(l10n, message)}</p>
          <IconButton icon="close" label={l10n.text("dismiss")} onClick={() => model.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
