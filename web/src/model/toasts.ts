/** Short notes. */

/** A short note that the user can dismiss. */
export interface Toast {
  id: number;
  /** Name of a message of the catalogue, or a text as it is. */
  message: { id: string; args?: Record<string, string | number> } | { text: string };
  kind: "info" | "error";
}

/** Notes that are shown at a time. */
const MOST = 3;

/** Adds a note, in place of one that says the same. */
export function addToast(toasts: Toast[], toast: Toast): Toast[] {
  const others = toasts.filter((it) => JSON.stringify(it.message) !== JSON.stringify(toast.message));
  return [...others, toast].slice(-MOST);
}
