/** The dialogs of moderators: a room's settings with its bans and mutes, and a ban or mute. */

import { useEffect, useState } from "preact/hooks";
import type { Sanction } from "../engine/events";
import { sanctionNotes } from "../text/reasons";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { Dialog } from "./dialog";

/** Intervals of slow mode in seconds. */
const INTERVALS = [0, 5, 10, 30, 60, 300, 3_600];

/** Lengths of bans and mutes in seconds; 0: without end. */
const LENGTHS = [600, 7_200, 86_400, 604_800, 0];

/** A field for the topic, slow mode, and who may talk. */
function RoomSettings({ room }: { room: string }) {
  const { model, l10n } = useShared();
  const conversation = model.conversations.get(room);
  const [topic, setTopic] = useState(conversation?.topic ?? "");
  if (!conversation) return null;
  const { slowSeconds } = conversation;
  return (
    <>
      <form
        class="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          model.moderation.send({ type: "topic", room, text: topic.trim() });
        }}
      >
        <label for="topic">{l10n.text("moderation-topic")}</label>
        <input id="topic" dir="auto" value={topic} onInput={(event) => setTopic(event.currentTarget.value)} />
        <button type="submit">{l10n.text("moderation-set")}</button>
      </form>
      <label class="check">
        <select onChange={(event) => model.moderation.send({ type: "slow", room, seconds: Number(event.currentTarget.value) })}>
          {[...new Set([...INTERVALS, slowSeconds])].map((seconds) => (
            <option key={seconds} value={seconds} selected={seconds === slowSeconds}>
              {seconds ? l10n.text("slow-mode", { seconds }) : l10n.text("slow-off")}
            </option>
          ))}
        </select>
        <span class="visually-hidden">{l10n.text("moderation-slow")}</span>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={conversation.moderated}
          onChange={(event) => model.moderation.send({ type: "moderated", room, on: event.currentTarget.checked })}
        />
        {l10n.text("moderated-mode")}
      </label>
    </>
  );
}

/** A ban or mute, with a button to lift it. */
function SanctionItem({ sanction }: { sanction: Sanction }) {
  const { model, l10n } = useShared();
  const { kind, name } = sanction;
  const notes = [l10n.text(kind === "ban" ? "sanction-ban" : "sanction-mute"), sanctionNotes(l10n, sanction)];
  return (
    <li class="sanction">
      <div>
        <bdi class="choice-title">{safeLine(name)}</bdi>
        <p class="choice-note" dir="auto">{notes.filter(Boolean).join(" · ")}</p>
      </div>
      <button type="button" aria-label={`${l10n.text("sanction-lift")}: ${safeLine(name)}`} onClick={() => model.moderation.lift(sanction)}>
        {l10n.text("sanction-lift")}
      </button>
    </li>
  );
}

/** Moderation of a room; null: bans and mutes of the whole server. */
export function ModerationDialog({ room }: { room: string | null }) {
  const { model, l10n } = useShared();
  const { sanctions } = model.moderation;
  useEffect(() => {
    model.moderation.look(room);
    return () => model.moderation.lookAway();
  }, []);
  return (
    <Dialog title={room === null ? safeLine(model.server) : l10n.text("moderation-title", { room: safeLine(room) })}>
      {room !== null && <RoomSettings room={room} />}
      <h3>{l10n.text("sanctions-title")}</h3>
      {sanctions?.length === 0 && <p class="hint">{l10n.text("sanctions-none")}</p>}
      <ul class="sanctions">
        {sanctions?.map((it) => <SanctionItem key={`${it.kind} ${it.name}`} sanction={it} />)}
      </ul>
    </Dialog>
  );
}

/** Asks for how long and why somebody is kept out or silenced. */
export function SanctionDialog(props: { action: "ban" | "mute"; name: string; room: string; session: number | undefined }) {
  const { model, l10n, actions } = useShared();
  const { action, name, room, session } = props;
  const [seconds, setSeconds] = useState(LENGTHS[0]!);
  const [reason, setReason] = useState("");
  const title = l10n.text(`action-${action}`, { name: safeLine(name) });
  return (
    <Dialog title={title}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          actions.show(null);
          model.moderation.send({ type: action, name, room, seconds, session, ...(reason.trim() ? { reason: reason.trim() } : {}) });
        }}
      >
        <label for="length">{l10n.text("sanction-length")}</label>
        <select id="length" onChange={(event) => setSeconds(Number(event.currentTarget.value))}>
          {LENGTHS.map((it) => (
            <option key={it} value={it} selected={it === seconds}>{l10n.text("length", { seconds: it })}</option>
          ))}
        </select>
        <label for="reason">{l10n.text("sanction-reason")}</label>
        <input id="reason" dir="auto" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        <button type="submit" class="danger">{title}</button>
      </form>
    </Dialog>
  );
}
