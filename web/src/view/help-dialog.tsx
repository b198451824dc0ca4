/** The commands that can be typed. */

import { useShared } from "./context";
import { Dialog } from "./dialog";

/** Commands, with the ids of their explanations. */
const COMMANDS: [string, string][] = [
  ["/me TEXT", "me"],
  ["/msg NAME TEXT", "msg"],
  ["/join ROOM", "join"],
  ["/leave", "leave"],
  ["/history 50", "history"],
  ["/topic TEXT", "topic"],
  ["/search WORDS", "search"],
  ["/rooms", "rooms"],
  ["/who", "who"],
  ["/remove", "remove"],
  ["/ignore NAME", "ignore"],
  ["/claim", "claim"],
  ["/link", "link"],
  ["/quit", "quit"],
];

/** Commands of moderators. */
const MODERATION: [string, string][] = [
  ["/kick NAME", "kick"],
  ["/ban NAME 2h", "ban"],
  ["/mute NAME 10m", "mute"],
  ["/remove NAME TEXT", "remove-of"],
  ["/bans", "bans"],
  ["/slow 10s", "slow"],
  ["/moderated on", "moderated"],
  ["/announce TEXT", "announce"],
  ["/role NAME moderator", "role"],
];

/** A list of commands. */
function Commands({ commands }: { commands: [string, string][] }) {
  const { l10n } = useShared();
  return (
    <dl class="commands">
      {commands.map(([command, id]) => (
        <div key={id}>
          <dt><code>{command}</code></dt>
          <dd>{l10n.text(`help-${id}`)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What can be typed. */
export function HelpDialog() {
  const { l10n } = useShared();
  return (
    <Dialog title={l10n.text("help-title")}>
      <Commands commands={COMMANDS} />
      <h3>{l10n.text("help-moderators")}</h3>
      <Commands commands={MODERATION} />
    </Dialog>
  );
}
