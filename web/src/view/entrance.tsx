/** What is shown outside of the chat: the question for a name or a password, and the end. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Sanctioned } from "../engine/events";
import type { Refused } from "../model/model";
import { reasonText, sanctionedText } from "../text/reasons";
import { useShared } from "./context";

/** A card in the middle of the page. */
function Card(props: { title: string; children: ComponentChildren }) {
  return (
    <main class="entrance">
      <div class="card">
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
          <path d="M6 5h20a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H16l-8 6v-6H6a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z" />
        </svg>
        <h1>{props.title}</h1>
        {props.children}
      </div>
    </main>
  );
}

/** Refusals after which the code of an invitation may help. */
const WITH_CODE = ["name_claimed", "invite_required", "invite_invalid"];

/** Asks for a name, and for the code of an invitation where that is missing. */
export function NameForm(props: { name: string; refused: Refused | null }) {
  const { l10n, actions, model } = useShared();
  const [name, setName] = useState(props.name);
  const [invite, setInvite] = useState(model.invite);
  const reason = props.refused?.name ?? "";
  const isAboutInvite = reason.startsWith("invite");
  // Browsers heed `autofocus` only once.
  useEffect(() => {
    if (props.refused) document.querySelector<HTMLInputElement>(isAboutInvite ? "#invite" : "#name")?.focus();
  }, []);
  const isWaiting = model.isEntering && !props.refused;
  const state = model.connection === "waiting" ? "state-waiting" : "state-connecting";
  return (
    <Card title={props.refused && !isAboutInvite ? l10n.text("name-refused-title") : l10n.text("name-title")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) actions.enter(name.trim(), invite.trim());
        }}
      >
        {props.refused && (
          <p class="problem" role="alert" id="name-problem">
            {reasonText(l10n, props.refused)}
          </p>
        )}
        <label for="name">{l10n.text(props.refused ? "name-label" : "name-question")}</label>
        <input
          id="name"
          name="name"
          dir="auto"
          autocomplete="nickname"
          autocapitalize="off"
          spellcheck={false}
          maxLength={64}
          required
          autofocus
          aria-describedby={props.refused ? "name-problem name-hint" : "name-hint"}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <p class="hint" id="name-hint">
          {l10n.text("name-hint")}
        </p>
        {WITH_CODE.includes(reason) && (
          <>
            <label for="invite">{l10n.text("invite-label")}</label>
            <input
              id="invite"
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
              placeholder="0123-4567-89AB-CDEF"
              required={reason === "invite_required"}
              aria-describedby="name-problem"
              value={invite}
              onInput={(event) => setInvite(event.currentTarget.value)}
            />
          </>
        )}
        <button class="primary" type="submit">
          {l10n.text("name-go")}
        </button>
        <p class="hint" role="status">
          {isWaiting && l10n.text(state)}
          {isWaiting && state === "state-waiting" && ` ${l10n.text("state-window", { address: location.origin })}`}
        </p>
      </form>
    </Card>
  );
}

/** Asks for the password. */
export function PasswordForm(props: { again: boolean }) {
  const { l10n, actions, model } = useShared();
  const [password, setPassword] = useState("");
  // Each question is a new phase: what was wrong is not to be typed on.
  useEffect(() => setPassword(""), [model.phase]);
  return (
    <Card title={l10n.text("password-title")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          actions.answerPassword(password);
        }}
      >
        {props.again && (
          <p class="problem" role="alert">
            {l10n.text("password-wrong")}
          </p>
        )}
        <label for="password">{l10n.text("password-label")}</label>
        <input
          id="password"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
        <button class="primary" type="submit">
          {l10n.text("password-go")}
        </button>
      </form>
    </Card>
  );
}

/** Says why the chat has ended. `sanctioned`: what sent this user out of it, if that is why. */
export function Ended(props: { name: string | null; text: string; sanctioned: Sanctioned | null }) {
  const { l10n, actions } = useShared();
  const text = props.sanctioned ? sanctionedText(l10n, props.sanctioned) : (l10n.find(`ended-${props.name}`) ?? reasonText(l10n, props));
  return (
    <Card title={l10n.text("ended-title")}>
      <p dir="auto">{text}</p>
      <button class="primary" type="button" onClick={actions.again}>
        {l10n.text("ended-again")}
      </button>
    </Card>
  );
}

/** Says that another tab has the chat. */
export function Elsewhere() {
  const { l10n, actions } = useShared();
  return (
    <Card title={l10n.text("elsewhere-title")}>
      <p>{l10n.text("elsewhere-text")}</p>
      <button class="primary" type="button" onClick={actions.takeOver}>
        {l10n.text("elsewhere-take")}
      </button>
    </Card>
  );
}
