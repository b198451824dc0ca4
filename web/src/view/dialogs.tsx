/** The dialogs: rooms, search, members, settings, help. */

import { useEffect, useState } from "preact/hooks";
import { notificationState } from "../browser/attention";
import { load, save } from "../browser/storage";
import type { FoundMessage } from "../engine/events";
import { foldName } from "../text/fold";
import { reasonText } from "../text/reasons";
import { safeLine, safeText } from "../text/safe";
import { hueClass, useShared } from "./context";
import { Dialog } from "./dialog";
import { beginSearch } from "./typed";

/** The server's rooms, and a field for any room. */
export function RoomsDialog() {
  const { model, l10n, actions } = useShared();
  const [name, setName] = useState("");
  useEffect(() => void model.request({ type: "rooms" }), []);
  const go = (room: string) => {
    actions.show(null);
    actions.showMenu(false);
    model.join(room);
  };
  return (
    <Dialog title={l10n.text("rooms-title")}>
      <form
        class="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          const room = name.trim().replace(/^#+/, "");
          if (room) go(room);
        }}
      >
        <label for="room-name">{l10n.text("rooms-label")}</label>
        <input id="room-name" dir="auto" autocapitalize="off" spellcheck={false} aria-describedby="rooms-note" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        <button class="primary" type="submit">{l10n.text("rooms-go")}</button>
      </form>
      <p class="hint" id="rooms-note">{l10n.text("rooms-note")}</p>
      {!model.listedRooms && <p class="hint">{l10n.text("rooms-loading")}</p>}
      <ul class="choices">
        {model.listedRooms?.map((room) => (
          <li key={room.name}>
            <button type="button" onClick={() => go(room.name)}>
              <span class="choice-title" dir="auto">#{safeLine(room.name)}</span>
              <span class="choice-note">
                {l10n.text("room-members", { count: room.members })}
                {model.conversations.has(room.name) && ` · ${l10n.text("room-joined")}`}
              </span>
              {room.topic && <span class="choice-text" dir="auto">{safeLine(room.topic)}</span>}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** Search in all rooms. */
export function SearchDialog() {
  const { model, l10n, actions, ignored } = useShared();
  const { search } = model;
  const [wrong, setWrong] = useState<string | null>(null);
  // Who looks for what an ignored person wrote wants to see it.
  const shown = foldName(search.query.from ?? "");
  const isHidden = ({ own, from }: FoundMessage) => !own && ignored.has(foldName(from)) && foldName(from) !== shown;
  const [query, setQuery] = useState(search.typed);
  return (
    <Dialog title={l10n.text("search")} class="wide">
      <form
        class="field-row"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          if (query.trim()) setWrong(beginSearch(query.trim(), model));
          model.onChange();
        }}
      >
        <label for="search-field">{l10n.text("search-label")}</label>
        <input id="search-field" enterkeyhint="search" dir="auto" autofocus value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
        <button class="primary" type="submit">{l10n.text("search-go")}</button>
      </form>
      <p class="hint" role="status">
        {wrong !== null && l10n.text("search-wrong", { piece: wrong })}
        {search.state === "searching" && l10n.text("search-searching")}
        {search.error && reasonText(l10n, search.error)}
        {search.state === "done" && search.results.length === 0 && l10n.text("search-none")}
      </p>
      <ol class="results">
        {search.results.map((found) => (
          <li key={found.seq}>
            <button
              type="button"
              class="result"
              onClick={() => {
                actions.show(null);
                model.goTo(found.room, found.seq);
              }}
            >
              <span class="message-head">
                <span class={`author ${hueClass(found.from)}`}><bdi>{safeLine(found.from)}</bdi></span>
                <span class="choice-note"><bdi>#{safeLine(found.room)}</bdi></span>
                {found.time && <time dateTime={found.time}>{l10n.moment(Date.parse(found.time))}</time>}
              </span>
              <span class="text" dir="auto">
                {isHidden(found) ? l10n.text("ignored-message", { name: found.from }) : safeText(found.text)}
              </span>
            </button>
          </li>
        ))}
      </ol>
      {search.before !== null && search.state === "done" && (
        <button
          type="button"
          onClick={() => {
            search.more();
            model.onChange();
          }}
        >
          {l10n.text("search-more")}
        </button>
      )}
    </Dialog>
  );
}

/** The members of a room. */
export function MemberList() {
  const { model, l10n, actions } = useShared();
  const room = model.conversation;
  if (!room || room.kind !== "room") return null;
  const names = room.names && [...room.names].sort((a, b) => a.localeCompare(b));
  return (
    <ul class="members">
      {model.roleIn(room) && (
        <li>
          <button type="button" onClick={() => actions.show({ kind: "moderation", room: room.name })}>{l10n.text("moderation-open")}</button>
        </li>
      )}
      {!names && <li class="hint">{l10n.text(room.members ? "members-too-many" : "members-none")}</li>}
      {names?.map((name) => (
        <li key={name}>
          <button type="button" onClick={() => actions.show({ kind: "person", name })}>
            <span class={`avatar ${hueClass(name)}`} aria-hidden="true">{[...safeLine(name)][0]?.toUpperCase()}</span>
            <bdi>{safeLine(name)}</bdi>
            {name === model.name && <span class="choice-note">{l10n.text("you")}</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The members of a room as a dialog, on small screens. */
export function MembersDialog() {
  const { l10n } = useShared();
  return (
    <Dialog title={l10n.text("members-title")}>
      <MemberList />
    </Dialog>
  );
}

/** Whether notifications are shown, or why not. */
function Notifications() {
  const { l10n } = useShared();
  const [state, setState] = useState(notificationState());
  if (state !== "default") return <p class="hint">{l10n.text(`settings-notify-${state}`)}</p>;
  const ask = async () => {
    await Notification.requestPermission();
    setState(notificationState());
  };
  return (
    <button type="button" onClick={() => void ask()}>{l10n.text("settings-notify")}</button>
  );
}

/** The user, and how the page behaves. */
export function SettingsDialog() {
  const { model, l10n, actions } = useShared();
  const [sound, setSound] = useState(load("sound") ?? false);
  return (
    <Dialog title={l10n.text("settings")}>
      <p>{l10n.text("settings-name", { name: safeLine(model.name), server: safeLine(model.server) })}</p>
      <label class="check">
        <input
          type="checkbox"
          checked={sound}
          onChange={(event) => {
            setSound(event.currentTarget.checked);
            save("sound", event.currentTarget.checked);
          }}
        />
        {l10n.text("settings-sound")}
      </label>
      <Notifications />
      <div class="buttons">
        <button type="button" onClick={() => actions.show({ kind: "invite" })}>{l10n.text("invite")}</button>
        <button type="button" onClick={() => actions.show({ kind: "help" })}>{l10n.text("help-title")}</button>
        <button type="button" class="danger" onClick={actions.leave}>{l10n.text("settings-leave")}</button>
      </div>
    </Dialog>
  );
}

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
