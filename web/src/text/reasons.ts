/** Says in the user's language why something was refused, and what a moderator did to this user. */

import type { ErrorEvent, Sanction, Sanctioned } from "../engine/events";
import type { L10n } from "./l10n";
import { safeLine } from "./safe";

/** End of the server's sentence about a ban or mute: how long it still lasts, and a moderator's words. */
const REST = /(?: for another (\d+) (s|min|h|days))?(?:: (.*)|\.)$/su;

/** The server's sentence about an invitation that somebody else's name is in. */
const FOR_NAME = /^This invitation is for the name (.+)\.$/su;

/** The server's units of time, as `Intl` names them. */
const UNITS: Record<string, string> = { s: "second", min: "minute", h: "hour", days: "day" };

/** Puts those parts of a note together that there are. */
function join(...parts: (string | false | null | undefined)[]): string {
  return parts.filter(Boolean).join(" · ");
}

/**
 * Returns the reason of a refusal, safe to show. The server says it in English, so its own text is shown
 * only if there is no other. Of a ban or mute it also has what no code tells: the time left, and why; of an invitation,
 * for which name it is.
 */
export function reasonText(l10n: L10n, { name, text }: Pick<ErrorEvent, "name" | "text">): string {
  const known = l10n.find(`error-${name}`);
  if (known === null) return safeLine(text);
  const invited = name === "invite_invalid" && FOR_NAME.exec(text)?.[1];
  if (invited) return l10n.text("invite-for-name", { name: invited });
  if (name !== "banned" && name !== "muted") return known;
  if (text.startsWith("Only moderators")) return l10n.text("moderated-mode");
  const [, count, unit = "", reason] = REST.exec(text) ?? [];
  return join(known, count && l10n.text("sanction-left", { time: l10n.duration(Number(count), UNITS[unit]!) }), reason && safeLine(reason));
}

/** Returns until when a ban or mute lasts, and who gave which reason for it; all as far as it is known. */
export function sanctionNotes(l10n: L10n, { until, by, reason }: Pick<Sanction, "until" | "by" | "reason">): string {
  return join(
    until && l10n.text("sanction-until", { time: l10n.moment(Date.parse(until)) }),
    by && l10n.text("sanction-by", { by }),
    reason && safeLine(reason),
  );
}

/** Returns what a moderator, or the server's owner, did to this user, and where. */
export function sanctionedText(l10n: L10n, event: Sanctioned): string {
  const place = event.room === null ? l10n.text("whole-server") : `#${safeLine(event.room)}`;
  return join(l10n.text(`sanctioned-${event.action}`), place, sanctionNotes(l10n, event));
}
