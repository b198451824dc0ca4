/** Inviting others: the address of the chat, its QR code, and ways to pass it on. */

import { useEffect, useState } from "preact/hooks";
import { useShared } from "./context";
import { Dialog } from "./dialog";

/** Path of the QR code, which has the address for others as its title. */
const CODE = "/invite.svg";

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
  const [code, setCode] = useState("");
  useEffect(() => void fetch(CODE).then(async (it) => setCode(await it.text()), () => {}), []);
  const found = /<title>(.*)<\/title>/.exec(code)?.[1];
  const url = found ?? `${location.origin}/`;
  return (
    <Dialog title={l10n.text("invite")}>
      <p>{l10n.text("invite-how")}</p>
      {found && <img class="code" alt="QR" src={`data:image/svg+xml,${encodeURIComponent(code)}`} />}
      <p><a href={url}>{url}</a></p>
      <PassOn url={url} />
    </Dialog>
  );
}
