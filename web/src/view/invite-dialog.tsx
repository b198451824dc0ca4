/** Inviting others: the address of the chat, its QR code, and ways to pass it on. */

import { useEffect, useState } from "preact/hooks";
import { pageAddress } from "../browser/address";
import { useShared } from "./context";
import { Dialog } from "./dialog";
import { QrCode } from "./qr-code";

/** A button that passes the address on. Browsers allow that on https and localhost only. */
function PassOn({ url }: { url: string }) {
  const { l10n, model } = useShared();
  const [isCopied, setCopied] = useState(false);
  if (!isSecureContext) return <p class="hint">{l10n.text("invite-by-hand")}</p>;
  const canShare = "share" in navigator;
  const passOn = async () => {
    try {
      if (canShare) await navigator.share({ title: model.server, url });
      else await navigator.clipboard.writeText(url);
      setCopied(!canShare);
    } catch {
      // The user has changed their mind.
    }
  };
  return (
    <button class="primary" type="button" onClick={() => void passOn()}>
      {l10n.text(isCopied ? "invite-copied" : canShare ? "invite-share" : "invite-copy")}
    </button>
  );
}

/** Shows how others get here. Without a code from the server it is the address of this page. */
export function InviteDialog() {
  const { l10n } = useShared();
  const [{ url, svg }, setAddress] = useState({ url: `${location.origin}/`, svg: "" });
  useEffect(() => void pageAddress().then(setAddress), []);
  return (
    <Dialog title={l10n.text("invite")}>
      <p>{l10n.text("invite-how")}</p>
      <QrCode svg={svg} />
      <p><a href={url}>{url}</a></p>
      <PassOn url={url} />
    </Dialog>
  );
}
