/** Short notes that the user can dismiss. */

import { useEffect } from "preact/hooks";
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

/** Time in which a note without urgency can be read, in milliseconds: for any, and for each of its characters. */
const READING_TIME = [5_000, 60] as const;

/** A note. One that only informs goes away by itself once it was in sight for long enough. */
function Note({ toast: { id, kind, message } }: { toast: Toast }) {
  const { model, l10n } = useShared();
  const text = toastText(l10n, message);
  useEffect(() => {
    if (kind !== "info") return;
    let timer: ReturnType<typeof setTimeout>;
    const wait = () => {
      clearTimeout(timer);
      if (document.visibilityState === "visible") timer = setTimeout(() => model.dismiss(id), READING_TIME[0] + READING_TIME[1] * text.length);
    };
    wait();
    document.addEventListener("visibilitychange", wait);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wait);
    };
  }, []);
  return (
    <div class={`toast toast-${kind}`}>
      <p dir="auto">{text}</p>
      <IconButton icon="close" label={l10n.text("dismiss")} onClick={() => model.dismiss(id)} />
    </div>
  );
}

/** The notes. While a dialog is open they are in it: what is outside cannot be reached then. */
export function Toasts() {
  const { model } = useShared();
  return (
    <div class="toasts" role="status">
      {model.toasts.map((it) => (
        <Note key={it.id} toast={it} />
      ))}
    </div>
  );
}
