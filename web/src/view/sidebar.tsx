/** The list of conversations, with what is unread, and the state of the connection. */

import { useEffect } from "preact/hooks";
import type { Conversation } from "../model/conversation";
import { safeLine } from "../text/safe";
import { useShared } from "./context";
import { Icon, IconButton } from "./icon";

/** A conversation in the list. */
function Item({ conversation }: { conversation: Conversation }) {
  const { model, l10n, actions } = useShared();
  const { kind, key, name, unread, mentions } = conversation;
  const isCurrent = conversation === model.conversation;
  return (
    <li>
      <button
        type="button"
        class={`conversation ${unread ? "has-unread" : ""}`}
        aria-current={isCurrent ? "page" : undefined}
        onClick={() => {
          actions.showMenu(false);
          model.select(key);
        }}
      >
        <span class="sigil" aria-hidden="true">{kind === "room" ? "#" : "@"}</span>
        <bdi class="conversation-name">{safeLine(name)}</bdi>
        {unread > 0 && (
          <span class={`badge ${mentions ? "badge-mention" : ""}`}>
            <span aria-hidden="true">{unread > 999 ? "999+" : unread}</span>
            <span class="visually-hidden">
              {l10n.text("unread", { count: unread })}
              {mentions > 0 && `, ${l10n.text("mentions", { count: mentions })}`}
            </span>
          </span>
        )}
      </button>
    </li>
  );
}

/** State of the connection in words. */
export function ConnectionState() {
  const { model, l10n } = useShared();
  const state = model.connection;
  return (
    <p class={`connection connection-${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {l10n.text(`state-${state}`)}
    </p>
  );
}

/** The list of conversations. */
export function Sidebar() {
  const { model, l10n, actions, isMenuOpen } = useShared();
  const all = [...model.conversations.values()];
  // On a small screen it is like a dialog: the focus goes there and back, and Escape closes it.
  useEffect(() => {
    if (!isMenuOpen) return;
    const onKeyDown = ({ key }: KeyboardEvent) => key === "Escape" && actions.showMenu(false);
    addEventListener("keydown", onKeyDown);
    document.querySelector<HTMLElement>(".menu-close")?.focus();
    return () => {
      removeEventListener("keydown", onKeyDown);
      document.querySelector<HTMLElement>(".menu-button button")?.focus();
    };
  }, [isMenuOpen]);
  const people = all.filter((it) => it.kind === "direct");
  return (
    <nav class={`sidebar ${isMenuOpen ? "is-open" : ""}`} aria-label={l10n.text("rooms")}>
      <header class="sidebar-header">
        <p class="server" dir="auto">{safeLine(model.server) || l10n.text("app-name")}</p>
        <IconButton class="menu-close" icon="close" label={l10n.text("menu-close")} onClick={() => actions.showMenu(false)} />
      </header>
      <div class="sidebar-lists">
        <h2>{l10n.text("rooms")}</h2>
        <ul>
          {all.filter((it) => it.kind === "room").map((it) => (
            <Item key={it.name} conversation={it} />
          ))}
          <li>
            <button type="button" class="conversation add" onClick={() => actions.show({ kind: "rooms" })}>
              <Icon name="add" />
              {l10n.text("rooms-add")}
            </button>
          </li>
        </ul>
        {people.length > 0 && (
          <>
            <h2>{l10n.text("people-written")}</h2>
            <ul>
              {people.map((it) => (
                <Item key={it.name} conversation={it} />
              ))}
            </ul>
          </>
        )}
      </div>
      <footer class="sidebar-footer">
        <div class="me">
          <bdi class="me-name">{safeLine(model.name)}</bdi>
          <ConnectionState />
        </div>
        <IconButton icon="settings" label={l10n.text("settings")} onClick={() => actions.show({ kind: "settings" })} />
      </footer>
    </nav>
  );
}
