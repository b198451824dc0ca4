/** Starts the page. */

import { render } from "preact";
import { Session } from "./session";
import { L10n } from "./text/l10n";
import { App } from "./view/app";

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

/** Begins, while the engine is being loaded. */
function main(root: Element): void {
  const l10n = new L10n(navigator.languages);
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
    new Session(module, l10n, (shared) => hasFailed || render(<App {...shared} />, root), fail).begin().catch(fail);
  } catch (error) {
    fail(error);
  }
}

const root = document.querySelector("#page");
if (root) main(root);
