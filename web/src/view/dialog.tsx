/** A dialog over the page. The browser keeps the focus in it, and Escape closes it. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { IconButton } from "./icon";
import { useShared } from "./context";
import { Toasts } from "./toasts";

/** A dialog with a title. */
export function Dialog(props: { title: string; class?: string; children: ComponentChildren }) {
  const { l10n, actions } = useShared();
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = useRef(true);
  // Before the page is drawn: a field with `autofocus` would have the focus already.
  useLayoutEffect(() => {
    const it = dialog.current;
    it?.showModal();
    return () => {
      isOpen.current = false;
      // The focus goes back to where it was.
      it?.close();
    };
  }, []);
  const close = () => isOpen.current && actions.show(null);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${props.class ?? ""}`}
      aria-labelledby="dialog-title"
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div class="dialog-body">
        <header class="dialog-header">
          <h2 id="dialog-title" dir="auto">{props.title}</h2>
          <IconButton icon="close" label={l10n.text("close")} onClick={close} />
        </header>
        {props.children}
      </div>
      <Toasts />
    </dialog>
  );
}
