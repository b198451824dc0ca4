/** Starts the page. */

import { render } from "preact";
import { Session } from "./session";
import { catalogue, loadCatalogue } from "./text/catalogues";
import { L10n } from "./text/l10n";
import { App } from "./view/app";

/** What stands in place of the page where its texts cannot be loaded: in all its languages. */
const NO_TEXTS = "A part of this page could not be loaded. Reload it. Ein Teil dieser Seite konnte nicht geladen werden. Lade sie neu.";

/** Says that the page cannot work here. */
function showFailure(root: Element, l10n: L10n, error: unknown): void {
  console.error(error);
  render(
    <main class="entrance">
      <div class="card">
        <h1>{l10n.text("broken-title")}</h1>
        <p>{l10n.text("broken-text", { address: location.origin })}</p>
        <button type="button" class="primary" onClick={() => location.reload()}>{l10n.text("reload")}</button>
      </div>
    </main>,
    root,
  );
}

/** Begins, once the texts are there and while the engine is being loaded. */
async function main(root: Element): Promise<void> {
  let l10n = new L10n(await catalogue, navigator.languages);
  document.documentElement.lang = l10n.language;
  let hasFailed = false;
  const fail = (error: unknown) => {
    hasFailed = true;
    showFailure(root, l10n, error);
  };
  try {
    if (!globalThis.WebSocket) throw new Error("no WebSocket");
    // Not earlier: on a slow network the form for the name would wait for it.
    const module = WebAssembly.compileStreaming(fetch(ENGINE_FILE));
    module.catch(fail);
    const session = new Session(module, l10n, (shared) => hasFailed || render(<App {...shared} />, root), fail);
    let changes = 0;
    // A language whose texts cannot be loaded is left for the next page.
    addEventListener("languagechange", () => {
      const change = ++changes;
      loadCatalogue(navigator.languages).then((it) => {
        // The texts of an earlier change may come after those of the latest one.
        if (change !== changes) return;
        l10n = new L10n(it, navigator.languages);
        document.documentElement.lang = l10n.language;
        session.setL10n(l10n);
      }, console.error);
    });
    session.begin().catch(fail);
  } catch (error) {
    fail(error);
  }
}

const root = document.querySelector("#page");
if (root) {
  main(root).catch((error: unknown) => {
    console.error(error);
    root.textContent = NO_TEXTS;
  });
}
