/** Puts engine, model, storage and view together. */

import { UserKey } from "./browser/key";
import { pageAddress } from "./browser/address";
import { notify, showUnread } from "./browser/attention";
import { load, save } from "./browser/storage";
import { Tabs } from "./browser/tabs";
import { Driver } from "./engine/driver";
import { Engine, type Start } from "./engine/engine";
import type { ChatRequest } from "./engine/events";
import { makeLinkCode, RANDOM_LENGTH } from "./engine/linker";
import { LINK } from "./model/devices";
import { Ignored } from "./model/ignored";
import { Model, type Proof } from "./model/model";
import { type SavedModel, saveModel } from "./model/saved";
import { safeLine } from "./text/safe";
import { codeOfLink, readCode } from "./text/invitation";
import type { L10n } from "./text/l10n";
import type { Actions, Overlay, Shared } from "./view/context";

/** Time between a change and its storing at most, in milliseconds. */
const SAVE_DELAY = 1_000;

/** Time out of sight after which a connection is not trusted any more, in milliseconds. */
const SLEEP = 20_000;

/** Path of the WebSocket. */
const CHAT_PATH = "/chat";

/** Name of the error for an invitation that is not valid. */
const INVITE_INVALID = "invite_invalid";

/** Returns the rooms of a saved model. */
function roomsOf(saved: SavedModel | null): string[] {
  return saved?.conversations.filter((it) => it.kind === "room").map((it) => it.name) ?? [];
}

/** The page's session: it has one engine at a time. */
export class Session {
  readonly #module: Promise<WebAssembly.Module>;
  #l10n: L10n;
  readonly #render: (shared: Shared) => unknown;
  readonly #onFailure: (error: unknown) => void;
  readonly #tabs = new Tabs(() => this.#onLost());
  readonly #key = new UserKey();
  /** True if the server has refused a proof: the page goes on without its key. */
  #isKeyRefused = false;
  #ignored = Ignored.of(load("ignored") ?? []);
  #overlay: Overlay | null = null;
  #isMenuOpen = false;
  #model: Model;
  #driver: Driver | null = null;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #isDrawing = false;
  /** Code of an invitation, until it was used or refused, for a name as well; empty if there is none. */
  #invite = load("invite") ?? "";
  /** Requests that were made before the engine was there. */
  #early: ChatRequest[] = [];
  /** True while the user leaves: nothing is stored any more. */
  #isLeaving = false;
  #hiddenSince = 0;
  /** True if the next drawing puts the focus into the field for writing. */
  #isToCompose = false;

  /**
   * `module`: the engine, which may still be on its way. `render` draws the page. `onFailure` is called if the engine
   * cannot be loaded or started: the page does not work here.
   */
  constructor(module: Promise<WebAssembly.Module>, l10n: L10n, render: (shared: Shared) => unknown, onFailure: (error: unknown) => void) {
    this.#module = module;
    this.#l10n = l10n;
    this.#render = render;
    this.#onFailure = onFailure;
    this.#model = this.#newModel();
  }

  /** Shows the page in another language. */
  setL10n(l10n: L10n): void {
    this.#l10n = l10n;
    this.#onChange();
  }

  /** Begins: goes on with the session of an earlier page, or asks for a name. */
  async begin(): Promise<void> {
    const name = load("name") ?? "";
    this.#takeInvite();
    this.#watchPage();
    if (load("owner") !== null && (await this.#tabs.isElsewhere())) {
      this.#model.phase = { phase: "elsewhere" };
    } else if (name !== "" && load("session") !== null) {
      this.#connect(name);
    } else {
      this.#model.phase = { phase: "name", name, refused: null };
    }
    this.#onChange();
  }

  /** Takes the invitation out of the page's address: who passes the address on is not to pass it on. */
  #takeInvite(): void {
    const code = codeOfLink(location.hash);
    if (code === null) return;
    this.#keepInvite(code);
    this.#model.invite = code;
    history.replaceState(null, "", location.pathname + location.search);
  }

  /** Keeps the code of an invitation, for the next page as well; forgets it if it is empty. */
  #keepInvite(code: string): void {
    this.#invite = code;
    save("invite", code || null);
  }

  /** Keeps whom the user ignores, for the next page as well. */
  #keepIgnored(ignored: Ignored): void {
    this.#ignored = ignored;
    save("ignored", ignored.stored);
  }

  #newModel(): Model {
    // While an event is handled, requests wait: the engine's outputs are carried out in order.
    const model = new Model((request: ChatRequest) => queueMicrotask(() => this.#request(model, request)));
    model.invite = this.#invite;
    model.claimed = load("claimed") ?? this.#model?.claimed ?? "";
    model.onChange = () => this.#onChange();
    model.ignores = (author) => this.#ignored.hides(author);
    model.onNewLog = () => this.#keepIgnored(this.#ignored.byName());
    model.onAttention = ({ conversation, from, text }) => {
      notify(from, text, () => model.select(conversation.key));
    };
    return model;
  }

  /** Passes a request of a model to the engine, or keeps it while the engine is on its way. */
  #request(model: Model, request: ChatRequest): void {
    if (model !== this.#model) return;
    if (this.#driver) this.#driver.request(request);
    else this.#early.push(request);
  }

  /** Connects with a name, and with the session that was saved for it. */
  #connect(name: string): void {
    this.#tabs.take();
    this.#driver?.stop();
    this.#driver = null;
    const model = (this.#model = this.#newModel());
    this.#early = [];
    const saved = load("model");
    const session = load("session");
    const unsent = session ? load("unsent") : null;
    if (saved) model.restore(saved, unsent);
    this.#isLeaving = false;
    model.name = name;
    model.isEntering = true;
    model.phase = session && saved ? { phase: "chat" } : { phase: "name", name, refused: null };
    const invite = readCode(this.#invite);
    this.#start(model, { name, rooms: roomsOf(saved), session, unsent, invite }).catch(this.#onFailure);
  }

  /** Starts the engine for a model, unless another one has taken its place meanwhile. */
  async #start(model: Model, start: Omit<Start, "seed">): Promise<void> {
    const engine = new Engine(await this.#module);
    if (model !== this.#model || model.phase.phase === "elsewhere") return;
    const url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${CHAT_PATH}`;
    let proof: Proof = "impossible";
    this.#driver = new Driver(engine, url, {
      onEvent: (event) => {
        model.handle(event);
        if (event.type === "welcome") {
          // Only now: while the page connects again, the button to keep the name stays where it is.
          model.proof = proof;
          proof = "impossible";
          save("name", event.name);
          // Where nothing is stored, the key goes with the page, and would leave behind a name for nobody.
          if (this.#invite && model.proof === "given" && load("key") !== null) model.claim("invited");
          else this.#keepInvite("");
        }
        if (event.type === "done" && event.id === LINK) this.#actions.show({ kind: "device" });
        if (!model.linkCode && this.#overlay?.kind === "device") this.#actions.show(null);
        if (event.type === "done" || event.type === "welcome") save("claimed", model.claimed || null);
        // After another error, such as a lost connection, the next welcome tries again.
        const isClaimRefused = event.type === "error" && event.id === "invited" && event.name === "cannot_claim";
        if (isClaimRefused || (event.type === "done" && model.claimed)) this.#keepInvite("");
        if (event.type === "invite_wanted" && event.reason === INVITE_INVALID) this.#keepInvite("");
        if (event.type === "end") {
          save("session", null);
          this.#isKeyRefused ||= event.name === "proof_invalid";
        }
        // A refused message is the page's alone from now on.
        if (event.type === "error" || event.type === "unsent") this.#store();
      },
      onCrash: (error) => this.#onCrash(model, error),
      onSession: (text) => save("session", text),
      onUnsent: (text) => save("unsent", this.#isLeaving ? null : text || null),
      onChallenge: async (challenge) => {
        const proved = await this.#prove(challenge);
        proof = proved.length ? "given" : this.#isKeyRefused ? "impossible" : "none";
        return proved;
      },
    });
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#driver.start({ ...start, seed });
    for (const request of this.#early.splice(0)) this.#driver?.request(request);
  }

  /** Proves the user's key. Who is invited gets one for that; without the signer they come in without. */
  async #prove(challenge: Uint8Array): Promise<Uint8Array> {
    if (this.#isKeyRefused) return new Uint8Array();
    if (this.#invite) await this.#key.make().catch(() => undefined);
    return this.#key.prove(challenge);
  }

  /** Claims the name for the user's key, which may have to be made and proved first. */
  async #keepName(): Promise<void> {
    if (this.#model.proof === "none") {
      await this.#key.make();
      this.#retry();
    }
    this.#model.claim("wanted");
  }

  /** Makes a code for another device, which is shown once the server has taken it. */
  async #linkDevice(): Promise<void> {
    const [module, address] = await Promise.all([WebAssembly.compileStreaming(fetch(LINKER_FILE)), pageAddress()]);
    const random = crypto.getRandomValues(new Uint8Array(RANDOM_LENGTH));
    const { hash, code, svg } = makeLinkCode(module, random, address.url);
    if (!this.#driver) return;
    // An address that only this machine reaches is none to scan.
    this.#model.offerLink({ code, svg: address.svg && svg, url: address.url });
    this.#driver.link(hash);
  }

  /** Says that a part of the page could not be loaded. */
  readonly #tellBroken = (): void => {
    this.#model.toast({ id: "broken-text", args: { address: location.origin } }, "error");
    this.#onChange();
  };

  /** Says that the engine has stopped in the middle of its work. The next one goes on with what is stored. */
  #onCrash(model: Model, error: unknown): void {
    console.error(error);
    this.#store();
    this.#driver = null;
    model.phase = { phase: "ended", name: "crashed", text: "", sanctioned: null };
    this.#onChange();
  }

  #onLost(): void {
    this.#driver?.stop();
    this.#driver = null;
    this.#model.phase = { phase: "elsewhere" };
    this.#onChange();
  }

  /** Watches whether the user looks at the page, and whether the device has slept. */
  #watchPage(): void {
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        this.#hiddenSince = Date.now();
        this.#model.setLooking(false);
        this.#store();
      } else {
        if (Date.now() - this.#hiddenSince > SLEEP) this.#retry();
        else this.#driver?.wake();
        this.#model.setLooking(!this.#model.isReading);
      }
    });
    // A link with an invitation that is opened in this tab changes only what is behind the `#`.
    addEventListener("hashchange", () => codeOfLink(location.hash) !== null && location.reload());
    addEventListener("online", () => this.#retry());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#retry());
    addEventListener("pagehide", () => this.#store());
  }

  #retry(): void {
    this.#driver?.request({ type: "reconnect" });
  }

  #onChange(): void {
    if (this.#model.phase.phase === "chat") this.#storeSoon();
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    // Many events in a row are drawn once.
    setTimeout(() => {
      this.#isDrawing = false;
      this.#draw();
    });
  }

  #storeSoon(): void {
    // Not later with each further change: in a busy room there is always one.
    this.#saveTimer ??= setTimeout(() => this.#store(), SAVE_DELAY);
  }

  #store(): void {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    if (this.#driver && !this.#isLeaving && this.#model.phase.phase === "chat") save("model", saveModel(this.#model));
  }

  #draw(): void {
    const model = this.#model;
    const place = model.phase.phase === "chat" ? model.conversation : null;
    const title = place ? `${place.kind === "room" ? "#" : ""}${safeLine(place.name)} – ${safeLine(model.server)}` : this.#l10n.text("app-name");
    const { messages, mentions } = model.conversations.unread;
    showUnread(title, messages, mentions);
    this.#render({
      model,
      l10n: this.#l10n,
      actions: this.#actions,
      overlay: this.#overlay,
      isMenuOpen: this.#isMenuOpen,
      ignored: this.#ignored,
    });
    // Only now no dialog is in the way.
    if (this.#isToCompose) document.querySelector<HTMLTextAreaElement>("#compose")?.focus();
    this.#isToCompose = false;
  }

  readonly #actions: Actions = {
    enter: (name, invite) => {
      const model = this.#model;
      const code = readCode(invite) ?? "";
      model.name = name;
      model.invite = invite;
      if (invite && !code) {
        model.phase = { phase: "name", name, refused: { name: INVITE_INVALID, text: "" } };
        return this.#onChange();
      }
      this.#keepInvite(code);
      if (model.phase.phase === "name" && model.phase.refused && this.#driver) {
        this.#driver.answerName(name, code);
      } else {
        save("name", name);
        this.#connect(name);
      }
      this.#onChange();
    },
    answerPassword: (password) => this.#driver?.answerPassword(password),
    retry: () => this.#retry(),
    keepName: () => void this.#keepName().catch(this.#tellBroken),
    linkDevice: () => void this.#linkDevice().catch(this.#tellBroken),
    leave: () => {
      this.#overlay = null;
      this.#isLeaving = true;
      this.#driver?.request({ type: "quit" });
      save("model", null);
      save("session", null);
      save("unsent", null);
    },
    again: () => {
      this.#driver?.stop();
      this.#driver = null;
      this.#model = this.#newModel();
      this.#model.phase = { phase: "name", name: load("name") ?? "", refused: null };
      this.#onChange();
    },
    takeOver: () => {
      const name = load("name");
      if (name && load("session")) this.#connect(name);
      else this.#actions.again();
    },
    show: (overlay) => {
      this.#overlay = overlay;
      // What is opened from the menu is not to leave it open behind.
      if (overlay) this.#isMenuOpen = false;
      this.#onChange();
    },
    showMenu: (isOpen) => {
      this.#isMenuOpen = isOpen;
      this.#onChange();
    },
    compose: (text) => {
      const { conversation } = this.#model;
      if (!conversation) return;
      conversation.draft = conversation.draft ? `${conversation.draft.trimEnd()} ${text}` : text;
      this.#isToCompose = true;
      this.#onChange();
    },
    keepDraft: () => this.#storeSoon(),
    ignore: (author, isIgnored) => {
      this.#keepIgnored(isIgnored ? this.#ignored.with(this.#model.conversations.identify(author)) : this.#ignored.without(author));
      this.#model.announcement = "";
      this.#onChange();
    },
  };
}
