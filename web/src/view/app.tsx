/** The page. */

import type { Conversation } from "../model/conversation";
import { safeLine } from "../text/safe";
import { ConfirmDialog, MessageDialog, PersonDialog } from "./actions-dialog";
import { Composer } from "./composer";
import { type Shared, SharedContext, useShared } from "./context";
import { DeviceDialog } from "./device-dialog";
import { Elsewhere, Ended, NameForm, PasswordForm } from "./entrance";
import { HelpDialog } from "./help-dialog";
import { IconButton } from "./icon";
import { InviteDialog } from "./invite-dialog";
import { MemberList, MembersDialog } from "./members";
import { MessageList } from "./message-list";
import { ModerationDialog, SanctionDialog } from "./moderation-dialog";
import { RoomsDialog } from "./rooms-dialog";
import { SearchDialog } from "./search-dialog";
import { SettingsDialog } from "./settings-dialog";
import { ConnectionState, Sidebar } from "./sidebar";
import { Toasts } from "./toasts";

/** What is going on in a room beside its messages. */
function roomNotes(shared: Shared, conversation: Conversation): string {
  const { l10n } = shared;
  const notes = [
    conversation.topic && safeLine(conversation.topic),
    conversation.slowSeconds > 0 && l10n.text("slow-mode", { seconds: conversation.slowSeconds }),
    conversation.moderated && l10n.text("moderated-mode"),
  ];
  return notes.filter(Boolean).join(" · ");
}

/** Opens the list of conversations on a small screen. */
function MenuButton() {
  const { model, l10n, actions, isMenuOpen } = useShared();
  const { messages, mentions } = model.conversations.unread;
  return (
    <div class="menu-button">
      <IconButton icon="menu" label={l10n.text("menu-open")} expanded={isMenuOpen} onClick={() => actions.showMenu(true)} />
      {messages > 0 && <span class={`badge ${mentions ? "badge-mention" : ""}`} aria-hidden="true">{messages > 99 ? "99+" : messages}</span>}
    </div>
  );
}

/** The title of the conversation, and what can be done with it. */
function Header({ conversation }: { conversation: Conversation }) {
  const shared = useShared();
  const { model, l10n, actions } = shared;
  const isRoom = conversation.kind === "room";
  const label = l10n.text(isRoom ? "room-leave" : "direct-close");
  const note = l10n.text(isRoom ? "room-leave-note" : "direct-close-note");
  return (
    <header class="conversation-header">
      <MenuButton />
      <div class="title">
        <h1 dir="auto">{(isRoom ? "#" : "") + safeLine(conversation.name)}</h1>
        <p class="topic" dir="auto">{isRoom ? roomNotes(shared, conversation) : l10n.text("direct-note")}</p>
        <ConnectionState />
      </div>
      <div class="tools">
        {isRoom && (
          <div class="members-button">
            <IconButton icon="people" label={l10n.text("members", { count: conversation.members })} onClick={() => actions.show({ kind: "members" })} />
            <span aria-hidden="true">{conversation.members}</span>
          </div>
        )}
        <IconButton icon="search" label={l10n.text("search")} onClick={() => actions.show({ kind: "search" })} />
        <IconButton icon="leave" label={label} onClick={() => actions.show({ kind: "confirm", label, note, carryOut: () => model.leave(conversation) })} />
      </div>
    </header>
  );
}

/** A strip that says that the connection is gone, and what that means. */
function Trouble() {
  const { model, l10n, actions } = useShared();
  const state = model.connection;
  if (state === "live" || state === "connecting") return null;
  return (
    <div class="trouble">
      <p>
        <strong>{l10n.text(`state-${state}`)}.</strong> {l10n.text("state-offline-note")}
      </p>
      <button type="button" onClick={actions.retry}>{l10n.text("state-retry")}</button>
    </div>
  );
}

/** What the user has to know, below the header: notes do not cover the strip. A dialog has them itself. */
function Notes() {
  const { overlay } = useShared();
  return (
    <>
      <Trouble />
      {!overlay && <Toasts />}
    </>
  );
}

/** The dialog that is open, if any. */
function OpenDialog() {
  const { model, overlay } = useShared();
  switch (overlay?.kind) {
    case "rooms":
      return <RoomsDialog />;
    case "search":
      return <SearchDialog />;
    case "members":
      return <MembersDialog />;
    case "settings":
      return <SettingsDialog />;
    case "invite":
      return <InviteDialog key="invite" />;
    case "device":
      return model.linkCode && <DeviceDialog key="device" made={model.linkCode} />;
    case "help":
      return <HelpDialog key="help" />;
    case "moderation":
      return <ModerationDialog room={overlay.room} />;
    case "sanction":
      return <SanctionDialog {...overlay} />;
    case "confirm":
      return <ConfirmDialog {...overlay} />;
    case "message":
      return <MessageDialog seq={overlay.seq} />;
    case "person":
      return <PersonDialog name={overlay.name} />;
    default:
      return null;
  }
}

/** The chat. */
function Chat() {
  const { model, l10n, actions, isMenuOpen } = useShared();
  const { conversation } = model;
  return (
    <div class="chat">
      <Sidebar />
      {isMenuOpen && <div class="curtain" onClick={() => actions.showMenu(false)} />}
      <main class="main">
        {conversation ? (
          <>
            <Header conversation={conversation} />
            <Notes />
            <MessageList key={model.current} conversation={conversation} />
            <Composer key={`compose-${model.current}`} conversation={conversation} />
          </>
        ) : (
          <>
            <header class="conversation-header">
              <MenuButton />
              <div class="title"><ConnectionState /></div>
            </header>
            <Notes />
            <button type="button" class="primary" onClick={() => actions.show({ kind: "rooms" })}>{l10n.text("rooms-add")}</button>
          </>
        )}
      </main>
      {conversation?.kind === "room" && (
        <aside class="members-panel" aria-label={l10n.text("members-title")}>
          <h2>{l10n.text("members", { count: conversation.members })}</h2>
          <MemberList />
        </aside>
      )}
      <OpenDialog />
      <div class="visually-hidden" role="status" aria-live="polite">{safeLine(model.announcement)}</div>
    </div>
  );
}

/** What is shown in each phase. */
function Content() {
  const { model } = useShared();
  const { phase } = model;
  switch (phase.phase) {
    case "chat":
      return <Chat />;
    case "name":
      return <NameForm key={`${phase.name} ${phase.refused?.name} ${model.invite}`} name={phase.name} refused={phase.refused} />;
    case "password":
      return <PasswordForm again={phase.again} />;
    case "ended":
      return <Ended {...phase} />;
    case "elsewhere":
      return <Elsewhere />;
  }
}

/** The page. */
export function App(shared: Shared) {
  return (
    <SharedContext.Provider value={shared}>
      <Content />
      {!shared.overlay && shared.model.phase.phase !== "chat" && <Toasts />}
    </SharedContext.Provider>
  );
}
